//! `[[notify]]` becomes a [`Notifier`]. This file never sends anything, and never opens the files that hold secrets.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use toml::Table;

use super::duration;
use super::keys::{Keys, Plain};
use crate::publish::deliver::alertmanager::Alertmanager;
use crate::publish::deliver::http::{Login, Reach, is_loopback, parse_address};
use crate::publish::deliver::labels::Labels;
use crate::publish::deliver::mail::{Mail, Security};
use crate::publish::deliver::ntfy::Ntfy;
use crate::publish::deliver::pagerduty::{self, PagerDuty};
use crate::publish::deliver::secret::{Origin, Secret};
use crate::publish::deliver::template::Wording;
use crate::publish::deliver::webhook::{self, Webhook};
use crate::publish::deliver::{Chat, Kind, Notifier};
use crate::publish::message::Severity;

const NOTIFY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
const KINDS: &str = "exec, webhook, alertmanager, slack, discord, teams, google-chat, ntfy, pagerduty, mail; the journal has every message anyway";
/// To write to a chat, its address is enough.
const IS_ITS_ADDRESS: Plain = Plain::Refused("itself the secret of this channel");
const IS_SECRET: Plain = Plain::Refused("a secret");

pub(super) type RawNotify = Table;

/// Where daycap runs, for receivers that ask.
pub(super) struct Here<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
}

impl Here<'_> {
    fn home(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }
}

pub(super) fn settle(raw: RawNotify, here: &Here) -> Result<Notifier, String> {
    let mut keys = Keys::of(raw);
    let kind = keys.required("type", "exec").map_err(|error| format!("[[notify]]: {error}; the types are {KINDS}"))?;
    let name = keys.text("name").map_err(|error| format!("[[notify]]: {error}"))?.unwrap_or_else(|| kind.clone());
    notifier(keys, &kind, &name, here).map_err(|error| format!("notify {name:?}: {error}"))
}

fn notifier(mut keys: Keys, kind: &str, name: &str, here: &Here) -> Result<Notifier, String> {
    let timeout = keys.text("timeout")?;
    let timeout = duration("timeout", timeout.as_deref())?.unwrap_or(NOTIFY_TIMEOUT_DEFAULT);
    let severity_min = severity(keys.text("min_severity")?.as_deref())?;
    // Alertmanager decides itself whom it tells of the end.
    let sends_resolved = kind == "alertmanager" || keys.flag("send_resolved")?.unwrap_or(true);
    let wording = if kind == "exec" { Wording::default() } else { wording(&mut keys)? };
    let settled = match kind {
        "exec" => exec(&mut keys)?,
        "webhook" => Kind::Webhook(webhook(&mut keys, here)?),
        "alertmanager" => Kind::Alertmanager(alertmanager(&mut keys, here)?),
        "slack" => Kind::Slack(chat(&mut keys)?),
        "discord" => Kind::Discord(chat(&mut keys)?),
        "teams" => Kind::Teams(chat(&mut keys)?),
        "google-chat" => Kind::GoogleChat(chat(&mut keys)?),
        "ntfy" => Kind::Ntfy(ntfy(&mut keys)?),
        "pagerduty" => Kind::PagerDuty(pagerduty(&mut keys, here)?),
        "mail" => Kind::Mail(mail(&mut keys)?),
        other => return Err(format!("type is {other:?}; the types are {KINDS}")),
    };
    keys.finish(kind)?;
    Ok(Notifier { name: name.to_owned(), kind: settled, timeout, sends_resolved, severity_min, wording })
}

fn severity(text: Option<&str>) -> Result<Severity, String> {
    match text {
        None | Some("info") => Ok(Severity::Info),
        Some("warning") => Ok(Severity::Warning),
        Some("critical") => Ok(Severity::Critical),
        Some(other) => Err(format!("min_severity is {other:?}; it is \"info\", \"warning\" or \"critical\"")),
    }
}

fn wording(keys: &mut Keys) -> Result<Wording, String> {
    let wording = Wording { title: keys.text("title")?, text: keys.text("text")?, link: keys.text("link")? };
    if let Some(link) = &wording.link {
        parse_address(link).map_err(|error| format!("link: {}", error.replace("the url", "it")))?;
    }
    wording.check()?;
    Ok(wording)
}

fn exec(keys: &mut Keys) -> Result<Kind, String> {
    let command = keys.texts("command")?;
    if command.is_empty() {
        return Err("command is empty; write it as [\"/path/to/program\", \"argument\"]".to_owned());
    }
    Ok(Kind::Exec(command))
}

