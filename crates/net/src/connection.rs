//! A stream that is plain until it becomes TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::tls::{HandshakeError, Peer, TlsServer};

/// A connection as the drivers see it: octets, in clear or under TLS.
pub enum Connection<S = TcpStream> {
    /// Nothing protects it.
    Plain(S),
    /// After a handshake. Boxed: the TLS state is large, and a plain connection should not carry its size.
    Tls(Box<TlsStream<S>>),
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
            Connection::Tls(_) => Err(HandshakeError::AlreadyTls),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Connection::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, into),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_write(context, octets),
            Connection::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_flush(context),
            Connection::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Connection::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
