//! From start to stop: listeners bound, signals heard, sessions let finish.

mod reload;
mod room;

use std::net::SocketAddr;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use auth::AccountId;
use net::Listener;
use sd_notify::NotifyState;
use store::EngineError;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{Administration, Hooks, bind_admin_socket, serve_admin_socket};
use crate::assembly::{Assembly, Door};
use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::doors;
use crate::machine::now;
use crate::outbound::Outbound;
use crate::sessions::{Ending, Sessions};
use crate::telemetry::{DESTINATIONS_NAMED, HTTP_LIMITS, Health, serve_http};
use crate::trust_space::TrustSpace;

/// How often certificates are looked at.
const CERTIFICATE_POLL: Duration = Duration::from_secs(10);

/// How often the counters of failed sign-ins are kept.
const COUNTERS_KEPT: Duration = Duration::from_secs(60);

/// Time for the farewells when the store is poisoned: nothing else can be saved.
const POISONED_STOP: Duration = Duration::from_secs(2);

/// Time for the farewells to those who did not end in time.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A running server.
pub struct Server {
    assembly: Arc<Assembly>,
    doors: Vec<Arc<Door>>,
    addresses: Vec<(String, SocketAddr)>,
    tracker: TaskTracker,
    stopping: CancellationToken,
    ready: Arc<AtomicBool>,
    signals: Signals,
    folder: DataFolder,
}

/// Why it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Asked,
    Poisoned,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Server {
    /// Takes the data folder, opens the store, binds every listener, and serves.
    ///
    /// # Errors
    /// What could not be opened or bound, by name.
    pub async fn start(config: Config) -> anyhow::Result<Server> {
        let signals = Signals::listen().context("listening for signals")?;
        raise_file_limit(config.limits.sessions);
        let folder = DataFolder::take(&config.data)?;
        let mut activated = net::listener::activated().context("taking the sockets of the service manager")?;
        let assembly = Assembly::open(config).await?;
        let (tracker, stopping) = (TaskTracker::new(), CancellationToken::new());
        let ready = Arc::new(AtomicBool::new(false));

        // Everything is bound before anything is served: a taken port leaves nothing half open.
        let mut bound = Vec::new();
        let mut doors = Vec::new();
        for listener in &assembly.config.listeners {
            let door = assembly.door(listener)?;
            let mine = |(name, _): &(String, std::net::TcpListener)| *name == listener.name;
            let handed_over: Vec<_> = activated.extract_if(.., |one| mine(one)).collect();
            // The service manager holds the port already: what the file says of it would only collide.
            let addresses: &[SocketAddr] = if handed_over.is_empty() { &listener.listen } else { &[] };
            for (_, socket) in handed_over {
                bound.push((door.clone(), Listener::from_std(socket)?));
            }
            for address in addresses {
                let socket = Listener::bind(*address);
                let socket = socket.with_context(|| format!("listener {}: binding {address}", listener.name))?;
                bound.push((door.clone(), socket));
            }
            if !bound.iter().any(|(of, _)| Arc::ptr_eq(of, &door)) {
                anyhow::bail!("listener {} has neither an address nor a socket of the service manager", listener.name);
            }
            doors.push(door);
        }
        for (name, _) in &activated {
            tracing::warn!(name, "the service manager gave a socket that no listener is named after");
        }
        let health: Arc<dyn Health> =
            Arc::new(Readiness { assembly: assembly.clone(), ready: ready.clone(), stopping: stopping.clone() });
        let mut addresses: Vec<(String, SocketAddr)> =
            bound.iter().map(|(door, socket)| (door.config.name.clone(), socket.address())).collect();
        for address in assembly.config.admin.clone() {
            let socket = Listener::bind(address).with_context(|| format!("admin: binding {address}"))?;
            addresses.push(("admin".to_owned(), socket.address()));
            until(&stopping, serve_http(socket, health.clone(), HTTP_LIMITS));
        }
        let admin_socket = assembly.config.admin_socket.clone();
        let socket = bind_admin_socket(&admin_socket).with_context(|| format!("binding {}", admin_socket.display()))?;
        let hooks = Arc::new(Running(assembly.clone()));
        let administration =
            Administration::in_server(&assembly.config, assembly.store.clone(), assembly.delivery.clone(), hooks);
        until(&stopping, serve_admin_socket(socket, administration));
        if let Some(trust) = &assembly.trust {
            until(&stopping, trust.clone().run());
        }
        if let (Some(relay), Some(trust)) = (&assembly.config.relay, &assembly.trust) {
            let (store, delivery) = (assembly.store.clone(), assembly.delivery.clone());
            let (judge, metrics) = (trust.clone(), assembly.metrics.clone());
            let outbound = Outbound::configured(&assembly.config, relay, store, delivery, judge, metrics)?;
            // Counted with the sessions: what is being sent when the server stops has the same time to end.
            tracker.spawn(outbound.run(tracker.clone(), stopping.clone()));
        }
        for (door, socket) in bound {
            let accepting = doors::accept(socket, door, assembly.clone(), tracker.clone(), stopping.clone());
            tokio::spawn(accepting);
        }
        until(&stopping, room::keep(assembly.store.clone(), assembly.config.data.clone()));
        ready.store(true, Ordering::Release);
        for (name, address) in &addresses {
            tracing::info!(listener = name, %address, "listening");
        }
        Ok(Server { assembly, doors, addresses, tracker, stopping, ready, signals, folder })
    }

    /// What all sessions share.
    pub fn assembly(&self) -> &Arc<Assembly> {
        &self.assembly
    }

    /// The names and addresses listened on; `admin` among them.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Serves until SIGTERM, SIGINT, or a poisoned store, then stops gracefully. The status is 0 only when asked to stop.
    pub async fn until_stopped(mut self) -> ExitCode {
        notify(&[NotifyState::Ready]);
        let cause = self.run().await;
        self.stop(cause).await
    }

    /// Stops gracefully, without waiting for a signal.
    pub async fn stop_now(self) -> ExitCode {
        self.stop(Cause::Asked).await
    }

    async fn run(&mut self) -> Cause {
        let mut poisoned = self.assembly.store.poisoned();
        let mut certificates = tokio::time::interval(CERTIFICATE_POLL);
        let mut counters = tokio::time::interval(COUNTERS_KEPT);
        let watchdog_period = sd_notify::watchdog_enabled().map_or(CERTIFICATE_POLL, |period| period / 2);
        let mut watchdog = tokio::time::interval(watchdog_period);
        loop {
            tokio::select! {
                _ = self.signals.terminate.recv() => return Cause::Asked,
                _ = self.signals.interrupt.recv() => return Cause::Asked,
                _ = poisoned.wait_for(|poisoned| *poisoned) => return Cause::Poisoned,
                _ = self.signals.hang_up.recv() => {
                    notify(&[NotifyState::Reloading]);
                    reload::reload(&self.assembly, &self.doors);
                    notify(&[NotifyState::Ready]);
                }
                _ = certificates.tick() => reload::changed_certificates(&self.doors),
                _ = counters.tick() => {
                    let authenticator = self.assembly.authenticator.clone();
                    tokio::task::spawn_blocking(move || authenticator.keep_counters());
                }
                _ = watchdog.tick() => notify(&[NotifyState::Watchdog]),
            }
        }
    }

    async fn stop(self, cause: Cause) -> ExitCode {
        let limit = match cause {
            Cause::Asked => self.assembly.config.stop_within,
            Cause::Poisoned => POISONED_STOP,
        };
        tracing::info!(sessions = self.assembly.sessions.count(), ?cause, "stopping");
        notify(&[NotifyState::Stopping]);
        self.ready.store(false, Ordering::Release);
        self.stopping.cancel();
        self.assembly.sessions.stop();
        self.tracker.close();
        if tokio::time::timeout(limit, self.tracker.wait()).await.is_err() {
            // The word why they are cut off still leaves.
            self.assembly.sessions.cut_off();
            let _ = tokio::time::timeout(LAST_WORDS, self.tracker.wait()).await;
        }
        if !self.tracker.is_empty() {
            tracing::warn!(sessions = self.assembly.sessions.count(), "sessions were cut off");
        }
        self.assembly.authenticator.keep_counters();
        let _ = std::fs::remove_file(&self.assembly.config.admin_socket);
        match cause {
            Cause::Asked => {
                self.assembly.store.close().await;
                drop(self.folder);
                tracing::info!("stopped");
                ExitCode::SUCCESS
            }
            Cause::Poisoned => {
                tracing::error!("the store is poisoned: a sync failed; start again, recovery verifies");
                ExitCode::FAILURE
            }
        }
    }
}

