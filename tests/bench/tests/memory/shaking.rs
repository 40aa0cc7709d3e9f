//! One connection's TLS alone: what it holds, by the byte.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{Read, Write},
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, Waker},
};

use klamm_bench::{
    counting::{COUNTED, LIVE, PEAK, uncounted},
    secured::server,
};
use klamm_kafka_tests::Certificates;
use klamm_tokio::{
    ByteStream, Clock, Config, Instant, TransportError,
    tls::{self, TlsStream, rustls::ServerConnection},
};

use crate::gauge::alone;

type Bytes = Rc<RefCell<VecDeque<u8>>>;

/// Both directions, whose memory nobody counts.
struct Wire {
    up: Bytes,
    down: Bytes,
}

impl ByteStream for Wire {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        let count = self.down.borrow_mut().read(buf).expect("memory");
        if count == 0 { Poll::Pending } else { Poll::Ready(Ok(count)) }
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        uncounted(|| bufs.iter().for_each(|buf| self.up.borrow_mut().extend(*buf)));
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }
}

struct Now;

impl Clock for Now {
    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn unix_ms(&self) -> Option<i64> {
        Some(1_780_000_000_000)
    }
}

struct Broker {
    tls: ServerConnection,
    up: Bytes,
    down: Bytes,
}

impl Broker {
    fn turn(&mut self) {
        let mut all: Vec<u8> = self.up.borrow_mut().drain(..).collect();
        let mut rest = &mut all[..];
        while !rest.is_empty() {
            let count = self.tls.read_tls(&mut &*rest).expect("memory");
            rest = &mut rest[count..];
            let state = self.tls.process_new_packets().expect("TLS");
            let mut heard = vec![0; state.plaintext_bytes_to_read()];
            self.tls.reader().read_exact(&mut heard).expect("it is here");
        }
        while self.tls.wants_write() {
            self.tls.write_tls(&mut *self.down.borrow_mut()).expect("memory");
        }
    }

    /// Polls with what it takes counted, and the broker's turns not.
    fn until<T>(&mut self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        for _ in 0..100_000 {
            COUNTED.set(true);
            let polled = poll(&mut Context::from_waker(Waker::noop()));
            COUNTED.set(false);
            match polled {
                Poll::Ready(done) => return done,
                Poll::Pending => self.turn(),
            }
        }
        panic!("nothing goes on");
    }
}

/// What a connection holds when its handshake is over, and the most that it and the work on it ever took.
fn measure(names: &[String]) -> (isize, isize) {
    let names: Vec<&str> = ["localhost"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let certificates = Certificates::naming(&names);
    let (up, down) = (Bytes::default(), Bytes::default());
    let mut server = ServerConnection::new(server(&certificates)).expect("a server");
    server.set_buffer_limit(None);
    let mut broker = Broker { tls: server, up: Rc::clone(&up), down: Rc::clone(&down) };
    let tls = tls::builder().ca_pem(&certificates.ca).build().expect("settings");
    let clock: Arc<dyn Clock> = Arc::new(Now);
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    COUNTED.set(true);
    let mut client = TlsStream::new(Wire { up, down }, &tls, &clock, "localhost").expect("a name");
    broker.until(|cx| client.poll_handshake(cx)).expect("a handshake");
    let begun = LIVE.load(Relaxed) - before;
    broker.tls.writer().write_all(&[1; 100_000]).expect("no limit");
    broker.turn();
    let (mut buf, part): (_, &[u8]) = (Box::new([0; 1_000]), &[2; 5_000]);
    for _ in 0..100 {
        assert!(broker.until(|cx| client.poll_read(cx, &mut buf[..])).expect("read") > 0);
        assert!(broker.until(|cx| client.poll_write(cx, &[part; 10])).expect("written") > 0);
    }
    let most = PEAK.load(Relaxed) - before;
    COUNTED.set(true);
    drop(client);
    COUNTED.set(false);
    (begun, most)
}

/// What the plan says of one connection is true of short certificates and of the longest.
#[test]
fn a_connections_tls_is_what_the_plan_says() {
    let _alone = alone();
    let mut config = Config::new("a:1").tls(tls::builder().ca_pem(Certificates::new().ca).build().expect("settings"));
    (config.single_connection, config.max_brokers) = (true, 1);
    let plan = config.memory_plan().expect("fits");
    let planned: usize = plan.lines().iter().filter(|line| line.what.starts_with("TLS")).map(|line| line.bytes).sum();
    for count in [1, 100, 450] {
        let names: Vec<String> =
            (0..count).map(|n| format!("broker-{n}.a-rather-long-name-of-a-domain.example")).collect();
        let (begun, most) = measure(&names);
        println!("{count} names: {begun} bytes when begun, {most} at most, {planned} planned");
        assert!(most <= planned as isize, "{count} names: {most} of {planned}");
    }
}
