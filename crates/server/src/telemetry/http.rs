//! The HTTP listener of operators: `/metrics`, `/health/live`, `/health/ready`. In clear, to anyone who reaches it:
//! loopback by default, and nothing there names a person.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use net::Listener;

use super::Metrics;

/// Whether mail can be taken now; asked at every request.
pub trait Health: Send + Sync + 'static {
    /// # Errors
    /// Why not: `starting`, `stopping`, `store poisoned`, `disk full`.
    fn ready(&self) -> Result<(), &'static str>;
}

struct Shared {
    metrics: Metrics,
    health: Arc<dyn Health>,
}

/// Serves until the task is dropped.
///
/// # Errors
/// When the socket fails for good.
pub async fn serve_http(listener: Listener, metrics: Metrics, health: Arc<dyn Health>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(figures))
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .with_state(Arc::new(Shared { metrics, health }));
    axum::serve(listener.into_tokio(), router).await
}

async fn figures(State(shared): State<Arc<Shared>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], shared.metrics.encode()).into_response()
}

async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    match shared.health.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}
