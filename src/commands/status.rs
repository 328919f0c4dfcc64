//! `daycap status`: today, from the ledger and the state; a running daemon is not needed and not asked.

use std::io::Write;
use std::sync::Arc;

use super::{CONFIG_DEFAULT, Done, Failure, Outcome, Terms, configured, print, tell, zone};
use crate::cli::Status;
use crate::config::{self, Config, Surroundings};
use crate::day::Now;
use crate::engine::Event;
use crate::publish::status::{over_or_forecast_over, text};
use crate::resume::resume;

pub fn status(asked: &Status, terms: &Terms, out: &mut dyn Write) -> Done {
    let config = Arc::new(settle(asked, &(terms.surroundings)())?);
    if !config.state_dir.exists() {
        let remedy = "give the daemon's with --state or state.dir";
        return Err(anyhow::anyhow!("there is no state directory {}; {remedy}", config.state_dir.display()).into());
    }
    let now = (terms.wall)();
    let mut resumed = resume(&config, terms.version, now)?;
    resumed.warnings.iter().for_each(|warning| tell(warning));
    let looked = Event::Harvested(Box::new(resumed.harvester.look(Now::first(now))));
    // What the engine would do is left undone: only its picture is wanted.
    drop(resumed.engine.apply(Now::first(now), looked));
    let snapshot = resumed.engine.snapshot(Now::first(now));
    let printed = match (asked.json, asked.check) {
        (true, _) => serde_json::to_string_pretty(&snapshot).map_err(anyhow::Error::from)? + "\n",
        (false, true) => String::new(),
        (false, false) => text(&snapshot),
    };
    print(out, &printed)?;
    let unread: u64 = snapshot.sources.iter().map(|source| source.lag_bytes).sum();
    if asked.check && unread > 0 {
        tell(&format!("{unread} bytes of logs are not counted yet; is the daemon running?"));
    }
    Ok(if asked.check && over_or_forecast_over(&snapshot) { Outcome::Over } else { Outcome::Done })
}

fn settle(asked: &Status, surroundings: &Surroundings) -> Result<Config, Failure> {
    if asked.limit.is_none() {
        return configured(&asked.place, surroundings)?.ok_or_else(|| {
            Failure::Usage(format!(
                "there is no configuration at {CONFIG_DEFAULT}; give --config FILE, or --limit N with --state DIR"
            ))
        });
    }
    let zone = asked.tz.as_deref().map_or(Ok(chrono_tz::Tz::UTC), zone)?;
    let mut config = config::ad_hoc(Vec::new(), asked.limit, zone, surroundings);
    if let Some(state) = &asked.place.state {
        config.state_dir.clone_from(state);
    }
    Ok(config)
}
