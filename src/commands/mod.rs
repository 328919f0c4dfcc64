//! What the user typed becomes what is needed, is done, and ends in an exit code. Data goes to stdout,
//! words to stderr. Nothing here reads a clock or the environment: [`Terms`] brings both.

mod alerts;
mod backtest;
mod ingest;
mod explain;
mod notify;
mod report;
mod run;
mod status;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::CommandFactory;

use crate::cli::{Cli, Command, Completions, Place};
use crate::collect::{Reading, Source, Start};
use crate::config::{self, Config, Surroundings};
use crate::day::Day;
use crate::publish::deliver::{self, Purpose};

/// Where a configuration is looked for.
pub const CONFIG_DEFAULT: &str = "/etc/daycap/daycap.toml";

/// What the process gives a command.
pub struct Terms {
    pub version: &'static str,
    pub wall: fn() -> DateTime<Utc>,
    pub surroundings: fn() -> Surroundings,
    /// Whether stderr is a terminal: only then is a progress bar drawn.
    pub draws_progress: bool,
}

/// How a command ends when it does not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// `status --check`: over the quota, or forecast to go over.
    Over,
    /// `verify`: the ledger is not what the logs say.
    Differs,
}

/// Why a command fails; the sentence is for the user.
#[derive(Debug)]
pub enum Failure {
    /// Exit 2: what was typed or configured is wrong; trying again does not help.
    Usage(String),
    /// Exit 75: another process holds the state directory.
    Busy(String),
    /// Exit 1.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Failed(error)
    }
}

type Done = Result<Outcome, Failure>;

/// Do what was asked.
pub fn perform(cli: Cli, terms: &Terms, out: &mut dyn Write) -> Done {
    match cli.command {
        Command::Run(asked) => run::run(asked, terms),
        Command::Report(asked) => report::report(&asked, terms, out),
        Command::Status(asked) => status::status(&asked, terms, out),
        Command::Explain(asked) => explain::explain(&asked, terms, out),
        Command::Ingest(asked) => ingest::ingest(asked, terms),
        Command::Notify(asked) => notify::notify(&asked.action, terms, out),
        Command::Verify(asked) => verify::verify(asked, terms, out),
        Command::Backtest(asked) => backtest::backtest(&asked, terms, out),
        Command::Alerts(asked) => alerts::alerts(&asked, terms, out),
        Command::CheckConfig(asked) => check_config(&asked.config, terms, out),
        Command::Completions(asked) => completions(&asked, out),
    }
}

fn check_config(path: &Path, terms: &Terms, out: &mut dyn Write) -> Done {
    let text = read_text(path).map_err(Failure::Usage)?;
    let config = config::parse(&text, path, &(terms.surroundings)()).map_err(Failure::Usage)?;
    check_notifiers(&config, Purpose::Trial)?;
    config::preset::left_open(&text).iter().for_each(|unsaid| tell(unsaid));
    let (sources, quotas) = (config.sources.len(), config.quotas.len());
    print(out, &format!("{}: good: {}, {}\n", path.display(), several(sources, "source"), several(quotas, "quota")))
}

/// What notifiers are told elsewhere, such as secrets, has to be there. What is only odd is said.
fn check_notifiers(config: &Config, purpose: Purpose) -> Result<(), Failure> {
    let checked = deliver::check(&config.notifiers, purpose);
    checked.doubts.iter().for_each(|doubt| tell(doubt));
    if checked.errors.is_empty() { Ok(()) } else { Err(Failure::Usage(checked.errors.join("\n"))) }
}

fn several(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn completions(asked: &Completions, out: &mut dyn Write) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut Cli::command(), "daycap", &mut script);
    print(out, &String::from_utf8_lossy(&script))
}

/// Data to stdout. A reader that has seen enough (`| head`) is no failure.
fn print(out: &mut dyn Write, text: &str) -> Done {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Failed(error.into())),
        _ => Ok(Outcome::Done),
    }
}

fn read_config(path: &Path, surroundings: &Surroundings) -> Result<Config, String> {
    config::parse(&read_text(path)?, path, surroundings)
}

