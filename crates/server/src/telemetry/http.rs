//! The HTTP listener of operators: `/metrics`, `/health/live`, `/health/ready`, `/health/trust`. In clear, to anyone who reaches it:
//! loopback by default, and nothing there names a person.
//!
//! One request for each connection, within [`HttpLimits`]: who dawdles or sends too much is told so and let go, and takes
//! nothing from the others but a seat for a moment.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use net::Listener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What the listener tells; asked at every request.
pub trait Health: Send + Sync + 'static {
    /// All figures, as OpenMetrics text.
    fn figures(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>>;

    /// Whether mail can be taken now.
    ///
    /// # Errors
    /// Why not: `starting`, `stopping`, `store poisoned`, `disk full`.
    fn ready(&self) -> Result<(), &'static str>;

    /// Whether the trust space is fresh. Mail flows all the same, as long as there is a list: this is for people.
    ///
    /// # Errors
    /// Why not: `no white list`, `white list old`.
    fn trust(&self) -> Result<(), &'static str>;
}

/// What clients of the listener may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Octets of a request's first line and fields, at least 8,192; above them 431 (RFC 6585 §5).
    pub head_octets_max: usize,
    /// From the connection to the end of the answer. 408 where the request is not whole by then (RFC 9110 §15.5.9); an
    /// answer that is not taken by then is broken off.
    pub time_max: Duration,
    /// Connections at once. The next ones are answered 503 without a look at what they ask.
    pub connections_max: usize,
}

/// A monitoring system asks from a few hosts, every few seconds, with a request of some hundred octets.
pub const HTTP_LIMITS: HttpLimits =
    HttpLimits { head_octets_max: 8_192, time_max: Duration::from_secs(10), connections_max: 32 };

/// Time to take a refusal, and octets that may still come meanwhile: closing at once would take it back (RFC 9112 §9.6).
const FAREWELL_TIME: Duration = Duration::from_secs(1);
const FAREWELL_OCTETS: u64 = 64 * 1_024;

/// Serves until the future is dropped.
pub async fn serve_http(listener: Listener, health: Arc<dyn Health>, limits: HttpLimits) {
    let router = Router::new()
        .route("/metrics", get(figures))
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .route("/health/trust", get(trust))
        .with_state(health);
    let mut conversations = JoinSet::new();
    let mut farewells = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = conversations.join_next() => {}
            Some(_) = farewells.join_next() => {}
            (stream, _) = listener.accept() => match conversations.len() < limits.connections_max {
                true => drop(conversations.spawn(converse(stream, router.clone(), limits))),
                // Whoever is not even told is one of very many.
                false if farewells.len() < limits.connections_max => {
                    drop(farewells.spawn(say(stream, StatusCode::SERVICE_UNAVAILABLE, "too many connections\n")));
                }
                false => {}
            },
        }
    }
}

/// One request and its answer.
async fn converse(stream: TcpStream, router: Router, limits: HttpLimits) {
    let router = TowerToHyperService::new(router);
    let whole = AtomicBool::new(false);
    let service = service_fn(|request| {
        whole.store(true, Ordering::Relaxed);
        router.call(request)
    });
    let mut connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(limits.head_octets_max)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(limits.time_max, &mut connection).await {
        // Where the request cannot be read, hyper has said so: 400, or 431.
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an admin connection broke off"),
        Err(_) if whole.load(Ordering::Relaxed) => tracing::debug!("an admin client does not take its answer"),
        Err(_) => {
            let stream = connection.into_parts().io.into_inner();
            say(stream, StatusCode::REQUEST_TIMEOUT, "the request took too long\n").await;
        }
    }
}

/// An answer outside of any conversation.
async fn say(mut stream: TcpStream, status: StatusCode, text: &str) {
    let octets = text.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {octets}\r\nconnection: close\r\n\r\n{text}"
    );
    let farewell = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(FAREWELL_OCTETS), &mut tokio::io::sink()).await
    };
    let _ = timeout(FAREWELL_TIME, farewell).await;
}

async fn figures(State(health): State<Arc<dyn Health>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], health.figures().await).into_response()
}

async fn ready(State(health): State<Arc<dyn Health>>) -> (StatusCode, String) {
    match health.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn trust(State(health): State<Arc<dyn Health>>) -> (StatusCode, String) {
    match health.trust() {
        Ok(()) => (StatusCode::OK, "fresh\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}
