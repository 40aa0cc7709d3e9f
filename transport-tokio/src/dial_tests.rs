use super::*;
use embedded_io::ErrorKind;
use klamm::Transport as _;
use std::{
    future::{pending, poll_fn},
    sync::Arc,
    task::{Wake, Waker},
    thread::{self, Thread},
};
use tokio::net::TcpListener;

use crate::Tokio;

fn to(host: &str, port: u16, attempt: u32) -> Endpoint {
    Endpoint { host: host.into(), port, attempt }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// An address that refuses: nobody listens there any more.
async fn dead() -> SocketAddr {
    listener().await.1
}

#[tokio::test]
async fn a_refused_connection_says_where_and_why() {
    let dead = dead().await;
    let e = Tokio::current().connect(&to("127.0.0.1", dead.port(), 0)).await.expect_err("refused");
    assert_eq!((e.phase, e.kind, e.retriable), (Phase::Connect, ErrorKind::ConnectionRefused, true));
    assert!(e.text.to_lowercase().contains("refused"), "{e}");
    assert!(!e.text.contains("127.0.0.1"), "the core says it already: {e}");
    let e = Tokio::current().connect(&to("localhost", dead.port(), 0)).await.expect_err("refused");
    assert!(e.text.contains(&format!("{dead}: ")), "a name's addresses are told: {e}");
}

#[tokio::test]
async fn an_unknown_name_is_told_from_a_dead_address() {
    let e = Tokio::current().connect(&to("no such name.invalid", 9092, 0)).await.expect_err("no such name");
    assert_eq!(e.phase, Phase::Resolve);
    assert!(!e.text.is_empty());
}

/// Trap 17: an IPv6 literal as the cluster's metadata has it, without brackets.
#[tokio::test]
async fn an_ipv6_literal_is_an_address() {
    assert_eq!(look_up(&to("::1", 9, 0)).await.expect("a literal"), ["[::1]:9".parse().expect("an address")]);
    // Not every machine has an IPv6 loopback.
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
    let address = listener.local_addr().expect("bound");
    let stream = Tokio::current().connect(&to("::1", address.port(), 0)).await;
    assert!(stream.is_ok(), "{stream:?}");
    listener.accept().await.expect("the connection");
}

/// Trap 100: a name is looked up at each dial, and all that it stands for is tried; here `localhost`, which on most
/// machines is ::1 and 127.0.0.1, with only one of them listening.
#[tokio::test]
async fn a_name_is_reached_by_whichever_address_listens() {
    let (listener, address) = listener().await;
    for attempt in 0..3 {
        let stream = Tokio::current().connect(&to("localhost", address.port(), attempt)).await;
        assert!(stream.is_ok(), "attempt {attempt}: {stream:?}");
        listener.accept().await.expect("the connection");
    }
}

/// Trap 100: the next address follows one that failed.
#[tokio::test]
async fn a_dead_first_address_does_not_stop_the_next() {
    let (listener, live) = listener().await;
    let stream = dial(vec![dead().await, dead().await, live], TURN, tokio::net::TcpStream::connect).await;
    assert!(stream.is_ok(), "{stream:?}");
    listener.accept().await.expect("the connection");
}

/// Trap 100: the address that was first and failed is not the first of the next attempt.
#[test]
fn each_attempt_begins_at_the_next_address() {
    let all: Vec<SocketAddr> = (1..=3).map(|n| SocketAddr::from(([10, 0, 0, n], 9092))).collect();
    let first = |attempt| in_turn(all.clone(), attempt)[0];
    assert_eq!([0, 1, 2, 3, 4].map(first), [all[0], all[1], all[2], all[0], all[1]]);
    assert_eq!(in_turn(all.clone(), 2), [all[2], all[0], all[1]]);
    assert_eq!(in_turn(Vec::new(), 7), []);
    let many: Vec<SocketAddr> = (0..100).map(|n| SocketAddr::from(([10, 0, 0, n], 9092))).collect();
    assert_eq!(in_turn(many.clone(), 50), many[50..50 + ADDRESSES_MAX]);
}

/// Trap 100: an address that swallows packets costs its turn and no more.
#[tokio::test]
async fn a_silent_address_loses_its_turn() {
    let (listener, live) = listener().await;
    let silent: SocketAddr = "192.0.2.1:9092".parse().expect("an address");
    let connect = async |address| {
        if address == silent { pending().await } else { tokio::net::TcpStream::connect(address).await }
    };
    let dialled = timeout(Duration::from_secs(10), dial(vec![silent, live], Duration::from_millis(20), connect)).await;
    assert!(matches!(dialled, Ok(Ok(_))), "{dialled:?}");
    listener.accept().await.expect("the connection");
}

#[tokio::test]
async fn the_error_names_every_address() {
    let (a, b, silent) = (dead().await, dead().await, "192.0.2.1:9092".parse().expect("an address"));
    let connect = async |address| {
        if address == silent { pending().await } else { tokio::net::TcpStream::connect(address).await }
    };
    let dialled = dial(vec![a, silent, b], Duration::from_millis(20), connect);
    let failed = timeout(Duration::from_secs(10), dialled).await.expect("in time");
    let (e, text) = failed.expect_err("all are dead").expect("three were tried");
    assert_eq!(e.kind(), io::ErrorKind::ConnectionRefused);
    let parts: Vec<&str> = text.split("; ").collect();
    assert_eq!(parts.len(), 3, "{text}");
    assert!(parts[0].starts_with(&format!("{a}: ")) && parts[2].starts_with(&format!("{b}: ")), "{text}");
    assert_eq!(parts[1], "192.0.2.1:9092: no answer within 20ms");
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// An executor that knows nothing of tokio.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(out) => return out,
            Poll::Pending => thread::park(),
        }
    }
}

/// A handle may drive the connections of a client from any thread.
#[test]
fn all_of_it_can_be_polled_outside_the_runtime() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (listener, address) = runtime.block_on(listener());
    let mut tokio = Tokio::new(runtime.handle().clone());
    block_on(async {
        let mut stream = tokio.connect(&to("localhost", address.port(), 0)).await.expect("a connection");
        let (mut peer, _) = runtime.block_on(listener.accept()).expect("the connection");
        let wrote = poll_fn(|cx| stream.poll_write(cx, &[b"out"])).await;
        assert_eq!(wrote, Ok(3));
        let mut buf = [0; 8];
        assert_eq!(tokio::io::AsyncReadExt::read(&mut peer, &mut buf).await.expect("bytes"), 3);
        let until = tokio.clock().now().after(Duration::from_millis(20));
        poll_fn(|cx| tokio.poll_sleep(cx, until)).await;
        assert!(tokio.clock().now() >= until);
    });
}

/// The system may give twice as much, and counts its own of it; it is far from what it gives by itself.
#[tokio::test]
async fn buffers_are_as_large_as_was_said() {
    let (_listener, live) = listener().await;
    let sizes = async |transport: Tokio| {
        let mut transport = transport;
        let stream = transport.connect(&to("127.0.0.1", live.port(), 0)).await.expect("somebody listens");
        let socket = socket2::SockRef::from(&stream.0);
        (socket.send_buffer_size().expect("known"), socket.recv_buffer_size().expect("known"))
    };
    let (send, receive) =
        sizes(Tokio::through(Direct::default().socket_buffers(Some(20_000), Some(10_000)), Handle::current())).await;
    assert!((20_000..=40_000).contains(&send), "{send}");
    assert!((10_000..=20_000).contains(&receive), "{receive}");
    let (send, receive) = sizes(Tokio::current()).await;
    assert!(send > 40_000 && receive > 20_000, "{send} {receive}");
}
