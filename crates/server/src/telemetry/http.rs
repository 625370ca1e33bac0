//! The HTTP listener of operators: `/metrics`, `/health/live`, `/health/ready`. In clear, to anyone who reaches it:
//! loopback by default, and nothing there names a person.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use net::Listener;

/// What the listener tells; asked at every request.
pub trait Health: Send + Sync + 'static {
    /// All figures, as OpenMetrics text.
    fn figures(&self) -> String;

    /// Whether mail can be taken now.
    ///
    /// # Errors
    /// Why not: `starting`, `stopping`, `store poisoned`, `disk full`.
    fn ready(&self) -> Result<(), &'static str>;
}

/// Serves until the task is dropped.
///
/// # Errors
/// When the socket fails for good.
pub async fn serve_http(listener: Listener, health: Arc<dyn Health>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(figures))
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .with_state(health);
    axum::serve(listener.into_tokio(), router).await
}

async fn figures(State(health): State<Arc<dyn Health>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], health.figures()).into_response()
}

async fn ready(State(health): State<Arc<dyn Health>>) -> (StatusCode, String) {
    match health.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}