fn read_text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| {
        format!("cannot read the configuration {}: {error}; give another with --config", path.display())
    })
}

/// The configuration file to read: the one named, else the default one where it exists.
fn config_path(place: &Place) -> Option<PathBuf> {
    let default = || Some(PathBuf::from(CONFIG_DEFAULT)).filter(|path| path.exists());
    place.config.clone().or_else(default)
}

/// The configuration for a command that can do without: `None` where there is no file.
fn configured(place: &Place, surroundings: &Surroundings) -> Result<Option<Config>, Failure> {
    let Some(path) = config_path(place) else { return Ok(None) };
    let mut config = read_config(&path, surroundings).map_err(Failure::Usage)?;
    if let Some(state) = &place.state {
        config.state_dir.clone_from(state);
    }
    Ok(Some(config))
}

/// The state directory and host of a command that has no configuration of its own.
fn bare(place: &Place, surroundings: &Surroundings) -> Config {
    let mut config = config::ad_hoc(Vec::new(), None, chrono_tz::Tz::UTC, surroundings);
    if let Some(state) = &place.state {
        config.state_dir.clone_from(state);
    }
    config
}

/// Read these logs instead of the configured ones. The configured sources lend their reading to the logs that they
/// match; the rest is read as it says itself, with time stamps that state no zone in `zone`.
fn read_only(config: &mut Config, logs: Vec<String>, zone: chrono_tz::Tz) {
    let own = Source {
        name: "ingest".to_owned(),
        paths: Vec::new(),
        journal: None,
        reading: Reading::unsettled(zone),
        start: Start::Beginning,
    };
    let mut sources: Vec<Source> = config.sources.iter().cloned().chain([own]).collect();
    let patterns: Vec<Vec<String>> = sources.iter_mut().map(|source| std::mem::take(&mut source.paths)).collect();
    for log in logs {
        let of = patterns.iter().position(|patterns| patterns.iter().any(|pattern| matches(pattern, &log)));
        let index = of.unwrap_or(sources.len() - 1);
        sources[index].start = Start::Beginning;
        sources[index].paths.push(log);
    }
    sources.retain(|source| !source.paths.is_empty());
    config.sources = sources;
}

fn matches(pattern: &str, log: &str) -> bool {
    let absolute = std::path::absolute(log).unwrap_or_else(|_| log.into());
    globset::Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(absolute))
}

/// Take the state directory for this process.
fn take_state(dir: &Path) -> Result<crate::state::Lock, Failure> {
    crate::state::lock(dir)?.map_err(Failure::Busy)
}

/// To stderr, for a person.
fn tell(text: &str) {
    eprintln!("daycap: {text}");
}

/// The first and the last of the days that `--since` and `--until` name.
fn since_until(since: Option<&str>, until: Option<&str>) -> Result<(Option<Day>, Option<Day>), String> {
    let day = |option: &str, text: Option<&str>| -> Result<Option<Day>, String> {
        text.map(|text| text.parse().map_err(|error| format!("--{option}: {error}"))).transpose()
    };
    let (since, until) = (day("since", since)?, day("until", until)?);
    match (since, until) {
        (Some(since), Some(until)) if since > until => {
            Err(format!("--since {since} is after --until {until}; both days are included, the earlier one first"))
        }
        days => Ok(days),
    }
}

fn zone(name: &str) -> Result<chrono_tz::Tz, Failure> {
    crate::day::parse_zone(name).map_err(|error| Failure::Usage(format!("--tz: {error}")))
}

/// Expand what the shell did not: a pattern that is no file's name. `-` and plain names stay as they are.
fn expand(logs: &[String]) -> Result<Vec<String>, Failure> {
    let mut paths = Vec::new();
    for log in logs {
        if log == crate::raw::STDIN || Path::new(log).exists() || !log.contains(['*', '?', '[', '{']) {
            paths.push(log.clone());
            continue;
        }
        let found = crate::collect::find::matching(log);
        if found.is_empty() {
            return Err(Failure::Failed(anyhow::anyhow!("no file matches {log:?}")));
        }
        paths.extend(found.iter().map(|path| path.to_string_lossy().into_owned()));
    }
    Ok(paths)
}
