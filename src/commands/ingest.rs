//! `daycap ingest`: the daemon's own pipeline, to the end of what is there, once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::Context;

use super::{Done, Failure, Outcome, Terms, bare, configured, read_only, take_state, tell, zone};
use crate::cli::Ingest;
use crate::collect::stream::STDIN;
use crate::commit;
use crate::config::Config;
use crate::day::Now;
use crate::engine::{Effect, Event};
use crate::resume::{Resumed, resume};

/// Looks that find something new until the rest is left to the daemon: a log that is being written to has no end.
const LOOKS_MAX: u32 = 5;

/// A rotated log's name: a short content is known again only if its name speaks for it, too.
const SPOOL: &str = "stdin.1";

pub fn ingest(asked: Ingest, terms: &Terms) -> Done {
    let mut config = settle(asked, terms)?;
    let _lock = take_state(&config.state_dir)?;
    let spool = Spool::of(&mut config)?;
    let config = Arc::new(config);
    let resumed = resume(&config, terms.version, (terms.wall)())?;
    resumed.warnings.iter().for_each(|warning| tell(warning));
    if let Some(aside) = crate::state::set_bad_aside(&config.state_dir)? {
        tell(&format!("the bad state is kept as {}", aside.display()));
    }
    let mut run = Run { resumed, config, wall: terms.wall, started: Instant::now(), saved: None };
    let done = run.read_to_the_end();
    drop(spool);
    done
}

/// Standard input, for as long as it is counted: as a file, its content tells whether it was counted before. The file is in
/// the state directory, which is ours alone.
struct Spool(PathBuf);

impl Spool {
    /// Put it in the place of standard input, if that is among the logs.
    fn of(config: &mut Config) -> anyhow::Result<Option<Spool>> {
        let path = config.state_dir.join(SPOOL);
        let name = path.to_string_lossy().into_owned();
        let mut is_asked = false;
        for log in config.sources.iter_mut().flat_map(|source| &mut source.paths).filter(|log| *log == STDIN) {
            (is_asked, *log) = (true, name.clone());
        }
        if !is_asked {
            return Ok(None);
        }
        let spool = Spool(path);
        // One that a killed process left behind is not to be added to.
        drop(fs::remove_file(&spool.0));
        let copy = || io::copy(&mut io::stdin().lock(), &mut fs::File::create(&spool.0)?);
        copy().with_context(|| format!("cannot keep standard input in {}", spool.0.display()))?;
        Ok(Some(spool))
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What stays is removed by the next.
        drop(fs::remove_file(&self.0));
    }
}

fn settle(asked: Ingest, terms: &Terms) -> Result<Config, Failure> {
    let surroundings = (terms.surroundings)();
    let mut config = configured(&asked.place, &surroundings)?.unwrap_or_else(|| bare(&asked.place, &surroundings));
    read_only(&mut config, asked.logs, zone(&asked.tz)?);
    Ok(config)
}

struct Run {
    resumed: Resumed,
    config: Arc<Config>,
    wall: fn() -> chrono::DateTime<chrono::Utc>,
    started: Instant,
    saved: Option<bool>,
}

impl Run {
    fn read_to_the_end(&mut self) -> Done {
        let (mut lines, mut problems) = (crate::collect::request::Lines::default(), Vec::new());
        let mut unread: u64;
        let mut looks = 0;
        loop {
            // A look can leave work for the next: a copy is judged once what it copies has been read.
            let mut harvest = self.resumed.harvester.pass(self.now());
            harvest.lines.values().for_each(|more| lines.add(more));
            problems.clone_from(&harvest.problems);
            unread = harvest.progress.iter().map(|progress| progress.lag_bytes).sum::<u64>();
            let is_all = harvest.caught_up && harvest.lines.is_empty();
            looks += u32::from(harvest.caught_up);
            // Alerts and summaries are the daemon's: to this engine the catch-up never ends.
            harvest.caught_up = false;
            self.apply(Event::Harvested(Box::new(harvest)));
            if is_all || looks == LOOKS_MAX {
                break;
            }
        }
        self.apply(Event::Stop);
        tell(&format!(
            "{} requests counted, {} lines skipped, {} rejected",
            lines.counted,
            lines.skipped,
            lines.rejected()
        ));
        if unread > 0 {
            tell(&format!("{unread} bytes are not counted yet: they wait for the end of their line"));
        }
        if self.saved != Some(true) {
            return Err(Failure::Failed(anyhow::anyhow!(
                "the counts could not be saved; nothing is lost: run it again"
            )));
        }
        match problems.iter().find(|problem| problem.keeps_unread) {
            Some(problem) => Err(Failure::Failed(anyhow::anyhow!("{}: {}", problem.path, problem.what))),
            None => Ok(Outcome::Done),
        }
    }

    fn apply(&mut self, event: Event) {
        let now = self.now();
        for effect in self.resumed.engine.apply(now, event) {
            self.perform(effect);
        }
    }

    fn now(&self) -> Now {
        Now { wall: (self.wall)(), uptime: self.started.elapsed() }
    }

    /// Of the daemon's effects, only what concerns the ledger; alerts, summaries and metrics are the daemon's.
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Commit(commit) => {
                let begun = Instant::now();
                let committed = commit::perform(*commit, &self.resumed.ledger, &self.config.state_dir);
                let took: Duration = begun.elapsed();
                self.apply(Event::Committed(Box::new(committed), took));
            }
            Effect::End { saved } => self.saved = Some(saved),
            Effect::Say(_, text) => tell(&text),
            Effect::Publish(_)
            | Effect::Tell(_)
            | Effect::Deliver { .. }
            | Effect::Summarise(_)
            | Effect::Forget(_) => {}
        }
    }
}
