//! The latest snapshot, over HTTP: metrics, health, status as JSON, and a plain page. GET only.
//! This file never changes anything, and never computes what it shows.

use std::fmt::Write;
use std::future::{Future, IntoFuture};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use super::snapshot::Snapshot;
use super::{metrics, status};

/// A snapshot older than this means that the daemon hangs: it makes one every few seconds.
const SNAPSHOT_AGE_SECONDS_MAX: i64 = 60;
/// How long answers under way may take once the end is called.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Site {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    now: fn() -> DateTime<Utc>,
}

impl Site {
    fn latest(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }
}

/// All routes. `now` tells how old the latest snapshot is.
pub fn router(snapshots: watch::Receiver<Arc<Snapshot>>, now: fn() -> DateTime<Utc>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/metrics", get(metrics_text))
        .route("/healthz", get(health))
        .route("/api/v1/status", get(status_json))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(Site { snapshots, now })
}

/// Answer on `listener` until `shutdown` is done and the answers under way are given, but at most
/// [`GRACE`] longer: a client that never ends its request cannot keep the daemon up.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    serve_with_grace(listener, router, shutdown, GRACE).await
}

async fn serve_with_grace(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
    grace: Duration,
) -> io::Result<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    let until_stopped = async { drop(stopped.await) };
    let server = axum::serve(listener, router).with_graceful_shutdown(until_stopped).into_future();
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => return ended,
        () = shutdown => drop(stop),
    }
    tokio::time::timeout(grace, server).await.unwrap_or(Ok(()))
}

async fn metrics_text(State(site): State<Site>) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(&site.latest())).into_response()
}

async fn health(State(site): State<Site>) -> Response {
    let reasons = ailments(&site.latest(), (site.now)());
    if reasons.is_empty() {
        return (StatusCode::OK, "ok\n").into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n").into_response()
}

/// Why the daemon is not doing its work, one sentence each.
fn ailments(snapshot: &Snapshot, now: DateTime<Utc>) -> Vec<String> {
    let age_seconds = (now - snapshot.at).num_seconds();
    let stale = (age_seconds > SNAPSHOT_AGE_SECONDS_MAX)
        .then(|| format!("nothing was counted or looked at for {age_seconds} s"));
    let failing = snapshot.commit.failing.as_ref().map(|reason| format!("counts are not being saved: {reason}"));
    stale.into_iter().chain(failing).collect()
}

async fn status_json(State(site): State<Site>) -> Response {
    Json(&*site.latest()).into_response()
}

async fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "there is nothing here; / lists what there is")
}

async fn not_allowed() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered")
}

fn problem(code: StatusCode, error: &str) -> Response {
    (code, Json(json!({ "error": error }))).into_response()
}

async fn page(State(site): State<Site>) -> Html<String> {
    Html(page_html(&site.latest()))
}

fn page_html(snapshot: &Snapshot) -> String {
    let mut quotas = String::new();
    for quota in &snapshot.quotas {
        // Writing to a String cannot fail.
        let _ = writeln!(quotas, "<li><b>{}</b>: {}</li>", html_text(&quota.name), html_text(&status::one_line(quota)));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>daycap</title>\n<h1>daycap</h1>\n<p>{host}, {at}</p>\n<ul>\n{quotas}</ul>\n\
         <p><a href=\"metrics\">metrics</a> · <a href=\"api/v1/status\">status as JSON</a> · <a href=\"healthz\">health</a></p>\n</html>\n",
        host = html_text(&snapshot.host),
        at = snapshot.at.format("%Y-%m-%d %H:%M:%S UTC"),
    )
}

