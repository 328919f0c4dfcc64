//! What the user typed. Nothing here is acted upon: [`crate::commands`] turns it into what is needed.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[derive(Debug, Parser)]
#[command(
    name = "daycap",
    version,
    about = "Counts an API client's requests per day from its logs, exactly, and warns hours before the daily quota is passed",
    after_help = "Examples:
  daycap run 'logs/*.log' --limit 40000           follow logs, serve metrics, warn early
  daycap report logs/*.log --by day,service       count logs as they are, without any state
  daycap report --last 7d --by day                the ledger's last seven days
  daycap status --check                           exit 3 when over the quota, or forecast to go over"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Run(Run),
    Report(Report),
    Status(Status),
    Explain(Explain),
    Ingest(Ingest),
    Notify(Notify),
    Verify(Verify),
    Backtest(Backtest),
    Alerts(Alerts),
    CheckConfig(CheckConfig),
    Completions(Completions),
}

/// Where configuration and state are.
#[derive(Debug, Args)]
pub struct Place {
    /// Configuration file [default: /etc/daycap/daycap.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// State directory, instead of the configured one
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// Follow logs, count, forecast, alert and serve metrics until stopped
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  daycap run --config /etc/daycap/daycap.toml
  daycap run 'logs/*.log' --limit 40000
  daycap run 'logs/*.log' --limit 40000 --tz America/Los_Angeles --state ./state
  app 2>&1 | daycap run - --limit 40000

SIGTERM and SIGINT save and end; SIGHUP reads the configuration again. With - alone, the end of standard input
saves and ends, too. What comes from a pipe cannot be read again: lines that were not saved yet (at most some
seconds') are lost when daycap is killed. A log file has no such gap.")]
pub struct Run {
    /// Logs to follow, without a configuration: paths, patterns (quote them, so that later files match too), or - for
    /// standard input
    #[arg(value_name = "LOG", conflicts_with = "config")]
    pub logs: Vec<String>,
    /// Requests that the provider allows a day
    #[arg(long, value_name = "N", requires = "logs")]
    pub limit: Option<NonZeroU64>,
    /// Zone whose midnight ends the quota's day, and of time stamps that state none [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "logs")]
    pub tz: Option<String>,
    /// Address for metrics and the API [default: 127.0.0.1:9640]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::SocketAddr>,
    #[command(flatten)]
    pub place: Place,
}

/// Count requests by day, service, operation ...; from logs as they are, else from the ledger
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  daycap report logs/*.log logs/*.gz
  zcat old.log.gz | daycap report - --by day,operation
  daycap report --since 2026-11-01 --until 2026-11-15 --by service,operation
  daycap report --month 2026-11 --where key=prod --tz Europe/Berlin --format csv

Days are days of --tz; --since and --until are days too, both inclusive.")]
pub struct Report {
    /// Logs to count (plain, .gz, or - for standard input); without any, the ledger is asked
    #[arg(value_name = "LOG")]
    pub logs: Vec<String>,
    /// First day, as 2026-11-01
    #[arg(long, value_name = "DAY")]
    pub since: Option<String>,
    /// Last day, as 2026-11-22
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
    /// The last days, today included, as 7d; or the last hours, as 24h
    #[arg(long, value_name = "SPAN", conflicts_with_all = ["since", "until", "month"])]
    pub last: Option<String>,
    /// One month, as 2026-11
    #[arg(long, value_name = "MONTH", conflicts_with_all = ["since", "until"])]
    pub month: Option<String>,
    /// Columns to group by: day, hour, week, month, service, key, api, method, operation, status, host
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', default_value = "day")]
    pub by: Vec<String>,
    /// Only requests with this label, as key=prod; may be given again, all must hold
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    pub matching: Vec<String>,
    /// Zone of days, and of time stamps that state none
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Csv,
    Json,
    Markdown,
}

/// Today: used, limit, forecast, when it runs out, and what may still be spent
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  daycap status
  daycap status --json | jq '.quotas[0].forecast.p50'
  daycap status --check || echo 'slow down'
  daycap status --state ./state --limit 40000

Exit codes with --check: 0 within the quota, 3 over it or forecast to go over.")]
pub struct Status {
    /// Print JSON, as /api/v1/status serves it
    #[arg(long)]
    pub json: bool,
    /// Print nothing that is not asked for; exit 3 when over, or forecast to go over
    #[arg(long)]
    pub check: bool,
    /// Requests that the provider allows a day, without a configuration
    #[arg(long, value_name = "N", conflicts_with = "config")]
    pub limit: Option<NonZeroU64>,
    /// Zone whose midnight ends the quota's day, with --limit [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "limit")]
    pub tz: Option<String>,
    #[command(flatten)]
    pub place: Place,
}

/// Show which format a log has, how its lines are read, what is skipped and rejected and why
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  daycap explain logs/sync.log
  zcat logs/sync.log.1.gz | daycap explain -
  daycap explain --config daycap.toml logs/sync.log")]
pub struct Explain {
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    /// Read the files as the sources of this configuration
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Zone of time stamps that state none
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
}

/// Count logs into the ledger and end; what it holds already is not counted again
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  daycap ingest /var/log/app/*.log*
  daycap ingest --state ./state 'archive/**/*.log.gz'
  ssh web-2 cat app.log | daycap ingest - --state ./state

