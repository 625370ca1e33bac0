//! The server's end of the admin socket. Its file mode, 0600, is what lets only the operator in.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use super::append::Order;
use super::streams::{EVENTS_MAX, Event};
use super::{Administration, Failed, Request};

/// Octets of a request line.
const LINE_OCTETS_MAX: u64 = 64 * 1_024;

/// Binds the socket. A socket file left by a server that was killed does not prevent it: the store's lock has shown that
/// no other server runs on this data.
///
/// # Errors
/// When the file cannot be made.
pub fn bind_admin_socket(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // The folder is 0700 by then; this holds for sockets placed elsewhere.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until the task is dropped.
pub async fn serve_admin_socket(listener: UnixListener, administration: Administration) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let administration = administration.clone();
                tokio::spawn(async move {
                    if let Err(error) = serve_client(stream, administration).await {
                        tracing::debug!(%error, "admin connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept admin connections now");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    }
}

async fn serve_client(stream: UnixStream, administration: Administration) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    loop {
        let mut line = Vec::new();
        (&mut reading).take(LINE_OCTETS_MAX).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Ok(());
        }
        let reply = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => {
                let name = name(&line);
                let result = match request {
                    Request::Append { account, mailbox, flags, internal_date, octets } => {
                        let order = Order { account, mailbox, flags, internal_date };
                        administration.append(&order, octets, &mut reading).await?
                    }
                    request if request.is_streamed() => tell(&administration, request, &mut writing).await?,
                    request => administration.execute(request).await,
                };
                let outcome = if result.is_ok() { "done" } else { "failed" };
                tracing::info!(command = name, outcome, "admin command");
                result
            }
            Err(error) => Err(Failed::because(error)),
        };
        writing.write_all(format!("{}\n", reply_line(&reply)).as_bytes()).await?;
    }
}

/// Does a request and writes its events as they come; octets follow a line that counts them.
async fn tell(
    administration: &Administration,
    request: Request,
    writing: &mut OwnedWriteHalf,
) -> io::Result<Result<Value, Failed>> {
    let (events, mut told) = mpsc::channel(EVENTS_MAX);
    // A client that went away ends the work: its receiver goes with this future.
    let writing_events = async move {
        while let Some(event) = told.recv().await {
            match event {
                Event::Line(line) => writing.write_all(format!("{}\n", json!({ "event": line })).as_bytes()).await?,
                Event::Octets(octets) => {
                    writing.write_all(format!("{}\n", json!({ "octets": octets.len() })).as_bytes()).await?;
                    writing.write_all(&octets).await?;
                }
            }
        }
        Ok::<_, io::Error>(())
    };
    let (result, written) = tokio::join!(administration.stream(request, events), writing_events);
    written?;
    Ok(result)
}

/// The command's word, for the log: arguments may hold addresses and passwords.
fn name(line: &[u8]) -> String {
    let parsed = serde_json::from_slice::<Value>(line).unwrap_or_default();
    parsed.get("command").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn reply_line(reply: &Result<Value, Failed>) -> Value {
    match reply {
        Ok(done) => json!({ "done": done }),
        Err(failed) => json!({ "failed": failed.0 }),
    }
}
