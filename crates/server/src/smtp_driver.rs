//! Pumps an `smtp::server::Session` over a stream: octets in, actions out, questions answered.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use auth::sasl::{ChannelBindings, External};
use mail::Refusal;
use net::Connection;
use net::tls::{HandshakeError, Peer, TlsServer};
use smtp::server::{Action, Answer, Input, Question, SessionConfig, TlsFacts};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::sessions::{Ending, Session};

/// Octets read at once, on the stack of the poll: an idle session holds no buffer.
const READ_OCTETS: usize = 16 * 1_024;

/// Octets of replies gathered before they are sent although more may follow.
const GATHERED_OCTETS_MAX: usize = 8 * 1_024;

/// Time a client has to take what we send.
const WRITE_TIME_MAX: Duration = Duration::from_secs(300);

/// Time we go on reading after closing, so that a reset does not overtake our last reply.
const LINGER: Duration = Duration::from_secs(2);

/// Octets we go on reading then.
const LINGER_OCTETS_MAX: u64 = 256 * 1_024;

/// Who answers a session's questions and takes its bodies.
pub trait Answers: Send {
    /// Answers one question. [`Question::Body`] opens the stage, [`Question::Accept`] uses it up.
    fn answer(&mut self, session: &Session, question: Question) -> impl Future<Output = Answer> + Send;

    /// Appends to the open stage.
    ///
    /// # Errors
    /// What the client is to be told at the end of its message.
    fn spool(&mut self, chunk: Vec<u8>) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// The client was told of a refusal, ours or the session's own.
    fn refusal_said(&mut self, rule: &'static str) {
        let _ = rule;
    }

    /// Drops the open stage.
    fn discard(&mut self);

    /// TLS is there: trace fields will tell. Gives what EXTERNAL is worth under it.
    fn tls_established(&mut self, session: &Session, peer: &Peer) -> impl Future<Output = External> + Send;
}

/// Why a session ended otherwise than by its own rules.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The handshake failed.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The session asked for TLS on a listener that has none.
    #[error("TLS is not configured")]
    NoTls,
}

/// Runs one connection from its greeting to its end.
///
/// # Errors
/// [`DriverError`]: worth a line in the log at debug level, nothing else.
pub async fn serve<S, A>(
    mut connection: Connection<S>,
    config: Arc<SessionConfig>,
    tls: Option<&TlsServer>,
    session: &mut Session,
    answers: &mut A,
) -> Result<(), DriverError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    A: Answers,
{
    let implicit = config.tls == smtp::server::Tls::Implicit;
    let mut machine = smtp::server::Session::new(config, Instant::now());
    if implicit {
        connection = shake_hands(connection, tls, session, &mut machine, answers).await?;
    }
    let mut outgoing = Vec::new();
    loop {
        while let Some(action) = machine.poll() {
            match action {
                Action::Send(octets) if outgoing.is_empty() => outgoing = octets,
                Action::Send(octets) => outgoing.extend_from_slice(&octets),
                Action::Ask(question) => {
                    // A client should not wait for replies while a password is hashed or a message is committed.
                    if matches!(question, Question::Sasl(_) | Question::Accept(_)) {
                        send(&mut connection, &mut outgoing).await?;
                    }
                    let answer = answers.answer(session, question).await;
                    machine.handle(Input::Answered(answer), Instant::now());
                }
                Action::Spool(chunk) => {
                    if let Err(refusal) = answers.spool(chunk).await {
                        machine.handle(Input::SpoolFailed(refusal), Instant::now());
                    }
                }
                Action::Discard => answers.discard(),
                Action::StartTls => {
                    send(&mut connection, &mut outgoing).await?;
                    connection = shake_hands(connection, tls, session, &mut machine, answers).await?;
                }
                Action::Close => {
                    send(&mut connection, &mut outgoing).await?;
                    return close(connection).await;
                }
            }
            if outgoing.len() >= GATHERED_OCTETS_MAX {
                send(&mut connection, &mut outgoing).await?;
            }
        }
        machine.take_refusals().into_iter().for_each(|rule| answers.refusal_said(rule));
        send(&mut connection, &mut outgoing).await?;
        let (wants_input, deadline) = (machine.wants_input(), machine.deadline().into());
        tokio::select! {
            biased;
            ending = session.next_ending() => {
                let input = match ending {
                    Ending::Suspended => Input::Suspended,
                    Ending::Stopping | Ending::Administrator | Ending::Expired => Input::ShutDown,
                };
                machine.handle(input, Instant::now());
            }
            read = receive(&mut connection, &mut machine), if wants_input => {
                if read.is_err() {
                    machine.handle(Input::Ended, Instant::now());
                }
            }
            () = tokio::time::sleep_until(deadline) => {
                machine.handle(Input::DeadlinePassed, Instant::now());
            }
        }
    }
}

/// Makes the handshake and tells the session. What was read before and not handed in is gone with the plain stream's
/// buffers, of which there are none (RFC 3207 §4.2).
async fn shake_hands<S, A>(
    connection: Connection<S>,
    tls: Option<&TlsServer>,
    session: &Session,
    machine: &mut smtp::server::Session,
    answers: &mut A,
) -> Result<Connection<S>, DriverError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    A: Answers,
{
    let (connection, peer) = connection.start_tls(tls.ok_or(DriverError::NoTls)?).await?;
    let external = answers.tls_established(session, &peer).await;
    let facts = TlsFacts {
        version: peer.version.to_owned(),
        cipher: peer.cipher,
        bindings: ChannelBindings {
            tls_exporter: peer.tls_exporter,
            tls_server_end_point: peer.tls_server_end_point,
            external,
        },
        peer_chain: peer.chain,
    };
    machine.handle(Input::TlsEstablished(facts), Instant::now());
    Ok(connection)
}

/// Reads once and hands in what came, out of a buffer that exists only while the poll runs. Cancel safe.
async fn receive<S>(connection: &mut Connection<S>, machine: &mut smtp::server::Session) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|context| {
        let mut octets = [MaybeUninit::uninit(); READ_OCTETS];
        let mut buffer = ReadBuf::uninit(&mut octets);
        ready!(Pin::new(&mut *connection).poll_read(context, &mut buffer))?;
        let input = match buffer.filled() {
            [] => Input::Ended,
            received => Input::Received(received),
        };
        machine.handle(input, Instant::now());
        Poll::Ready(Ok(()))
    })
    .await
}

async fn send<S>(connection: &mut Connection<S>, outgoing: &mut Vec<u8>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if outgoing.is_empty() {
        return Ok(());
    }
    // Taken, not cleared: an idle session keeps no buffer.
    let octets = std::mem::take(outgoing);
    let sending = async {
        connection.write_all(&octets).await?;
        connection.flush().await
    };
    tokio::time::timeout(WRITE_TIME_MAX, sending).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Closes our side and reads a little more: the kernel would answer unread octets with a reset, and the client lose our
/// last reply.
async fn close<S>(mut connection: Connection<S>) -> Result<(), DriverError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let lingering = async {
        connection.shutdown().await?;
        tokio::io::copy(&mut (&mut connection).take(LINGER_OCTETS_MAX), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(LINGER, lingering).await;
    Ok(())
}
