//! A stream that is plain until it becomes TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

use crate::tls::{Alert, HandshakeError, Peer, TlsClient, TlsServer};

/// Time in which an alert that explains a broken connection is looked for.
const ALERT_TIME_MAX: Duration = Duration::from_secs(2);

/// Octets passed over while it is looked for.
const ALERT_OCTETS_MAX: usize = 4 * 1_024;

/// A connection as the drivers see it: octets, in clear or under TLS.
pub enum Connection<S = TcpStream> {
    /// Nothing protects it.
    Plain(S),
    /// After a handshake with a client. Boxed: the TLS state is large, and a plain connection should not carry its size.
    Tls(Box<server::TlsStream<S>>),
    /// After a handshake with a server.
    TlsToServer(Box<client::TlsStream<S>>),
}

impl Connection {
    /// Connects to a server, in clear.
    ///
    /// # Errors
    /// Those of the kernel, and [`io::ErrorKind::TimedOut`] after `time`: its own would be two minutes.
    pub async fn open(to: SocketAddr, time: Duration) -> io::Result<Connection> {
        let connecting = tokio::time::timeout(time, TcpStream::connect(to)).await;
        let stream = connecting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let _ = stream.set_nodelay(true);
        Ok(Connection::Plain(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Performs the server's side of the handshake, at the start of the connection or after STARTTLS.
    ///
    /// # Errors
    /// [`HandshakeError`] when the client fails it, takes longer than [`crate::tls::HANDSHAKE_TIME_MAX`], or TLS is on already.
    pub async fn start_tls(self, server: &TlsServer) -> Result<(Connection<S>, Peer), HandshakeError> {
        match self {
            Connection::Plain(stream) => {
                let (stream, peer) = server.accept(stream).await?;
                Ok((Connection::Tls(Box::new(stream)), peer))
            }
            Connection::Tls(_) | Connection::TlsToServer(_) => Err(HandshakeError::AlreadyTls),
        }
    }

    /// Performs the client's side of the handshake with the server known as `host`.
    ///
    /// # Errors
    /// As [`TlsClient::connect`], and when TLS is on already.
    pub async fn connect_tls(self, us: &TlsClient, host: &str) -> Result<(Connection<S>, Peer), HandshakeError> {
        match self {
            Connection::Plain(stream) => {
                let (stream, peer) = us.connect(stream, host).await?;
                Ok((Connection::TlsToServer(Box::new(stream)), peer))
            }
            Connection::Tls(_) | Connection::TlsToServer(_) => Err(HandshakeError::AlreadyTls),
        }
    }

    /// The alert behind an error of this connection, if one came: in the error itself, or unread behind a write that
    /// failed. A server that refuses our certificate under TLS 1.3 closes while we still write.
    pub async fn alert_behind(&mut self, error: &io::Error) -> Option<Alert> {
        if let Some(alert) = Alert::in_error(error) {
            return Some(alert);
        }
        if matches!(self, Connection::Plain(_)) {
            return None;
        }
        let reading = async {
            let mut passed = [0; ALERT_OCTETS_MAX];
            match self.read(&mut passed).await {
                Ok(_) => None,
                Err(error) => Alert::in_error(&error),
            }
        };
        tokio::time::timeout(ALERT_TIME_MAX, reading).await.ok().flatten()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Connection::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, into),
            Connection::TlsToServer(stream) => Pin::new(stream.as_mut()).poll_read(context, into),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_write(context, octets),
            Connection::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, octets),
            Connection::TlsToServer(stream) => Pin::new(stream.as_mut()).poll_write(context, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_flush(context),
            Connection::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
            Connection::TlsToServer(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Connection::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
            Connection::TlsToServer(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