fn webhook(keys: &mut Keys, here: &Here) -> Result<Webhook, String> {
    let body = keys.text("body")?;
    body.as_deref().map_or(Ok(()), webhook::check_body)?;
    Ok(Webhook {
        url: told_address(keys)?,
        secret: keys.secret("secret", IS_SECRET)?,
        reach: reach(keys)?,
        labels: labels(keys, here)?,
        body,
        home: here.home(),
    })
}

fn alertmanager(keys: &mut Keys, here: &Here) -> Result<Alertmanager, String> {
    let peers = keys.texts("url")?;
    if peers.is_empty() {
        return Err("url is missing; name every peer: url = [\"http://alertmanager-1.example.com:9093\", …]".to_owned());
    }
    Ok(Alertmanager {
        peers: peers.iter().map(|peer| parse_address(peer)).collect::<Result<_, _>>()?,
        reach: reach(keys)?,
        labels: labels(keys, here)?,
        home: here.home(),
    })
}

fn chat(keys: &mut Keys) -> Result<Chat, String> {
    let url = keys.required_secret("url", IS_ITS_ADDRESS)?;
    Ok(Chat { url, reach: Reach { login: Login::None, ca_file: keys.text("ca_file")?.map(PathBuf::from) } })
}

fn ntfy(keys: &mut Keys) -> Result<Ntfy, String> {
    Ok(Ntfy { url: told_address(keys)?, topic: keys.required_secret("topic", Plain::Allowed)?, reach: reach(keys)? })
}

fn pagerduty(keys: &mut Keys, here: &Here) -> Result<PagerDuty, String> {
    let routing_key = keys.required_secret("routing_key", IS_SECRET)?;
    let url = keys.text("url")?.unwrap_or_else(|| pagerduty::ENDPOINT.to_owned());
    parse_address(&url)?;
    let reach = Reach { login: Login::None, ca_file: keys.text("ca_file")?.map(PathBuf::from) };
    Ok(PagerDuty { url: Origin::Told(Secret::new(url)), routing_key, reach, host: here.host.to_owned() })
}

/// An address that may be in the configuration, and must be good if it is.
fn told_address(keys: &mut Keys) -> Result<Origin, String> {
    let origin = keys.required_secret("url", Plain::Allowed)?;
    if let Origin::Told(url) = &origin {
        parse_address(url.reveal())?;
    }
    Ok(origin)
}

fn reach(keys: &mut Keys) -> Result<Reach, String> {
    let token = keys.secret("token", IS_SECRET)?;
    let username = keys.text("username")?;
    let password = keys.secret("password", IS_SECRET)?;
    let login = match (token, username, password) {
        (None, None, None) => Login::None,
        (Some(token), None, None) => Login::Bearer(token),
        (None, Some(username), Some(password)) => Login::Basic { username, password },
        (Some(_), _, _) => return Err("there are a token and a username or password; keep one of them".to_owned()),
        (None, _, _) => return Err("username and password_file need each other; write both".to_owned()),
    };
    Ok(Reach { login, ca_file: keys.text("ca_file")?.map(PathBuf::from) })
}

/// The configuration's labels, and the host that these requests were counted on.
fn labels(keys: &mut Keys, here: &Here) -> Result<Labels, String> {
    let mut labels = keys.pairs("labels")?;
    for name in labels.keys() {
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if name.is_empty() || !name.chars().all(is_word) || name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(format!("labels: {name:?} is no name of a label; it has letters, digits and _ only"));
        }
    }
    labels.entry("host".to_owned()).or_insert_with(|| here.host.to_owned());
    Ok(labels)
}

fn mail(keys: &mut Keys) -> Result<Mail, String> {
    let server = keys.required("server", "smtp.example.com")?;
    let security = security(keys.text("tls")?.as_deref())?;
    let may_be_plain = keys.flag("insecure")?.unwrap_or(false) || is_loopback(&server);
    if security == Security::None && !may_be_plain {
        return Err(format!(
            "tls is \"none\", but {server:?} is another machine: everybody between could read along; \
             write tls = \"starttls\" or \"tls\", or insecure = true if you know that nobody can"
        ));
    }
    let port = keys.port("port")?.unwrap_or(security.default_port());
    let from = mailbox("from", &keys.required("from", "daycap@example.com")?)?;
    let to = keys.texts("to")?.iter().map(|to| mailbox("to", to)).collect::<Result<Vec<_>, _>>()?;
    if to.is_empty() {
        return Err("to is missing; write it as to = [\"ops@example.com\"]".to_owned());
    }
    let login = match (keys.text("username")?, keys.secret("password", IS_SECRET)?) {
        (None, None) => None,
        (Some(username), Some(password)) => Some((username, password)),
        _ => return Err("username and password_file need each other; write both".to_owned()),
    };
    Ok(Mail { server, port, security, from, to, login, ca_file: keys.text("ca_file")?.map(PathBuf::from) })
}

