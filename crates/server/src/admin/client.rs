//! The command line's end: through the socket of a running server, or on the store itself when none runs.

use std::io;
use std::path::PathBuf;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::append::Order;
use super::streams::{EVENTS_MAX, Event};
use super::{Administration, Failed, Request};
use crate::config::Config;
use crate::data_folder::DataFolder;

/// Someone who does requests.
pub enum Client {
    /// A running server.
    Server {
        /// Its replies.
        replies: BufReader<OwnedReadHalf>,
        /// Our requests.
        requests: OwnedWriteHalf,
    },
    /// The store, which nobody else has open: the folder's lock is held.
    Store {
        /// What does them.
        administration: Box<Administration>,
        /// Held until the end.
        folder: DataFolder,
    },
}

/// Why nobody does requests.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The socket is there and refuses.
    #[error("{}: {source}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No server answers, and the store cannot be opened either.
    #[error("no server answers on {}, and the data cannot be opened: {reason}", socket.display())]
    Store {
        /// The socket.
        socket: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Client {
    /// Finds the server of a configuration, or opens its store.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn of(config: &Config) -> Result<Client, ClientError> {
        let path = &config.admin_socket;
        match UnixStream::connect(path).await {
            Ok(stream) => {
                let (replies, requests) = stream.into_split();
                Ok(Client::Server { replies: BufReader::new(replies), requests })
            }
            // Refused: the socket file of a server that was killed.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                let failed = |reason: String| ClientError::Store { socket: path.clone(), reason };
                let folder = DataFolder::take(&config.data).map_err(|error| failed(error.to_string()))?;
                let store = crate::assembly::open_store(config).await.map_err(|error| failed(format!("{error:#}")))?;
                let delivery = crate::assembly::delivery(config, &store);
                let administration = Box::new(Administration::on_store(config, store, delivery));
                Ok(Client::Store { administration, folder })
            }
            Err(source) => Err(ClientError::Socket { path: path.clone(), source }),
        }
    }

    /// Whether a server does the requests.
    pub fn is_server(&self) -> bool {
        matches!(self, Client::Server { .. })
    }

    /// Does one request.
    ///
    /// # Errors
    /// What the server, or the store, says.
    pub async fn ask(&mut self, request: Request) -> Result<Value, Failed> {
        match self {
            Client::Store { administration, .. } => administration.execute(request).await,
            Client::Server { replies, requests } => {
                send(requests, &request).await?;
                reply(replies).await
            }
        }
    }

    /// Does a request that tells as it goes.
    ///
    /// # Errors
    /// As [`Client::ask`]; what `on_event` answers.
    pub async fn stream(
        &mut self,
        request: Request,
        mut on_event: impl FnMut(Event) -> Result<(), Failed>,
    ) -> Result<Value, Failed> {
        match self {
            Client::Store { administration, .. } => {
                let (events, mut told) = mpsc::channel(EVENTS_MAX);
                let hearing = async {
                    while let Some(event) = told.recv().await {
                        on_event(event)?;
                    }
                    Ok::<_, Failed>(())
                };
                let (result, heard) = tokio::join!(administration.stream(request, events), hearing);
                heard?;
                result
            }
            Client::Server { replies, requests } => {
                send(requests, &request).await?;
                loop {
                    let mut line = line(replies).await?;
                    if let Some(event) = line.get_mut("event").map(Value::take) {
                        on_event(Event::Line(event))?;
                    } else if let Some(count) = line.get("octets").and_then(Value::as_u64) {
                        let mut octets = vec![0; usize::try_from(count).map_err(Failed::because)?];
                        replies.read_exact(&mut octets).await.map_err(Failed::because)?;
                        on_event(Event::Octets(octets))?;
                    } else {
                        return last_word(line);
                    }
                }
            }
        }
    }

    /// Brings one message in.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn append<R: AsyncRead + Unpin + Send>(
        &mut self,
        order: &Order,
        octets: u64,
        stream: &mut R,
    ) -> Result<Value, Failed> {
        match self {
            Client::Store { administration, .. } => {
                administration.append(order, octets, stream).await.map_err(Failed::because)?
            }
            Client::Server { replies, requests } => {
                let Order { account, mailbox, flags, internal_date } = order.clone();
                send(requests, &Request::Append { account, mailbox, flags, internal_date, octets }).await?;
                let sent = tokio::io::copy(stream, requests).await.map_err(Failed::because)?;
                if sent != octets {
                    return Err(Failed("the message changed its size while it was read".into()));
                }
                reply(replies).await
            }
        }
    }

    /// Finishes what was begun.
    pub async fn close(self) {
        if let Client::Store { administration, folder } = self {
            administration.store().close().await;
            drop(folder);
        }
    }
}

async fn send(requests: &mut OwnedWriteHalf, request: &Request) -> Result<(), Failed> {
    let mut line = serde_json::to_vec(request).map_err(Failed::because)?;
    line.push(b'\n');
    requests.write_all(&line).await.map_err(Failed::because)
}

async fn reply(replies: &mut BufReader<OwnedReadHalf>) -> Result<Value, Failed> {
    last_word(line(replies).await?)
}

async fn line(replies: &mut BufReader<OwnedReadHalf>) -> Result<Value, Failed> {
    let mut line = String::new();
    replies.read_line(&mut line).await.map_err(Failed::because)?;
    serde_json::from_str(&line).map_err(|_| Failed("the server went away".into()))
}

fn last_word(mut reply: Value) -> Result<Value, Failed> {
    match reply.get_mut("done").map(Value::take) {
        Some(done) => Ok(done),
        None => {
            let failed = reply.get("failed").and_then(Value::as_str).unwrap_or("an answer of another version");
            Err(Failed(failed.to_owned()))
        }
    }
}
