//! Arguments, a command, its output, an exit code. The one place that reads the clock and the environment.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use daycap::cli::Cli;
use daycap::commands::{Failure, Outcome, Terms, perform};
use daycap::config::Surroundings;

fn main() -> ExitCode {
    let cli = Cli::parse();
    write_words_to_stderr();
    let terms = Terms {
        version: env!("CARGO_PKG_VERSION"),
        wall: now,
        surroundings,
        draws_progress: std::io::stderr().is_terminal(),
    };
    match perform(cli, &terms, &mut std::io::stdout().lock()) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Differs) => ExitCode::FAILURE,
        Ok(Outcome::Over) => ExitCode::from(3),
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    let (code, text) = match failure {
        Failure::Failed(error) => (1, format!("{error:#}")),
        Failure::Usage(text) => (2, text.clone()),
        Failure::Busy(text) => (75, text.clone()),
    };
    eprintln!("daycap: {text}");
    ExitCode::from(code)
}

#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

fn surroundings() -> Surroundings {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(Into::into);
    Surroundings {
        state_directory: folder("STATE_DIRECTORY"),
        xdg_state_home: folder("XDG_STATE_HOME"),
        home: folder("HOME"),
        is_root: rustix::process::geteuid().is_root(),
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
    }
}

/// The journal stamps its lines itself; a terminal does not.
fn write_words_to_stderr() {
    let words = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        words.without_time().init();
    } else {
        words.init();
    }
}
