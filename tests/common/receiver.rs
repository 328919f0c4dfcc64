//! An HTTP receiver on loopback that answers as it is told: well, badly, late, or not at all.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver as Channel, channel};
use std::sync::{Arc, Mutex};

use super::DEADLINE;

/// What one connection gets.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status, headers as lines, and a body.
    Says(u16, &'static str, &'static str),
    /// Nothing; the connection stays open, until it is let go.
    Hangs,
    /// The connection is cut when the request has been read.
    Dies,
    /// The connection is cut in the middle of the request.
    DiesEarly,
}

pub const GOOD: Answer = Answer::Says(200, "", "ok");

/// A request as it arrived. Names of headers are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Request {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a body of JSON")
    }
}

pub struct Receiver {
    pub address: SocketAddr,
    requests: Channel<Request>,
    hanging: Arc<Mutex<Vec<TcpStream>>>,
}

impl Receiver {
    /// Give these answers, one a connection; the last for ever.
    pub fn start(answers: &[Answer]) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, requests) = channel();
        let answers = answers.to_vec();
        let hanging = Arc::<Mutex<Vec<TcpStream>>>::default();
        let held = hanging.clone();
        // It ends with the test's process; a connection that hangs stays with it.
        std::thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let answer = &answers[index.min(answers.len() - 1)];
                let mut stream = stream.expect("a connection");
                if matches!(answer, Answer::Hangs) {
                    held.lock().expect("whole").push(stream.try_clone().expect("a second handle"));
                }
                let request = if matches!(answer, Answer::DiesEarly) { None } else { read(&stream) };
                if let Some(request) = request
                    && sender.send(request).is_err()
                {
                    return;
                }
                match answer {
                    Answer::Says(status, headers, body) => _ = write(&mut stream, *status, headers, body),
                    Answer::Hangs | Answer::Dies => {}
                    Answer::DiesEarly => _ = stream.read(&mut [0; 16]),
                }
            }
        });
        Receiver { address, requests, hanging }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request that arrived.
    pub fn next(&self) -> Request {
        self.requests.recv_timeout(DEADLINE).expect("a request arrives")
    }
}

impl Receiver {
    /// Cut the connections that hang.
    pub fn let_go(&self) {
        for stream in self.hanging.lock().expect("whole").drain(..) {
            // The other side may have given up already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Whether every request that arrived has been looked at.
    pub fn is_quiet(&self) -> bool {
        self.requests.try_recv().is_err()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, headers, body: String::from_utf8(body).ok()? })
}

fn write(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
}
