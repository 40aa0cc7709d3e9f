//! A server of `wasi:http/incoming-handler`: a fresh instance for each request.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use http_body_util::BodyExt as _;
use hyper::{server::conn::http1, service::service_fn};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use wasmtime_wasi_http::{
    WasiHttpView as _,
    io::TokioIo,
    p2::{
        bindings::{ProxyPre, http::types::Scheme},
        body::HyperOutgoingBody,
    },
};

use crate::{Grants, Guest};

/// A running server. Dropped, it takes no more connections.
pub struct Server {
    pub address: String,
    inner: Arc<Inner>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Inner {
    guest: Guest,
    grants: Grants,
    env: Vec<(String, String)>,
    /// Handlers that have not returned.
    running: AtomicUsize,
    /// What handlers said on stderr, and their memory at the end.
    said: Mutex<String>,
    memory: AtomicUsize,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    pub async fn start(guest: &Guest, grants: Grants, env: &[(&str, &str)]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it has one").to_string();
        let inner = Arc::new(Inner {
            guest: guest.clone(),
            grants,
            env: env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            running: AtomicUsize::new(0),
            said: Mutex::default(),
            memory: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&inner);
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let inner = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(|request| Arc::clone(&inner).handle(request));
                    // A client that goes away is nothing to a test.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
                });
            }
        });
        Server { address, inner, accepting }
    }

    /// Handlers that run now.
    pub fn running(&self) -> usize {
        self.inner.running.load(Ordering::SeqCst)
    }

    /// What the handlers that have returned said on stderr.
    pub fn said(&self) -> String {
        self.inner.said.lock().expect("no test panics in here").clone()
    }

    /// The most linear memory that an instance had.
    pub fn memory_bytes(&self) -> usize {
        self.inner.memory.load(Ordering::SeqCst)
    }
}

impl Inner {
    async fn handle(
        self: Arc<Self>,
        request: hyper::Request<hyper::body::Incoming>,
    ) -> Result<hyper::Response<HyperOutgoingBody>, Infallible> {
        let env: Vec<(&str, &str)> = self.env.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let (mut store, [_, err]) = self.guest.store(self.grants, &[], &env);
        let (sender, answer) = oneshot::channel();
        let request = store.data_mut().http().new_incoming_request(Scheme::Http, request).expect("a request");
        let out = store.data_mut().http().new_response_outparam(sender).expect("a place for the answer");
        let linked = ProxyPre::new(self.guest.linked.clone()).expect("it handles requests");
        self.running.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let proxy = linked.instantiate_async(&mut store).await.expect("instantiates");
            let handled = proxy.wasi_http_incoming_handler().call_handle(&mut store, request, out).await;
            let said = String::from_utf8_lossy(&err.contents()).into_owned();
            let trap = handled.err().map_or(String::new(), |trap| format!("{trap:?}\n"));
            self.said.lock().expect("no test panics in here").push_str(&(said + &trap));
            self.memory.fetch_max(store.data().memory.load(Ordering::SeqCst), Ordering::SeqCst);
            self.running.fetch_sub(1, Ordering::SeqCst);
        });
        let failed = |why: &str| {
            let body = http_body_util::Full::new(why.to_owned().into()).map_err(|never| match never {});
            hyper::Response::builder().status(500).body(body.boxed_unsync()).expect("an answer")
        };
        Ok(match answer.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(code)) => failed(&format!("{code:?}")),
            Err(_) => failed("the handler gave no answer"),
        })
    }
}

/// An answer, as a client gets it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// One request on a connection of its own.
pub async fn request(address: &str, method: &str, path: &str, body: &[u8]) -> Answer {
    let mut connection = TcpStream::connect(address).await.expect("it listens");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(&[head.as_bytes(), body].concat()).await.expect("taken");
    let mut all = Vec::new();
    connection.read_to_end(&mut all).await.expect("an answer");
    let all = String::from_utf8(all).expect("text");
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{all:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = match head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        true => unchunked(body),
        false => body.to_owned(),
    };
    Answer { status, head: head.to_owned(), body }
}

fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        body.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    body
}

/// An event, to `/events`.
pub async fn post(server: &Server, query: &str, body: &str) -> Answer {
    request(&server.address, "POST", &format!("/events{query}"), body.as_bytes()).await
}