Standard input (-) is held in the state directory while it is counted. The same content counts once, however often it is
given; of a stream that goes on where an earlier one ended, only what is new counts.")]
pub struct Ingest {
    /// Logs to count: paths, patterns, or - for standard input
    #[arg(value_name = "LOG", required = true)]
    pub logs: Vec<String>,
    /// Zone of time stamps that state none
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    #[command(flatten)]
    pub place: Place,
}

/// Recount the logs at hand and compare with the ledger, day by day and minute by minute
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  daycap verify
  daycap verify --since 2026-11-15 --format csv
  daycap verify --state ./state /var/log/app/*.log* archive/*.gz

Days are the ledger's: UTC. A day can be checked when every log that it was counted from is at hand.
Nothing is written, and a daemon may be running. Exit code 1: a day differs, or its file is damaged.")]
pub struct Verify {
    /// Logs to recount [default: those of the configuration]
    #[arg(value_name = "LOG")]
    pub logs: Vec<String>,
    /// First day, as 2026-11-01
    #[arg(long, value_name = "DAY")]
    pub since: Option<String>,
    /// Last day, as 2026-11-22
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
    /// Zone of time stamps that state none, in logs that the configuration does not know
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    #[arg(long, value_enum, default_value_t = Listing::Table)]
    pub format: Listing,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Listing {
    Table,
    Csv,
    Json,
}

/// Replay past days: how far forecasts and alerts would have been right, beside simpler methods
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  daycap backtest
  daycap backtest --counts requests.csv --limit 40000 --tz Europe/Berlin
  daycap backtest --counts a.csv --counts b.csv --limit p85 --history 7 --format json
  daycap backtest --alerts

CSV has the header series,timestamp,count or timestamp,count, and a row for each bin, of at most an hour, also where its
count is 0. A time stamp is its bin's begin. A day with missing rows is not judged. Each forecast sees only what was known
at its hour.")]
pub struct Backtest {
    /// Counts to replay instead of the ledger: CSV, or - for standard input; may be given again
    #[arg(long, value_name = "FILE")]
    pub counts: Vec<String>,
    /// Limit of a day: units, or a percentile of the series' own days [default: the quota's; p85 without one]
    #[arg(long, value_name = "N|pNN")]
    pub limit: Option<String>,
    /// Days of history that a forecast may see
    #[arg(long, value_name = "DAYS", default_value_t = 28, value_parser = clap::value_parser!(u32).range(0..=366))]
    pub history: u32,
    /// Zone of days, and of time stamps that state none [default: UTC; of a quota its own]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// Print what would have fired, day by day, instead of figures
    #[arg(long)]
    pub alerts: bool,
    #[arg(long, value_enum, default_value_t = Listing::Table)]
    pub format: Listing,
    #[command(flatten)]
    pub place: Place,
}

/// What was said of quotas and of counting itself, and when it was over
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  daycap alerts --last 7d
  daycap alerts --quota prod --since 2026-11-01 --tz Europe/Berlin
  daycap alerts --format json | jq '.[] | select(.severity == \"critical\")'

The table has a row a matter; csv and json have every message, with all that it said.")]
pub struct Alerts {
    /// First day, as 2026-11-01
    #[arg(long, value_name = "DAY")]
    pub since: Option<String>,
    /// Last day, as 2026-11-22
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
    /// The last days, today included, as 7d; or the last hours, as 24h
    #[arg(long, value_name = "SPAN", conflicts_with_all = ["since", "until"])]
    pub last: Option<String>,
    /// Only of this quota
    #[arg(long, value_name = "NAME")]
    pub quota: Option<String>,
    /// Zone of days and of the table's times
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    #[arg(long, value_enum, default_value_t = Listing::Table)]
    pub format: Listing,
    #[command(flatten)]
    pub place: Place,
}

/// Try the notifiers
#[derive(Debug, Args)]
pub struct Notify {
    #[command(subcommand)]
    pub action: NotifyAction,
}

#[derive(Debug, Subcommand)]
pub enum NotifyAction {
    Test(NotifyTest),
}

/// Send a test message, and its end, through every notifier of the configuration, or through one
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  daycap notify test
  daycap notify test ops --config ./daycap.toml

A daemon may be running; it is not asked. Exit code 1: one did not deliver.")]
pub struct NotifyTest {
    /// Only this notifier
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub place: Place,
}

/// Read the configuration, say what is wrong with it, and end
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  daycap check-config
  daycap check-config --config ./daycap.toml")]
pub struct CheckConfig {
    #[arg(long, value_name = "FILE", default_value = crate::commands::CONFIG_DEFAULT)]
    pub config: PathBuf,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  daycap completions bash > /etc/bash_completion.d/daycap
  daycap completions zsh > ~/.zfunc/_daycap")]
pub struct Completions {
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}
