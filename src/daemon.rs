//! The shell around the engine: wait, read, apply, perform. The only loop and the only `select!`.
//! Nothing is decided here; what to do is the engine's answer to each event.

mod cadence;
mod courier;
mod looker;
mod input;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::collect::stream::is_stdin;
use crate::collect::watch::Watch;
use crate::commit::{self, Committed};
use crate::config::Config;
use crate::count::ledger::Ledger;
use crate::day::{Day, Now};
use crate::engine::{DELIVERY_GRACE, Effect, Engine, Event, Severity};
use crate::outbox::Undelivered;
use crate::publish::deliver::Parcel;
use crate::publish::snapshot::Snapshot;
use crate::publish::status;
use crate::resume::{Resumed, resume};
use crate::{state, summarise};
use cadence::Cadence;
use input::{Wakeup, read_stdin};
use looker::{Looked, Looker};
use server::Server;

/// What is due by the clock alone, such as a commit, waits at most this long.
const TICK_INTERVAL: Duration = Duration::from_secs(1);

/// What the outside gives the daemon.
pub struct Outside {
    pub version: &'static str,
    pub wall: fn() -> DateTime<Utc>,
    /// Reads the configuration again, for SIGHUP.
    pub reload: Box<dyn Fn() -> Result<Config, String>>,
}