fn security(text: Option<&str>) -> Result<Security, String> {
    match text {
        None | Some("starttls") => Ok(Security::StartTls),
        Some("tls") => Ok(Security::Tls),
        Some("none") => Ok(Security::None),
        Some(other) => Err(format!("tls is {other:?}; it is \"starttls\", \"tls\" or \"none\"")),
    }
}

fn mailbox(key: &str, text: &str) -> Result<Mailbox, String> {
    text.parse()
        .map_err(|error| format!("{key}: {text:?} is no address ({error}); write it as \"Name <name@example.com>\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn settle_text(lines: &str) -> Result<Notifier, String> {
        let raw = toml::from_str(lines).expect("TOML");
        settle(raw, &Here { host: "app-1", port: 9640 })
    }

    fn refusals<const N: usize>(lines: [&str; N]) -> String {
        lines.map(|lines| settle_text(lines).expect_err(lines)).join("\n")
    }

    #[test]
    fn a_type_or_key_that_is_not_is_answered_with_those_that_are() {
        let said = refusals([
            "command = [\"a\"]",
            "type = \"slck\"",
            "type = \"slack\"\nurl_file = \"a\"\nchannel = \"#ops\"",
            "type = \"mail\"\nserver = \"localhost\"\nfrom = \"a@example.com\"\nto = \"b@example.com\"\npasword_file = \"p\"",
            "type = \"exec\"\ncommand = \"a\"\ntitle = \"b\"",
        ]);
        expect![[r#"
            [[notify]]: type is missing; write it as type = "exec"; the types are exec, webhook, alertmanager, slack, discord, teams, google-chat, ntfy, pagerduty, mail; the journal has every message anyway
            notify "slck": type is "slck"; the types are exec, webhook, alertmanager, slack, discord, teams, google-chat, ntfy, pagerduty, mail; the journal has every message anyway
            notify "slack": unknown key "channel"; the keys of type "slack" are type, name, timeout, min_severity, send_resolved, title, text, link, url_file, url_env, url_credential, ca_file
            notify "mail": unknown key "pasword_file"; did you mean "password_file"? the keys of type "mail" are type, name, timeout, min_severity, send_resolved, title, text, link, server, tls, insecure, port, from, to, username, password_file, password_env, password_credential, ca_file
            notify "exec": unknown key "title"; the keys of type "exec" are type, name, timeout, min_severity, send_resolved, command"#]].assert_eq(&said);
    }

    #[test]
    fn a_secret_in_the_configuration_is_refused_and_not_repeated() {
        let said = refusals([
            "type = \"slack\"\nurl = \"https://hooks.example.com/s3cr3t\"",
            "type = \"webhook\"\nurl = \"https://a.example.com\"\nsecret = \"whsec_s3cr3t\"",
            "type = \"ntfy\"\nurl = \"https://a:s3cr3t@ntfy.example.com\"\ntopic = \"t\"",
            "type = \"pagerduty\"\nrouting_key = \"s3cr3t\"",
            "type = \"mail\"\nserver = \"localhost\"\nfrom = \"a@example.com\"\nto = \"b@example.com\"\nusername = \"a\"\npassword = \"s3cr3t\"",
        ]);
        assert!(!said.contains("s3cr3t"), "{said}");
        expect![[r#"
            notify "slack": url is itself the secret of this channel, which does not belong in a configuration; put it in a file that only daycap's user can read, and write url_file = "/path/to/it" (or url_env = "NAME", or url_credential = "name")
            notify "webhook": secret is a secret, which does not belong in a configuration; put it in a file that only daycap's user can read, and write secret_file = "/path/to/it" (or secret_env = "NAME", or secret_credential = "name")
            notify "ntfy": the url has a name or a password in it; use the keys username and password_file
            notify "pagerduty": routing_key is a secret, which does not belong in a configuration; put it in a file that only daycap's user can read, and write routing_key_file = "/path/to/it" (or routing_key_env = "NAME", or routing_key_credential = "name")
            notify "mail": password is a secret, which does not belong in a configuration; put it in a file that only daycap's user can read, and write password_file = "/path/to/it" (or password_env = "NAME", or password_credential = "name")"#]].assert_eq(&said);
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_remedy() {
        let said = refusals([
            "type = \"discord\"",
            "type = \"teams\"\nurl_file = \"a\"\nurl_env = \"B\"",
            "type = \"google-chat\"\nurl_credential = \"/etc/passwd\"",
            "type = \"webhook\"\nurl = \"ftp://a.example.com\"",
            "type = \"webhook\"\nurl = \"https://a.example.com\"\nlabels = { \"a-b\" = \"c\" }",
            "type = \"webhook\"\nurl = \"https://a.example.com\"\ntoken_env = \"T\"\nusername = \"u\"",
            "type = \"webhook\"\nurl = \"https://a.example.com\"\nusername = \"u\"",
            "type = \"webhook\"\nurl = \"https://a.example.com\"\nbody = \"{{ message }}\"",
            "type = \"webhook\"\nurl = \"https://a.example.com\"\ntext = \"{{ usd }}\"",
            "type = \"alertmanager\"\nurl = []",
            "type = \"alertmanager\"\nurl = [1]",
            "type = \"ntfy\"\nurl = \"https://ntfy.example.com\"",
            "type = \"mail\"\nserver = \"smtp.example.com\"\ntls = \"none\"",
            "type = \"mail\"\nserver = \"smtp.example.com\"\ntls = \"ssl\"",
            "type = \"mail\"\nserver = \"smtp.example.com\"\nport = 70000",
            "type = \"mail\"\nserver = \"smtp.example.com\"\nfrom = \"daycap\"",
            "type = \"mail\"\nserver = \"smtp.example.com\"\nfrom = \"a@example.com\"",
            "type = \"exec\"\ncommand = \"a\"\nmin_severity = \"high\"",
            "type = \"exec\"\ncommand = \"a\"\nsend_resolved = \"no\"",
            "type = \"exec\"\ncommand = \"a\"\ntimeout = \"soon\"",
        ]);
        expect![[r#"
            notify "discord": there is no url; write one of url_file, url_env, url_credential
            notify "teams": url is told more than once; keep one of url_file, url_env, url_credential
            notify "google-chat": url_credential is "/etc/passwd"; write the name that LoadCredential= gives it, without a path
            notify "webhook": the url does not start with https:// or http://
            notify "webhook": labels: "a-b" is no name of a label; it has letters, digits and _ only
            notify "webhook": there are a token and a username or password; keep one of them
            notify "webhook": username and password_file need each other; write both
            notify "webhook": body: it does not give JSON (expected value at line 1 column 1); write values as {{ message | tojson }}, without quotes
            notify "webhook": text: a message has no "usd"; it has at, confidence, exceed_probability, exhausted_at, id, level, limit, link, message, p10, p50, p90, quiet, quota, resets_at, severity, since, source, status, sustainable_per_minute, title, top, used, zone
            notify "alertmanager": url is missing; name every peer: url = ["http://alertmanager-1.example.com:9093", …]
            notify "alertmanager": url is not a list of texts; write it as url = ["…", "…"]
            notify "ntfy": there is no topic; write one of topic, topic_file, topic_env, topic_credential
            notify "mail": tls is "none", but "smtp.example.com" is another machine: everybody between could read along; write tls = "starttls" or "tls", or insecure = true if you know that nobody can
            notify "mail": tls is "ssl"; it is "starttls", "tls" or "none"
            notify "mail": port is 70000; write a number from 1 to 65535
            notify "mail": from: "daycap" is no address (Invalid input); write it as "Name <name@example.com>"
            notify "mail": to is missing; write it as to = ["ops@example.com"]
            notify "exec": min_severity is "high"; it is "info", "warning" or "critical"
            notify "exec": send_resolved is string; it is true or false
            notify "exec": timeout is "soon"; write a duration as "10s", "5m" or "2h""#]].assert_eq(&said);
    }

    #[test]
    fn a_mail_server_is_reached_as_its_tls_says() {
        let port = |lines: &str| {
            let server = if lines.contains("none") { "127.0.0.1" } else { "smtp.example.com" };
            let lines = format!(
                "type = \"mail\"\nserver = {server:?}\nfrom = \"a@example.com\"\nto = \"b@example.com\"\n{lines}"
            );
            match settle_text(&lines).expect("a good notifier").kind {
                Kind::Mail(mail) => (mail.security, mail.port),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(port(""), (Security::StartTls, 587));
        assert_eq!(port("tls = \"tls\""), (Security::Tls, 465));
        assert_eq!(port("tls = \"none\""), (Security::None, 25));
        assert_eq!(port("tls = \"tls\"\nport = 2465"), (Security::Tls, 2465));
    }
}