impl Signals {
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}

/// Runs a task until the server stops.
fn until<F>(stopping: &CancellationToken, task: F)
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let stopping = stopping.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            _ = task => {}
        }
    });
}

/// Tells the service manager, when there is one.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "cannot notify the service manager");
    }
}

/// Each session takes a descriptor; the soft limit is often 1,024.
pub fn raise_file_limit(sessions: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if allowed < sessions as u64 + 200 {
        tracing::warn!(allowed, sessions, "the limit of open files is too low for the configured sessions");
    }
}

struct Running(Arc<Assembly>);

impl Hooks for Running {
    fn account_changed(&self, account: AccountId, why: Ending) {
        self.0.authenticator.forget(account);
        self.0.sessions.end_all_of(account, why);
    }

    fn directory_changed(&self) {
        self.0.delivery.directory_changed();
    }

    fn sessions(&self) -> Option<&Sessions> {
        Some(&self.0.sessions)
    }

    fn trust(&self) -> Option<&Arc<TrustSpace>> {
        self.0.trust.as_ref()
    }
}

struct Readiness {
    assembly: Arc<Assembly>,
    ready: Arc<AtomicBool>,
    stopping: CancellationToken,
}

impl Health for Readiness {
    fn figures(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(async {
            let store = &self.assembly.store;
            let depths = store.read(|view| queue::figures::depths(view, DESTINATIONS_NAMED)).await;
            let depths = depths.unwrap_or_else(|error| {
                tracing::warn!(%error, "the queue cannot be counted");
                Vec::new()
            });
            self.assembly.metrics.encode(store.metrics(), &depths)
        })
    }

    fn trust(&self) -> Result<(), &'static str> {
        self.assembly.trust.as_ref().map_or(Ok(()), |trust| trust.health(now().seconds()))
    }

    fn ready(&self) -> Result<(), &'static str> {
        if self.stopping.is_cancelled() {
            return Err("stopping");
        }
        if !self.ready.load(Ordering::Acquire) {
            return Err("starting");
        }
        match self.assembly.store.accepting() {
            Ok(()) => Ok(()),
            Err(EngineError::Full) => Err("disk full"),
            Err(EngineError::Poisoned) => Err("store poisoned"),
            Err(_) => Err("store trouble"),
        }
    }
}