/// Run until SIGTERM or SIGINT; whether everything counted was saved.
pub async fn run(config: Config, outside: Outside) -> anyhow::Result<bool> {
    let mut signals = Signals::new()?;
    let mut config = Arc::new(config);
    let mut server = Server::start(config.listen, &config, &outside).await?;
    let wake = Wakeup::default();
    let stream = config.sources.iter().any(is_stdin).then(|| read_stdin((outside.wall)(), wake.clone()));
    loop {
        let mut session = Session::open(config.clone(), &outside, server.snapshots.clone(), wake.clone())?;
        if let (Some(stream), Some(looker)) = (&stream, &mut session.looker) {
            looker.harvester.tail().attach(stream.clone());
        }
        match session.run(&mut signals).await? {
            Ending::Stopped { saved } => {
                server.stop().await?;
                return Ok(saved);
            }
            Ending::Reloaded(new) => {
                if new.listen != config.listen {
                    match Server::start(new.listen, &new, &outside).await {
                        Ok(started) => std::mem::replace(&mut server, started).stop().await?,
                        Err(error) => {
                            tracing::error!("{error:#}; the old configuration stays");
                            continue;
                        }
                    }
                }
                config = new;
            }
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Signals> {
        let of = |kind| signal(kind).context("cannot listen for signals");
        Ok(Signals {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
            hangup: of(SignalKind::hangup())?,
        })
    }
}

enum Ending {
    Stopped { saved: bool },
    Reloaded(Arc<Config>),
}

/// What the loop woke up for.
enum Wake {
    /// It is time to read the logs.
    Look,
    /// Nothing happened for a while.
    Tick,
    Done(Job),
    Stop,
    Reload,
}

/// Work that has ended, elsewhere than in the loop.
enum Job {
    Look(Box<Looker>, Box<Looked>),
    Commit(Box<Committed>, Duration),
    Delivery {
        notifier: String,
        error: Option<Undelivered>,
    },
    /// The end has waited long enough for deliveries.
    GraceOver,
    Summary(Day, Option<String>),
    Forgotten(anyhow::Result<Vec<Day>>),
}

/// One configuration's run.
struct Session<'a> {
    config: Arc<Config>,
    outside: &'a Outside,
    engine: Engine,
    /// `None` while a pass is running.
    looker: Option<Box<Looker>>,
    halt: Arc<AtomicBool>, // Set to end a running pass early.
    cadence: Cadence,
    ledger: Arc<Ledger>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    jobs: JoinSet<Job>,
    wakeup: Wakeup,
    started: Instant,
    /// When the engine was last told anything.
    applied: Instant,
    said_status: bool,
    /// The way out: with the configuration to come back with, or without.
    ending: Option<Option<Arc<Config>>>,
    ended: Option<bool>,
}

impl<'a> Session<'a> {
    fn open(
        config: Arc<Config>,
        outside: &'a Outside,
        snapshots: watch::Sender<Arc<Snapshot>>,
        wakeup: Wakeup,
    ) -> anyhow::Result<Self> {
        let Resumed { engine, harvester, ledger, warnings } = resume(&config, outside.version, (outside.wall)())?;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        if let Some(aside) = state::set_bad_aside(&config.state_dir)? {
            tracing::warn!("the bad state is kept as {}", aside.display());
        }
        let hinted = wakeup.hinted.clone();
        let watch = Watch::new(wakeup.hints.clone(), move || hinted.notify_one());
        Ok(Session {
            engine,
            halt: harvester.halt(),
            looker: Some(Box::new(Looker { harvester, watch })),
            cadence: Cadence::default(),
            ledger: Arc::new(ledger),
            snapshots,
            jobs: JoinSet::new(),
            wakeup,
            started: Instant::now(),
            applied: Instant::now(),
            said_status: false,
            ending: None,
            ended: None,
            config,
            outside,
        })
    }

    async fn run(mut self, signals: &mut Signals) -> anyhow::Result<Ending> {
        // A long catch-up is work, not start-up: systemd is not kept waiting for it.
        tell_systemd(&[NotifyState::Ready]);
        for effect in self.engine.open_outbox((self.outside.wall)()) {
            self.perform(effect);
        }
        loop {
            let may_look = self.looker.is_some() && self.ending.is_none();
            let wake = tokio::select! {
                Some(job) = self.jobs.join_next() => Wake::Done(job.context("a job panicked")?),
                () = input::time_to_look(&self.cadence, &self.wakeup), if may_look => Wake::Look,
                () = sleep_until(self.applied + TICK_INTERVAL) => Wake::Tick,
                _ = signals.terminate.recv() => Wake::Stop,
                _ = signals.interrupt.recv() => Wake::Stop,
                _ = signals.hangup.recv() => Wake::Reload,
            };
            self.handle(wake);
            if let Some(saved) = self.ended.take() {
                if !saved && self.ending.as_ref().is_some_and(Option::is_some) {
                    self.go_on();
                    continue;
                }
                return Ok(match self.ending.take().flatten() {
                    Some(config) => Ending::Reloaded(config),
                    None => Ending::Stopped { saved },
                });
            }
        }
    }

    fn handle(&mut self, wake: Wake) {
        match wake {
            Wake::Look => self.look(),
            Wake::Tick => self.apply(Event::Tick),
            Wake::Done(job) => self.done(job),
            Wake::Stop => self.leave(None),
            Wake::Reload => match (self.outside.reload)() {
                Ok(new) if new.state_dir == self.config.state_dir => self.leave(Some(Arc::new(new))),
                Ok(_) => tracing::error!(
                    "state.dir cannot change while running; the old configuration stays: restart daycap"
                ),
                Err(error) => tracing::error!("{error}; the old configuration stays"),
            },
        }
    }

    fn look(&mut self) {
        let Some(mut looker) = self.looker.take() else { return };
        let changes = self.wakeup.hints.take();
        let scan = self.cadence.is_scan_due(Instant::now(), changes.anything);
        let now = self.now();
        self.jobs.spawn_blocking(move || {
            let looked = Box::new(looker.pass(&changes.paths, scan, now));
            Job::Look(looker, looked)
        });
    }

    fn done(&mut self, job: Job) {
        match job {
            Job::Look(looker, looked) => self.looked(looker, *looked),
            Job::Commit(committed, took) => self.apply(Event::Committed(committed, took)),
            Job::Delivery { notifier, error } => self.apply(Event::Tried { notifier, error }),
            Job::GraceOver => self.apply(Event::Tick),
            Job::Summary(day, error) => self.apply(Event::Summarised(day, error)),
            Job::Forgotten(Ok(days)) if days.is_empty() => {}
            Job::Forgotten(Ok(days)) => tracing::info!("removed {} ledger days older than state.keep", days.len()),
            Job::Forgotten(Err(error)) => tracing::warn!("cannot remove old ledger days: {error:#}"),
        }
    }

    /// The watchdog is fed here and nowhere else: a daemon that no longer reads is not alive.
    fn looked(&mut self, looker: Box<Looker>, looked: Looked) {
        self.looker = Some(looker);
        let (caught_up, has_ended) = (looked.harvest.caught_up, looked.harvest.has_ended);
        self.cadence.passed(looked.pass);
        if let Some(complaint) = looked.complaint {
            tracing::warn!("{complaint}");
        }
        tell_systemd(&[NotifyState::Watchdog]);
        self.apply(Event::Harvested(Box::new(looked.harvest)));
        if caught_up && !self.said_status {
            self.say_status();
        }
        if self.ending.is_some() {
            self.stop();
        } else if has_ended {
            tracing::info!("standard input has ended");
            self.leave(None);
        }
    }

    fn say_status(&mut self) {
        self.said_status = true;
        for quota in &self.snapshots.borrow().quotas {
            tracing::info!("{}: {}", quota.name, status::one_line(quota));
        }
    }

    /// Begin to end: at once when no pass is running, else when it is done.
    fn leave(&mut self, new: Option<Arc<Config>>) {
        if matches!(self.ending, Some(None)) {
            return;
        }
        match &new {
            Some(_) => match NotifyState::monotonic_usec_now() {
                Ok(monotonic) => tell_systemd(&[NotifyState::Reloading, monotonic]),
                Err(_) => tell_systemd(&[NotifyState::Reloading]),
            },
            None => tell_systemd(&[NotifyState::Stopping]),
        }
        let first = self.ending.is_none();
        self.ending = Some(new);
        self.halt.store(true, Ordering::Relaxed);
        if first && self.looker.is_some() {
            self.stop();
        }
    }

    /// A reload would drop what cannot be saved.
    fn go_on(&mut self) {
        tracing::error!("the counts cannot be saved now, so the old configuration stays; try again later");
        self.ending = None;
        self.halt.store(false, Ordering::Relaxed);
        self.apply(Event::GoOn);
        tell_systemd(&[NotifyState::Ready]);
    }

    fn apply(&mut self, event: Event) {
        self.applied = Instant::now();
        for effect in self.engine.apply(self.now(), event) {
            self.perform(effect);
        }
    }

    fn now(&self) -> Now {
        Now { wall: (self.outside.wall)(), uptime: self.started.elapsed() }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Commit(commit) => {
                let (ledger, dir) = (self.ledger.clone(), self.config.state_dir.clone());
                self.jobs.spawn_blocking(move || {
                    let begun = Instant::now();
                    let committed = commit::perform(*commit, &ledger, &dir);
                    Job::Commit(Box::new(committed), begun.elapsed())
                });
            }
            Effect::Publish(snapshot) => self.publish(snapshot),
            Effect::Tell(message) => courier::tell(&message),
            Effect::Deliver { notifier, parcel } => self.deliver(&notifier, *parcel),
            Effect::Summarise(day) => {
                let (ledger, config) = (self.ledger.clone(), self.config.clone());
                self.jobs.spawn_blocking(move || {
                    let error = summarise::day(&ledger, &config, day).err();
                    Job::Summary(day, error.map(|error| format!("{error:#}")))
                });
            }
            Effect::Forget(before) => {
                let ledger = self.ledger.clone();
                self.jobs.spawn_blocking(move || Job::Forgotten(ledger.remove_before(before)));
            }
            Effect::Say(severity, text) => say(severity, &text),
            Effect::End { saved } => self.ended = Some(saved),
        }
    }

    fn publish(&self, snapshot: Arc<Snapshot>) {
        let line: Vec<_> = snapshot.quotas.iter().map(status::one_line).collect();
        tell_systemd(&[NotifyState::Status(&line.join(" | "))]);
        self.snapshots.send_replace(snapshot);
    }

    fn deliver(&mut self, notifier: &str, parcel: Parcel) {
        if let Some(notifier) = self.config.notifiers.iter().find(|known| known.name == notifier) {
            self.jobs.spawn(courier::deliver(notifier.clone(), parcel, (self.outside.wall)()));
        }
    }

    /// Let the engine end: deliveries under way get some time first.
    fn stop(&mut self) {
        self.apply(Event::Stop);
        if self.ended.is_none() {
            self.jobs.spawn(async {
                sleep(DELIVERY_GRACE).await;
                Job::GraceOver
            });
        }
    }
}

fn tell_systemd(states: &[NotifyState]) {
    // Without systemd there is no socket and nothing is sent; with it, a failure is systemd's to notice.
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("cannot tell systemd: {error}");
    }
}

fn say(severity: Severity, text: &str) {
    match severity {
        Severity::Error => tracing::error!("{text}"),
        Severity::Warn => tracing::warn!("{text}"),
        Severity::Info => tracing::info!("{text}"),
    }
}
