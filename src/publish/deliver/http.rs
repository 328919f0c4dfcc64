//! A body becomes one POST, and the answer a delivery or a sentence that says whether to try again. Redirects are not
//! followed and no proxy is asked. This file never shows more of an address than its host: the rest may be a secret.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::secret::{Origin, Secret};
use super::{Again, DeliveryError};
use crate::publish::text::printable;

/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
/// How much of it is worth a sentence.
const SAID_CHARACTERS_MAX: usize = 300;
/// A receiver that wants to be left alone for longer is asked again after this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);
/// A part of an address that is shorter tells nothing: `v2`, `alerts`.
const HIDDEN_CHARACTERS_MIN: usize = 8;

/// How a receiver is reached, beside its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    pub login: Login,
    /// Certificates, in PEM, that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// Who daycap is to the receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Login {
    #[default]
    None,
    Bearer(Origin),
    Basic {
        username: String,
        password: Origin,
    },
}

impl Login {
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Login::None => None,
            Login::Bearer(origin) | Login::Basic { password: origin, .. } => Some(origin),
        }
    }

    /// What stands behind `Authorization:`.
    fn says(&self, secret: &Secret) -> Option<String> {
        match self {
            Login::None => None,
            Login::Bearer(_) => Some(format!("Bearer {}", secret.reveal())),
            Login::Basic { username, .. } => {
                Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{}", secret.reveal()))))
            }
        }
    }
}

/// What is to be sent.
pub struct Post {
    pub body: String,
    pub headers: Vec<(HeaderName, String)>,
    /// What the answer may repeat, and nobody is to read.
    pub hidden: Vec<Secret>,
}

impl Post {
    pub fn json(body: &serde_json::Value) -> Post {
        Post { body: body.to_string(), headers: Vec::new(), hidden: Vec::new() }
    }
}

/// One attempt's end and time.
#[derive(Clone, Copy)]
pub struct Attempt {
    pub time_max: Duration,
    pub now: DateTime<Utc>,
}

/// An address as it was told, read now: a chat's is a secret in a file.
pub fn address(origin: &Origin) -> Result<Url, DeliveryError> {
    let told = origin.read()?;
    parse_address(told.reveal()).map_err(DeliveryError::Unusable)
}

/// The address of a receiver, or what is wrong with it, without showing it.
pub fn parse_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("the url is no address ({error}); write it as https://…"))?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_http {
        return Err("the url does not start with https:// or http://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the url has a name or a password in it; use the keys username and password_file".to_owned());
    }
    Ok(url)
}

/// Whether this is the machine itself.
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    host == "localhost" || address.is_ok_and(|address: IpAddr| address.is_loopback())
}

