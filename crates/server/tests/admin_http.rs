//! The operators' HTTP listener under clients that dawdle, shout or come in crowds (bar.md S23).

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests make connections"
)]

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use net::Listener;
use server::telemetry::{HTTP_LIMITS, Health, HttpLimits, serve_http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Well;

impl Health for Well {
    fn trust(&self) -> Result<(), &'static str> {
        Err("white list old")
    }

    fn figures(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(async { "# EOF\n".repeat(1_000_000) })
    }

    fn ready(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

fn serve(limits: HttpLimits) -> SocketAddr {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.address();
    tokio::spawn(serve_http(listener, Arc::new(Well), limits));
    address
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// All that comes until the end; a connection reset after the answer is an end too.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn a_slow_loris_is_answered_408_and_others_meanwhile_200() {
    let address = serve(HttpLimits { time_max: Duration::from_millis(300), ..HTTP_LIMITS });
    let began = Instant::now();
    let mut drip = connect(address).await;
    let mut silent = connect(address).await;
    let (mut reading, mut writing) = drip.split();
    let dripping = async {
        // An octet now and then is no progress.
        for octet in LIVE.as_bytes().iter().cycle().filter(|octet| !octet.is_ascii_control()) {
            if writing.write_all(&[*octet]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answered = async {
        assert!(ask(address, LIVE).await.starts_with("HTTP/1.1 200 OK\r\n"));
        let mut answer = [0; 64];
        let octets = reading.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..octets]).into_owned()
    };
    let answer = tokio::select! {
        () = dripping => String::new(),
        answer = answered => answer,
    };
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(rest(&mut silent).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go() {
    let address = serve(HttpLimits { time_max: Duration::from_millis(300), connections_max: 1, ..HTTP_LIMITS });
    let mut greedy = connect(address).await;
    greedy.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(ask(address, LIVE).await.starts_with("HTTP/1.1 200 OK\r\n"), "its seat is free again");
    assert!(rest(&mut greedy).await.len() < 6_000_000, "what it did not take in time does not come");
}

#[tokio::test]
async fn a_head_may_have_8192_octets_and_no_more() {
    let address = serve(HTTP_LIMITS);
    let request = |octets: usize| format!("GET /health/live HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(octets));
    assert!(ask(address, &request(8_000)).await.starts_with("HTTP/1.1 200 "));
    assert!(ask(address, &request(8_400)).await.starts_with("HTTP/1.1 431 "));
    let mut endless = connect(address).await;
    let _ = endless.write_all(&[b'x'; 20_000]).await;
    let answer = rest(&mut endless).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test]
async fn one_connection_too_many_is_answered_503_and_a_free_seat_is_given_again() {
    let limits = HttpLimits { time_max: Duration::from_secs(1), connections_max: 2, ..HTTP_LIMITS };
    let address = serve(limits);
    let (first, mut second) = (connect(address).await, connect(address).await);
    let refused = ask(address, LIVE).await;
    assert!(refused.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refused}");
    assert!(refused.ends_with("\r\n\r\ntoo many connections\n"), "{refused}");
    // Those who had a seat keep it, and give it back.
    second.write_all(LIVE.as_bytes()).await.unwrap();
    let answer = rest(&mut second).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nlive\n"), "{answer}");
    drop(first);
    let mut answer = String::new();
    for _ in 0..50 {
        answer = ask(address, LIVE).await;
        if answer.starts_with("HTTP/1.1 200 ") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn a_connection_serves_one_request() {
    let address = serve(HTTP_LIMITS);
    let answer = ask(address, &LIVE.repeat(3)).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(ask(address, "POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with("HTTP/1.1 405 "));
    assert!(ask(address, "\x16\x03\x01 nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
}
