//! Asks what may be tried now, and gives it to workers: those that wait with an open connection, else new ones.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use queue::{Destination, Finish, Job, Look, Schedule};
use store::{StoreError, UnixMillis};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Outbound;
use super::worker::Worker;

/// How often is looked whether there is a white list, while there is none.
const NO_LIST_PAUSE: Duration = Duration::from_secs(2);

/// Nothing is waited for longer: clocks are set.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// A job ended.
struct Ended {
    job: Job,
    finish: Finish,
    next_due: Option<UnixMillis>,
    /// Where the worker waits for another one, with a connection that is open.
    idle: Option<oneshot::Sender<Job>>,
}

struct Scheduler {
    outbound: Arc<Outbound>,
    schedule: Schedule,
    idle: HashMap<Destination, Vec<oneshot::Sender<Job>>>,
    tracker: TaskTracker,
    ended: mpsc::UnboundedSender<Ended>,
}

pub(super) async fn run(outbound: Arc<Outbound>, tracker: TaskTracker, stopping: CancellationToken) {
    // Not more messages than there are workers.
    let (ended, mut endings) = mpsc::unbounded_channel();
    let mut changes = outbound.parts.store.queue_changes();
    let schedule = Schedule::new(outbound.settings.limits.clone());
    let mut scheduler = Scheduler { outbound, schedule, idle: HashMap::new(), tracker, ended };
    let mut waits_for_list = false;
    while !stopping.is_cancelled() {
        let has_list = scheduler.outbound.parts.judge.space().is_some();
        if has_list {
            scheduler.start().await;
        } else if !waits_for_list {
            tracing::warn!("nothing is relayed: there is no white list yet");
        }
        waits_for_list = !has_list;
        let pause = if has_list { scheduler.pause() } else { NO_LIST_PAUSE };
        tokio::select! {
            () = stopping.cancelled() => break,
            news = changes.next() => scheduler.schedule.news(&news),
            Some(ended) = endings.recv() => {
                scheduler.end(ended);
                while let Ok(ended) = endings.try_recv() {
                    scheduler.end(ended);
                }
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
    // Idle connections end with their senders; what is under way finishes by itself.
}

impl Scheduler {
    /// Everything that can be begun now.
    async fn start(&mut self) {
        loop {
            while let Some(look) = self.schedule.look(self.outbound.now()) {
                self.answer(look).await;
            }
            let Some(job) = self.schedule.start(self.outbound.now()) else { return };
            self.give(job);
        }
    }

    async fn answer(&mut self, look: Look) {
        let asked = look.clone();
        let store = &self.outbound.parts.store;
        let answered: Result<(), StoreError> = match look {
            Look::Destinations { after, until } => {
                let read = store.read(move |view| queue::due::destinations(view, after, until)).await;
                read.map(|found| self.schedule.found(found, until))
            }
            Look::Window { destination, after, until, limit } => {
                let of = destination.clone();
                let read = store.read(move |view| queue::due::window(view, &of, after.as_ref(), until, limit)).await;
                read.map(|due| self.schedule.loaded(&destination, due, limit))
            }
        };
        if let Err(error) = answered {
            tracing::error!(%error, "the queue cannot be read");
            self.schedule.not_read(&asked, self.outbound.now());
        }
    }

    /// To a worker that waits for this destination, else to a new one.
    fn give(&mut self, mut job: Job) {
        if job.spared.is_none() {
            while let Some(idle) = self.idle.get_mut(&job.destination).and_then(Vec::pop) {
                match idle.send(job) {
                    Ok(()) => return,
                    Err(returned) => job = returned,
                }
            }
        }
        self.tracker.spawn(work(self.outbound.clone(), job, self.ended.clone()));
    }

    fn end(&mut self, ended: Ended) {
        let Ended { job, finish, next_due, idle } = ended;
        let now = self.outbound.now();
        self.schedule.finish(&job, &finish, next_due, now);
        let Some(idle) = idle else { return };
        if let Some(next) = self.schedule.start_for(&job.destination, now) {
            if let Err(returned) = idle.send(next) {
                self.give(returned);
            }
            return;
        }
        self.idle.retain(|_, waiting| {
            waiting.retain(|one| !one.is_closed());
            !waiting.is_empty()
        });
        // Beyond that number the connection ends with its sender.
        if self.idle.values().map(Vec::len).sum::<usize>() < self.outbound.settings.limits.connections_max {
            self.idle.entry(job.destination).or_default().push(idle);
        }
    }

    fn pause(&self) -> Duration {
        let now = self.outbound.now();
        let left = self.schedule.deadline(now).map(|due| due.0.saturating_sub(now.0));
        // What is due needs a connection that is not free: its end wakes us.
        let pause = left.map_or(SLEEP_MAX, |left| Duration::from_millis(u64::try_from(left).unwrap_or(0).max(1)));
        pause.min(SLEEP_MAX)
    }
}

/// A worker's life.
async fn work(outbound: Arc<Outbound>, job: Job, ended: mpsc::UnboundedSender<Ended>) {
    let mut worker = Worker::new(outbound, job.destination.clone());
    let mut next = Some(job);
    while let Some(job) = next.take() {
        let mut unfinished = Unfinished { job: Some(job), ended: &ended };
        let Some(job) = &unfinished.job else { break };
        let (finish, next_due) = worker.perform(job).await;
        let (give, take) = oneshot::channel();
        let idle = worker.may_go_on().then_some(give);
        unfinished.tell(finish, next_due, idle);
        next = worker.wait(take).await;
    }
    worker.close().await;
}

/// A job that the schedule believes to be under way: it hears of its end even if the worker panics.
struct Unfinished<'a> {
    job: Option<Job>,
    ended: &'a mpsc::UnboundedSender<Ended>,
}

impl Unfinished<'_> {
    fn tell(&mut self, finish: Finish, next_due: Option<UnixMillis>, idle: Option<oneshot::Sender<Job>>) {
        if let Some(job) = self.job.take() {
            // Nobody listens when the server stops.
            let _ = self.ended.send(Ended { job, finish, next_due, idle });
        }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.tell(Finish::NotRecorded, None, None);
    }
}
