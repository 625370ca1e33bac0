//! What operators see: logs, metrics, health.

mod http;
mod logs;
mod metrics;

pub use http::{HTTP_LIMITS, Health, HttpLimits, serve_http};
pub use logs::{set_log_filter, start_logs, start_logs_in_file};
pub use metrics::{DESTINATIONS_NAMED, Metrics, OutcomeLabels, ReasonLabels, RelayLabels, SessionLabels};
