//! `daycap run`: the daemon, from a configuration or from what was typed.

use std::path::PathBuf;

use super::{
    CONFIG_DEFAULT, Done, Failure, Outcome, Terms, check_notifiers, config_path, read_config, take_state, zone,
};
use crate::cli::Run;
use crate::config::{self, Config, Surroundings};
use crate::daemon::{self, Outside};
use crate::publish::deliver::Purpose;

pub fn run(asked: Run, terms: &Terms) -> Done {
    let surroundings = terms.surroundings;
    let config = settle(&asked, &surroundings())?;
    let _lock = take_state(&config.state_dir)?;
    let outside = Outside {
        version: terms.version,
        wall: terms.wall,
        reload: Box::new(move || {
            settle(&asked, &surroundings()).map_err(|failure| match failure {
                Failure::Usage(text) | Failure::Busy(text) => text,
                Failure::Failed(error) => format!("{error:#}"),
            })
        }),
    };
    // Two threads: one waits for events, one serves HTTP; reading and writing have threads of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let saved = runtime.map_err(anyhow::Error::from)?.block_on(daemon::run(config, outside))?;
    if saved {
        Ok(Outcome::Done)
    } else {
        Err(Failure::Failed(anyhow::anyhow!(
            "the last counts could not be saved; they are counted again at the next start"
        )))
    }
}

fn settle(asked: &Run, surroundings: &Surroundings) -> Result<Config, Failure> {
    let mut config = if asked.logs.is_empty() {
        let path: PathBuf = config_path(&asked.place).ok_or_else(|| {
            let remedy = "give --config FILE, or logs to follow: daycap run 'logs/*.log' --limit 40000";
            Failure::Usage(format!("there is no configuration at {CONFIG_DEFAULT}; {remedy}"))
        })?;
        let config = read_config(&path, surroundings).map_err(Failure::Usage)?;
        if config.sources.is_empty() {
            return Err(Failure::Usage(format!("{}: there is no [[source]]; name the logs to follow", path.display())));
        }
        check_notifiers(&config, Purpose::Start)?;
        config
    } else {
        let zone = asked.tz.as_deref().map_or(Ok(chrono_tz::Tz::UTC), zone)?;
        config::ad_hoc(asked.logs.clone(), asked.limit, zone, surroundings)
    };
    if let Some(listen) = asked.listen {
        config.listen = listen;
    }
    if let Some(state) = &asked.place.state {
        config.state_dir.clone_from(state);
    }
    Ok(config)
}
