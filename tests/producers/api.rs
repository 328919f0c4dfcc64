//! The API that producers call: each request gets the next answer of a fixed script, and is counted. That count is
//! the truth. Nothing here knows how daycap would name a request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

/// What was asked, and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    pub method: String,
    /// With `{id}` where an id was.
    pub path: String,
    /// The name of a GraphQL operation.
    pub operation: Option<String>,
    pub status: u16,
}

/// Requests of each kind.
type Truth = BTreeMap<Asked, u64>;

pub struct Api {
    pub url: String,
    script: Arc<Script>,
}

struct Script {
    /// It begins with this answer, so that no two APIs are asked alike.
    first: u64,
    truth: Mutex<Truth>,
}

impl Api {
    /// On a port of its own, until the runtime ends.
    pub async fn start(first: u64) -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let script = Arc::new(Script { first, truth: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(script.clone());
        Handle::current().spawn(async move { axum::serve(listener, router).await });
        Api { url, script }
    }

    pub fn truth(&self) -> Truth {
        self.script.truth.lock().expect("not poisoned").clone()
    }
}

async fn answer(State(script): State<Arc<Script>>, method: Method, uri: Uri, body: String) -> (StatusCode, String) {
    let path = without_id(uri.path());
    let mut truth = script.truth.lock().expect("not poisoned");
    let earlier: u64 = truth.iter().filter(|(asked, _)| asked.path == path).map(|(_, times)| times).sum();
    let answers = answers(&path);
    let status = answers[usize::try_from(script.first + earlier).expect("few") % answers.len()];
    let asked = Asked { method: method.to_string(), path, operation: operation(&body), status };
    *truth.entry(asked).or_default() += 1;
    (StatusCode::from_u16(status).expect("a status"), "{\"data\": {}}".to_owned())
}

/// Statuses in the order in which a path gives them, again and again. 429 and 500 make every client here try again;
/// jobs are so busy that some give up.
fn answers(path: &str) -> &'static [u16] {
    match path {
        "/graphql" => &[200, 200, 429, 200, 500, 429, 200],
        "/users/{id}" => &[200, 404, 200, 500, 200],
        "/jobs/{id}" => &[429, 429, 429, 200],
        _ => panic!("nobody should ask for {path}"),
    }
}

/// The paths of calls.json are known: what follows a collection is an id.
fn without_id(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((collection @ ("/users" | "/jobs"), _)) => format!("{collection}/{{id}}"),
        _ => path.to_owned(),
    }
}

fn operation(body: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    body["operationName"].as_str().map(str::to_owned)
}
