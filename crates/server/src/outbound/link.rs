//! Pumps an `smtp::client::Session` over a connection: octets in, actions out, until something happens.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mail::Envelope;
use net::tls::{Alert, Peer, TlsClient};
use net::{Clock, Connection};
use smtp::client::{Action, Announced, ClientConfig, Failure, Input, Outcome, Session};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

/// Octets read at once: replies are short.
const READ_OCTETS: usize = 4 * 1_024;

/// Octets gathered before they are sent although more follow.
const GATHERED_OCTETS_MAX: usize = 64 * 1_024;

/// Time a server has to take what we send (RFC 5321 §4.5.3.2.5).
const WRITE_TIME_MAX: Duration = Duration::from_secs(180);

/// Time for our QUIT to be taken and answered: nothing depends on it.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(5);

/// A session with its connection.
pub(super) struct Link {
    connection: Connection,
    session: Session,
    clock: Arc<dyn Clock>,
    outgoing: Vec<u8>,
}

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    Ready,
    StartTls,
    WantBody,
    Done(Outcome),
}

/// Why nothing more can happen.
#[derive(Debug)]
pub(super) enum Broken {
    /// The server does not take our certificate. Under TLS 1.3 it says so after the handshake (RFC 8446 §4.4.2.4).
    CertificateRefused(Alert),
    /// Whatever the session makes of it.
    Failed(Failure),
}

impl Link {
    pub(super) fn new(connection: Connection, config: ClientConfig, clock: Arc<dyn Clock>) -> Link {
        let session = Session::new(config, clock.now());
        Link { connection, session, clock, outgoing: Vec::new() }
    }

    pub(super) fn announced(&self) -> &Announced {
        self.session.announced()
    }

    /// Says who is at this end of the connection, where that is known.
    pub(super) fn local_address(&self) -> Option<std::net::SocketAddr> {
        match &self.connection {
            Connection::Plain(stream) => stream.local_addr().ok(),
            Connection::Tls(_) | Connection::TlsToServer(_) => None,
        }
    }

    /// Shakes hands, after [`Event::StartTls`]; [`Link::established`] goes on.
    pub(super) async fn shake_hands(
        self,
        us: &TlsClient,
        host: &str,
    ) -> Result<(Link, Peer), net::tls::HandshakeError> {
        let Link { connection, session, clock, outgoing } = self;
        let (connection, peer) = connection.connect_tls(us, host).await?;
        Ok((Link { connection, session, clock, outgoing }, peer))
    }

    /// Goes on under TLS: the peer is who it should be.
    pub(super) fn established(&mut self) {
        self.hand_in(Input::TlsEstablished);
    }

    pub(super) fn send_message(&mut self, envelope: Envelope) {
        self.hand_in(Input::Message(Box::new(envelope)));
    }

    /// Sends a piece of the body, and looks whether the server says something already.
    pub(super) async fn send_body(&mut self, piece: &[u8]) -> Result<(), Broken> {
        self.hand_in(Input::Body(piece));
        match self.drain().await? {
            None => {}
            // Nothing is owed in the middle of a body.
            Some(_) => return Err(Broken::Failed(Failure::Misused)),
        }
        self.read_what_is_there().await
    }

    pub(super) fn end_body(&mut self) {
        self.hand_in(Input::BodyEnd);
    }

    /// Says QUIT, and waits a little for the answer.
    pub(super) async fn quit(mut self) {
        self.hand_in(Input::Quit);
        let _ = tokio::time::timeout(FAREWELL_TIME_MAX, async {
            // The answer closes the session: an event would be one too many.
            let _ = self.next().await;
            let _ = self.connection.shutdown().await;
        })
        .await;
    }

    /// Waits for octets, or the end, where nothing is owed: while the connection is idle. Cancel safe.
    pub(super) async fn broken(&mut self) -> Broken {
        loop {
            if let Err(broken) = self.receive().await {
                return broken;
            }
            match self.drain().await {
                Ok(_) => {}
                Err(broken) => return broken,
            }
        }
    }