/// `example.com:8443`: what of an address may be shown.
pub fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Send it, within its time.
pub async fn post(url: &Url, post: Post, reach: &Reach, attempt: Attempt) -> Result<(), DeliveryError> {
    let login = reach.login.origin().map(Origin::read).transpose()?;
    let authorization = login.as_ref().and_then(|secret| reach.login.says(secret));
    let client = client(url, reach.ca_file.as_deref(), attempt.time_max).await?;
    let mut request = client.post(url.clone()).header(CONTENT_TYPE, "application/json");
    request = request.header(USER_AGENT, concat!("daycap/", env!("CARGO_PKG_VERSION")));
    for (name, value) in post.headers {
        request = request.header(name, value);
    }
    if let Some(said) = &authorization {
        request = request.header(AUTHORIZATION, sensitive(said)?);
    }
    let encoded = authorization.as_ref().and_then(|said| said.rsplit(' ').next()).map(Secret::new);
    let hidden = Hidden::of(url, post.hidden.into_iter().chain(login).chain(encoded));
    match request.body(post.body).send().await {
        Ok(response) => judge(response, url, &hidden, attempt.now).await,
        Err(error) => Err(unreached(error, url, attempt.time_max, &hidden)),
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, DeliveryError> {
    let unusable = |_| DeliveryError::Unusable("the token has characters that no header can have".to_owned());
    let mut value = HeaderValue::try_from(text).map_err(unusable)?;
    value.set_sensitive(true);
    Ok(value)
}

/// A client for one attempt: what was trusted or resolved for the last one may have changed.
async fn client(url: &Url, ca_file: Option<&Path>, time_max: Duration) -> Result<Client, DeliveryError> {
    let (wants_roots, ca_file) = (url.scheme() == "https", ca_file.map(Path::to_owned));
    let roots = move || if wants_roots { trusted(ca_file.as_deref()) } else { Ok(RootCertStore::empty()) };
    let roots = tokio::task::spawn_blocking(roots).await.expect("reading certificates does not panic")?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Client::builder().tls_backend_preconfigured(config).http1_only().no_proxy().redirect(Policy::none());
    let client = client.timeout(time_max).build().expect("nothing in these settings can be refused");
    Ok(client)
}

/// The system's certificates (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others) and those of the file.
fn trusted(ca_file: Option<&Path>) -> Result<RootCertStore, DeliveryError> {
    let mut roots = RootCertStore::empty();
    // Where some cannot be read, the rest may do; where none can, the receiver's certificate is refused, in words.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in ca_file.map(certificates).transpose()?.unwrap_or_default() {
        let added = roots.add(certificate).map_err(|error| error.to_string());
        added.map_err(|error| DeliveryError::Trust { path: ca_file.unwrap_or(Path::new("")).to_owned(), error })?;
    }
    Ok(roots)
}

/// The certificates of a PEM file, at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, DeliveryError> {
    let refused = |error: String| DeliveryError::Trust { path: path.to_owned(), error };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => Err(refused("it has no certificate".to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(refused(error.to_string())),
    }
}

fn unreached(error: reqwest::Error, url: &Url, after: Duration, hidden: &Hidden) -> DeliveryError {
    if error.is_timeout() {
        return DeliveryError::Slow { host: host(url), after };
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    DeliveryError::Unreached { host: host(url), why: hidden.cut(&cause.to_string()) }
}

/// 2xx is a delivery, whatever else the answer says.
async fn judge(response: Response, url: &Url, hidden: &Hidden, now: DateTime<Utc>) -> Result<(), DeliveryError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let again = again(status, response.headers().get(RETRY_AFTER), now);
    let said = hidden.cut(&beginning(response).await);
    Err(DeliveryError::Answered { host: host(url), status: status.as_u16(), said, again })
}

fn again(status: StatusCode, retry_after: Option<&HeaderValue>, now: DateTime<Utc>) -> Again {
    let may_change = status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    if !may_change {
        return Again::Never;
    }
    let named = retry_after.and_then(|value| value.to_str().ok()).and_then(|text| wait(text.trim(), now));
    named.map_or(Again::Later, |wait| Again::After(wait.min(RETRY_AFTER_MAX)))
}

/// `Retry-After`: seconds (some send fractions), or a date.
fn wait(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.max(0.0).ceil()).ok();
    }
    let date = DateTime::<Utc>::from(httpdate::parse_http_date(text).ok()?);
    Some((date - now).to_std().unwrap_or_default())
}

/// What is lost of an answer that breaks off is not worth another error.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - bytes.len())]);
        if bytes.len() >= ANSWER_BYTES_MAX {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Texts that are taken out of whatever a receiver says: some repeat the path that they were asked for.
struct Hidden(Vec<String>);

impl Hidden {
    fn of(url: &Url, secrets: impl Iterator<Item = Secret>) -> Hidden {
        let parts = url.path().split('/').chain(url.query().into_iter().flat_map(|query| query.split(['&', '='])));
        let parts = parts.filter(|part| part.len() >= HIDDEN_CHARACTERS_MIN).map(str::to_owned);
        let secrets = secrets.map(|secret| secret.reveal().to_owned()).filter(|secret| !secret.is_empty());
        let mut hidden: Vec<String> = parts.chain(secrets).collect();
        // The longest first, lest a part of it be taken out and the rest stay.
        hidden.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Hidden(hidden)
    }

    /// What was said, on one line, without secrets, and not at length.
    fn cut(&self, said: &str) -> String {
        let said = self.0.iter().fold(said.to_owned(), |said, hidden| said.replace(hidden, "(secret)"));
        let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
        printable(&said).chars().take(SAID_CHARACTERS_MAX).collect()
    }
}
