//! What notifiers are told elsewhere, secrets and certificates, is looked at before a message needs it.
//! This file never sends anything.

use reqwest::Url;

use super::alertmanager::Alertmanager;
use super::secret::{Origin, SecretError};
use super::webhook::{self, Webhook};
use super::{DeliveryError, Kind, Notifier, http};

/// What is wrong before anything is sent, as sentences.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// It cannot work.
    pub errors: Vec<String>,
    /// It may not work, or not be meant.
    pub doubts: Vec<String>,
}

/// What a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody looks at a configuration, outside of systemd: its credentials cannot be had there.
    Trial,
    /// From now on messages are to go out.
    Start,
}

/// Read every secret and certificate once, without telling anybody anything.
pub fn check(notifiers: &[Notifier], purpose: Purpose) -> Checked {
    let mut checked = Checked::default();
    for notifier in notifiers {
        let named = |sentence: String| format!("notify {:?}: {sentence}", notifier.name);
        checked.doubts.extend(notifier.kind.origins().into_iter().filter_map(Origin::doubt).map(named));
        checked.doubts.extend(open_line(&notifier.kind).map(named));
        for error in wrong(&notifier.kind) {
            let is_elsewhere = matches!(error, DeliveryError::Secret(SecretError::NoCredentials(_)));
            let is_doubt = purpose == Purpose::Trial && is_elsewhere;
            let list = if is_doubt { &mut checked.doubts } else { &mut checked.errors };
            list.push(named(error.to_string()));
        }
    }
    checked
}

fn wrong(kind: &Kind) -> Vec<DeliveryError> {
    let secrets = kind.origins().into_iter().filter_map(|origin| origin.read().err().map(DeliveryError::from));
    let mut wrong: Vec<DeliveryError> = secrets.collect();
    if wrong.is_empty() {
        let key = match kind {
            Kind::Webhook(Webhook { secret: Some(origin), .. }) => {
                origin.read().map_err(DeliveryError::from).and_then(|secret| webhook::key(&secret)).err()
            }
            _ => None,
        };
        wrong.extend(key);
        wrong.extend(kind.url().and_then(|url| http::address(url).err()));
    }
    wrong.extend(kind.ca_file().and_then(|path| http::certificates(path).err()));
    wrong
}

/// A secret that everybody between could read along.
fn open_line(kind: &Kind) -> Option<String> {
    let has_secrets = kind.origins().iter().any(|origin| !matches!(origin, Origin::Told(_)));
    let is_open = |url: &Url| url.scheme() == "http" && !url.host_str().is_some_and(http::is_loopback);
    let urls = match kind {
        Kind::Alertmanager(Alertmanager { peers, .. }) => peers.clone(),
        other => other.url().and_then(|url| http::address(url).ok()).into_iter().collect(),
    };
    let open = urls.iter().find(|url| has_secrets && is_open(url))?;
    Some(format!("a secret goes to {} without TLS, and everybody between can read it; use https://", http::host(open)))
}