    /// Goes on until something happens.
    pub(super) async fn next(&mut self) -> Result<Event, Broken> {
        loop {
            if let Some(event) = self.drain().await? {
                return Ok(event);
            }
            self.flush().await?;
            let deadline = self.session.deadline().saturating_duration_since(self.clock.now());
            tokio::select! {
                received = self.receive() => received?,
                () = tokio::time::sleep(deadline) => self.hand_in(Input::DeadlinePassed),
            }
        }
    }

    fn hand_in(&mut self, input: Input<'_>) {
        self.session.handle(input, self.clock.now());
    }

    /// Does what the session wants done, up to the next event.
    async fn drain(&mut self) -> Result<Option<Event>, Broken> {
        while let Some(action) = self.session.poll() {
            let event = match action {
                Action::Send(octets) if self.outgoing.is_empty() => {
                    self.outgoing = octets;
                    None
                }
                Action::Send(octets) => {
                    self.outgoing.extend_from_slice(&octets);
                    None
                }
                Action::StartTls => Some(Event::StartTls),
                Action::Ready => Some(Event::Ready),
                Action::WantBody => Some(Event::WantBody),
                Action::Done(outcome) => Some(Event::Done(outcome)),
                Action::Failed(failure) => return Err(Broken::Failed(failure)),
                Action::Close => return Err(Broken::Failed(Failure::Ended)),
            };
            if self.outgoing.len() >= GATHERED_OCTETS_MAX {
                self.flush().await?;
            }
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        let octets = std::mem::take(&mut self.outgoing);
        let sending = async {
            self.connection.write_all(&octets).await?;
            self.connection.flush().await
        };
        match tokio::time::timeout(WRITE_TIME_MAX, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.broken_by(&error).await),
            Err(_) => Err(Broken::Failed(Failure::TimedOut)),
        }
    }

    async fn receive(&mut self) -> Result<(), Broken> {
        let received = poll_fn(|context| {
            let mut octets = [MaybeUninit::uninit(); READ_OCTETS];
            let mut buffer = ReadBuf::uninit(&mut octets);
            let polled = Pin::new(&mut self.connection).poll_read(context, &mut buffer);
            polled.map_ok(|()| hand_in_received(&mut self.session, &*self.clock, buffer.filled()))
        })
        .await;
        match received {
            Ok(()) => Ok(()),
            Err(error) => Err(self.broken_by(&error).await),
        }
    }

    /// Hands in what came meanwhile, without waiting.
    async fn read_what_is_there(&mut self) -> Result<(), Broken> {
        let received = poll_fn(|context| {
            let mut octets = [MaybeUninit::uninit(); READ_OCTETS];
            let mut buffer = ReadBuf::uninit(&mut octets);
            Poll::Ready(match Pin::new(&mut self.connection).poll_read(context, &mut buffer) {
                Poll::Pending => Ok(()),
                Poll::Ready(Ok(())) => {
                    hand_in_received(&mut self.session, &*self.clock, buffer.filled());
                    Ok(())
                }
                Poll::Ready(Err(error)) => Err(error),
            })
        })
        .await;
        match received {
            Ok(()) => Ok(()),
            Err(error) => Err(self.broken_by(&error).await),
        }
    }

    /// Why the connection broke: an alert explains it, or the server's last words do.
    async fn broken_by(&mut self, error: &io::Error) -> Broken {
        if let Some(alert) = self.connection.alert_behind(error).await
            && alert.concerns_our_certificate()
        {
            return Broken::CertificateRefused(alert);
        }
        self.hand_in(Input::Ended);
        loop {
            match self.session.poll() {
                Some(Action::Failed(failure)) => return Broken::Failed(failure),
                Some(_) => {}
                None => return Broken::Failed(Failure::Ended),
            }
        }
    }
}

fn hand_in_received(session: &mut Session, clock: &dyn Clock, octets: &[u8]) {
    let input = match octets {
        [] => Input::Ended,
        received => Input::Received(received),
    };
    session.handle(input, clock.now());
}
