//! What operators see: logs, metrics, health.

mod http;
mod logs;
mod metrics;

pub use http::{Health, serve_http};
pub use logs::start_logs;
pub use metrics::{Metrics, SessionLabels};