fn html_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use expect_test::expect;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::publish::example;

    /// Serve this snapshot, send one request, stop, and give status, head and body of the answer.
    async fn ask(snapshot: Snapshot, request_line: &str) -> (u16, String, String) {
        let (_sender, snapshots) = watch::channel(Arc::new(snapshot));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = serve(listener, router(snapshots, example::now), async { drop(stopped.await) });
        let client = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("{request_line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            drop(stop);
            answer
        };
        let (served, answer) = tokio::join!(server, client);
        served.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_string())
    }

    #[tokio::test]
    async fn metrics_are_the_text_format() {
        let (code, head, body) = ask(example::snapshot(), "GET /metrics").await;
        assert_eq!(code, 200);
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        assert_eq!(body, metrics::render(&example::snapshot()));
    }

    #[tokio::test]
    async fn a_daemon_that_works_is_healthy() {
        let (code, _, body) = ask(example::snapshot(), "GET /healthz").await;
        assert_eq!((code, body.as_str()), (200, "ok\n"));
    }

    #[tokio::test]
    async fn a_daemon_that_hangs_or_cannot_save_is_not_healthy_and_says_why() {
        let mut snapshot = example::snapshot();
        snapshot.at = example::now() - TimeDelta::seconds(61);
        snapshot.commit.failing = Some("No space left on device".into());
        let (code, _, body) = ask(snapshot, "GET /healthz").await;
        assert_eq!(code, 503);
        assert_eq!(
            body,
            "nothing was counted or looked at for 61 s\ncounts are not being saved: No space left on device\n"
        );
    }

    #[test]
    fn a_snapshot_of_a_minute_ago_is_still_fresh() {
        let snapshot = example::snapshot();
        assert!(ailments(&snapshot, snapshot.at + TimeDelta::seconds(60)).is_empty());
        assert!(ailments(&snapshot, snapshot.at - TimeDelta::hours(1)).is_empty());
    }

    #[tokio::test]
    async fn status_is_the_snapshot_as_json() {
        let (code, head, body) = ask(example::snapshot(), "GET /api/v1/status").await;
        assert_eq!(code, 200);
        assert!(head.contains("content-type: application/json"), "{head}");
        let status: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status["quotas"][0]["used"], 12_345);
        assert_eq!(status["quotas"][1]["alerts"][0], "projected");
        assert_eq!(
            status["quotas"][0]["top"][1],
            json!({ "service": "crm", "operation": "contact", "units": 4_222, "usual": 4_000 })
        );
        assert_eq!(status["sources"][0]["last_request"], "2026-11-22T14:29:58Z");
    }

    #[tokio::test]
    async fn what_is_not_there_is_a_json_error() {
        let (code, _, body) = ask(example::snapshot(), "GET /metric").await;
        assert_eq!((code, body.as_str()), (404, "{\"error\":\"there is nothing here; / lists what there is\"}"));
        let (code, head, body) = ask(example::snapshot(), "POST /metrics").await;
        assert_eq!((code, body.as_str()), (405, "{\"error\":\"only GET is answered\"}"));
        assert!(head.contains("allow: get,head"), "{head}");
    }

    #[test]
    fn the_page_escapes_what_it_shows() {
        let mut snapshot = example::snapshot();
        snapshot.quotas.truncate(1);
        snapshot.quotas[0].name = "<script>'\"&".into();
        expect![[r#"
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width">
            <title>daycap</title>
            <h1>daycap</h1>
            <p>app-1, 2026-11-22 14:30:00 UTC</p>
            <ul>
            <li><b>&lt;script&gt;&#39;&quot;&amp;</b>: 12,345/40,000 (31 %) · forecast 33.9k [31-37k] · reset 00:00 UTC</li>
            </ul>
            <p><a href="metrics">metrics</a> · <a href="api/v1/status">status as JSON</a> · <a href="healthz">health</a></p>
            </html>
        "#]].assert_eq(&page_html(&snapshot));
    }

    /// An unfinished request would hold a graceful end for ever. The finished request that follows it on
    /// another connection shows that the server had both.
    #[tokio::test]
    async fn a_client_that_never_ends_its_request_cannot_keep_the_server_up() {
        let (_sender, snapshots) = watch::channel(Arc::new(example::snapshot()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut unfinished = TcpStream::connect(address).await.unwrap();
        unfinished.write_all(b"GET / HT").await.unwrap();
        let finished = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        };
        serve_with_grace(listener, router(snapshots, example::now), finished, Duration::ZERO).await.unwrap();
    }
}
