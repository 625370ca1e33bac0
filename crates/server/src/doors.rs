//! The accept loops, and what happens to a connection before its session begins.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use auth::sasl::{ChannelBindings, External};
use net::proxy::{self, Source};
use net::tls::{Peer, TlsServer};
use net::{Connection, Listener};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access;
use crate::assembly::{Assembly, Door, Speech};
use crate::config::{Role, Tls};
use crate::sessions::{Session, TooMany};
use crate::smtp_answers::SmtpAnswers;
use crate::smtp_driver;
use crate::telemetry::{ReasonLabels, SessionLabels};

/// Accepts until `stopping`; each connection is a task of `tracker`.
pub async fn accept(
    listener: Listener,
    door: Arc<Door>,
    assembly: Arc<Assembly>,
    tracker: TaskTracker,
    stopping: CancellationToken,
) {
    loop {
        let (stream, peer) = tokio::select! {
            () = stopping.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        tracker.spawn(connection(stream, peer, door.clone(), assembly.clone()));
    }
}

/// One connection: who is really there, is there a place, then its session.
async fn connection(mut stream: TcpStream, peer: SocketAddr, door: Arc<Door>, assembly: Arc<Assembly>) {
    let refused = |reason: &'static str| {
        assembly.metrics.connections_refused.get_or_create(&ReasonLabels { reason }).inc();
    };
    let peer = match who(&mut stream, peer.ip(), &door).await {
        Ok(peer) => peer,
        Err(error) => {
            refused("proxy header");
            tracing::info!(listener = door.config.name, proxy = %peer.ip(), %error, "connection closed");
            return;
        }
    };
    if door.config.role == Role::Gateway && !door.config.networks.iter().any(|network| network.contains(&peer)) {
        refused("not from the gateway's networks");
        tracing::info!(listener = door.config.name, %peer, "connection turned away: not from the gateway's networks");
        turn_away(stream, &door, &smtp::reply::NOT_SERVED).await;
        return;
    }
    let session = match assembly.sessions.open(door.config.protocol(), peer) {
        Ok(session) => session,
        Err(reason) => {
            refused(match reason {
                TooMany::Sessions => "sessions",
                TooMany::FromAddress | TooMany::OfAccount | TooMany::Changed => "sessions from address",
            });
            tracing::info!(listener = door.config.name, %peer, %reason, "connection turned away");
            turn_away(stream, &door, &smtp::reply::TOO_MANY_SESSIONS).await;
            return;
        }
    };
    let labels = SessionLabels { protocol: door.config.protocol().word() };
    assembly.metrics.sessions.get_or_create(&labels).inc();
    let open = assembly.metrics.sessions_open.get_or_create_owned(&labels);
    open.inc();
    let id = session.id();
    tracing::debug!(session = id.0, listener = door.config.name, %peer, "session begins");
    // Boxed, each in its size: the task of an idle IMAP session does not keep room for an SMTP one.
    let served = match &door.speech {
        Speech::Smtp(config) => Box::pin(serve_smtp(stream, session, &door, config.clone(), &assembly)).await,
        Speech::Imap(context) => Box::pin(serve_imap(stream, session, &door, context.clone(), &assembly)).await,
    };
    open.dec();
    if let Err(error) = served {
        if matches!(error, smtp_driver::DriverError::Handshake(_)) {
            assembly.metrics.tls_failures.get_or_create(&labels).inc();
        }
        tracing::debug!(session = id.0, %error, "session broke off");
    }
    tracing::debug!(session = id.0, "session ends");
}

async fn serve_smtp(
    stream: TcpStream,
    mut session: Session,
    door: &Door,
    config: Arc<smtp::server::SessionConfig>,
    assembly: &Assembly,
) -> Result<(), smtp_driver::DriverError> {
    let mut answers = SmtpAnswers::new(assembly, door);
    let connection = Connection::Plain(stream);
    smtp_driver::serve(connection, config, door.tls.as_deref(), &mut session, &mut answers).await
}

async fn serve_imap(
    stream: TcpStream,
    session: Session,
    door: &Door,
    context: Arc<access::Context>,
    assembly: &Assembly,
) -> Result<(), smtp_driver::DriverError> {
    let mut connection = Connection::Plain(stream);
    let mut transport = imap::server::Transport::Clear;
    if door.config.tls == Tls::Implicit {
        let (secured, peer) = shake_hands(connection, door.tls.as_deref()).await?;
        let bindings = bindings(peer, &session, door, assembly).await;
        (connection, transport) = (secured, imap::server::Transport::Tls(bindings));
    }
    let mut conversation = access::Conversation::new(context, session, transport);
    while access::serve(&mut connection, &mut conversation).await == access::Outcome::StartTls {
        let (secured, peer) = shake_hands(connection, door.tls.as_deref()).await?;
        connection = secured;
        let bindings = bindings(peer, conversation.place(), door, assembly).await;
        conversation.tls_established(bindings);
    }
    Ok(())
}

async fn shake_hands(
    connection: Connection,
    tls: Option<&TlsServer>,
) -> Result<(Connection, Peer), smtp_driver::DriverError> {
    Ok(connection.start_tls(tls.ok_or(smtp_driver::DriverError::NoTls)?).await?)
}

/// What mechanisms may lean on; where a certificate was asked for, the session keeps it.
async fn bindings(peer: Peer, session: &Session, door: &Door, assembly: &Assembly) -> ChannelBindings {
    let Peer { tls_exporter, tls_server_end_point, chain, .. } = peer;
    let external = match door.config.client_certificates.are_asked_for() {
        false => External::NotAsked,
        true => {
            let external = assembly.authenticator.external(&chain).await;
            session.certificate_asked(chain);
            external
        }
    };
    ChannelBindings { tls_exporter, tls_server_end_point, external }
}

/// The client's address: what the proxy says where one is configured, else the one connected from.
async fn who(stream: &mut TcpStream, peer: IpAddr, door: &Door) -> Result<IpAddr, proxy::ProxyError> {
    if !door.config.proxy_from.iter().any(|network| network.contains(&peer)) {
        return Ok(peer);
    }
    match proxy::read_header(stream).await? {
        Source::Client(client) => Ok(client.ip().to_canonical()),
        Source::Proxy => Ok(peer),
    }
}

/// Says why, where that can be said without a handshake, and closes.
async fn turn_away(mut stream: TcpStream, door: &Door, reply: &smtp::reply::Reply) {
    let mut words = Vec::new();
    match (&door.speech, door.config.tls) {
        (_, Tls::Implicit) => {}
        (Speech::Smtp(_), _) => reply.print(&mut words),
        (Speech::Imap(_), _) => words.extend_from_slice(b"* BYE [UNAVAILABLE] too many sessions, come back later\r\n"),
    }
    let _ = stream.try_write(&words);
    let _ = stream.shutdown().await;
}
