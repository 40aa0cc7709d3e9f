//! `TlsStream` against rustls' own server: what the network does to the bytes between them is what the fuzzer says, during the
//! handshake and after it.
//!
//! An input is a version, then what happens, each with its numbers: see `Run::step`.

use crate::{choices::Choices, toy};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use embedded_io::ErrorKind;
use klamm::tls::{Tls, TlsStream};
use klamm::{ByteStream, Clock, Instant, Phase, TransportError};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};

const HOST: &str = "broker.example";
const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
/// Polls in which a stream may ask for another turn, before anything happens outside.
const TURNS_MAX: usize = 1_000;
/// Keys that a server changes in one run: clients of rustls count what servers may ask of them.
const KEYS_MAX: usize = 20;
/// After so many bytes the pattern begins again: no power of two, as records' sizes are.
const PERIOD: usize = 251;
/// The most bytes that are said or read at once: what a number of the input can be, and what the server has read of it.
const AT_ONCE: usize = 1 << 17;
/// Operations of one run.
const OPERATIONS_MAX: usize = 300;

/// Both sides' settings, with certificates that only a [`toy`] takes for signed.
struct Settings {
    client: Tls,
    servers: [Arc<ServerConfig>; 2],
}

fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let mut ca = CertificateParams::new([]).expect("no names");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let (ca_key, key) = (toy::Key::new(1), toy::Key::new(2));
        let ca_der = ca.self_signed(&ca_key).expect("signed").der().to_vec();
        let broker = CertificateParams::new([HOST.to_owned()]).expect("a name");
        let broker = broker.signed_by(&key, &Issuer::new(ca, ca_key)).expect("signed").der().clone();
        let provider = Arc::new(toy::provider());
        let servers = VERSIONS.map(|version| {
            let certified = CertifiedKey::new(vec![broker.clone()], Arc::new(key.clone()));
            let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
            let builder = builder.with_protocol_versions(&[version]).expect("a version").with_no_client_auth();
            Arc::new(builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified))))
        });
        let client = Tls::builder(provider).ca_der(ca_der).build().expect("settings");
        Settings { client, servers }
    })
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Instant {
        Instant::from_nanos(1)
    }

    fn unix_ms(&self) -> Option<i64> {
        Some(1_780_000_000_000)
    }
}

/// What is on its way.
#[derive(Default)]
struct Between {
    up: Vec<u8>,
    down: VecDeque<u8>,
    /// So many bytes of those on the way down may be read now.
    may_read: usize,
    /// So many may be written now.
    may_write: usize,
    ended: bool,
    reset: bool,
}

#[derive(Clone, Default)]
struct Wire(Rc<RefCell<Between>>);

impl ByteStream for Wire {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        assert!(!buf.is_empty(), "nobody reads nothing");
        let mut between = self.0.borrow_mut();
        if between.reset {
            return Poll::Ready(Err(TransportError::new(Phase::Io, ErrorKind::ConnectionReset, "reset")));
        }
        let count = buf.len().min(between.down.len()).min(between.may_read);
        if count == 0 {
            return if between.ended && between.down.is_empty() { Poll::Ready(Ok(0)) } else { Poll::Pending };
        }
        between.may_read -= count;
        between.down.read_exact(&mut buf[..count]).expect("they are here");
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        let mut between = self.0.borrow_mut();
        if between.reset {
            return Poll::Ready(Err(TransportError::new(Phase::Io, ErrorKind::BrokenPipe, "gone")));
        }
        let all = bufs.concat();
        let count = all.len().min(between.may_write);
        assert!(!all.is_empty(), "nobody writes nothing");
        if count == 0 {
            return Poll::Pending;
        }
        between.may_write -= count;
        between.up.extend_from_slice(&all[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Bytes that tell their place. Made once: instrumented, a loop over each byte takes longer than what is looked for.
fn pattern(from: usize, count: usize) -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = BYTES.get_or_init(|| (0..PERIOD + AT_ONCE).map(|n| (n % PERIOD) as u8).collect());
    &bytes[from % PERIOD..][..count]
}

struct Run {
    wire: Wire,
    server: ServerConnection,
    server_failed: bool,
    client: TlsStream<Wire>,
    established: bool,
    failed: Option<TransportError>,
    /// So much each side has said, and heard.
    said: [usize; 2],
    heard: [usize; 2],
    /// The bytes on the way are not what was said.
    harmed: bool,
    /// The server has said goodbye.
    closed: bool,
    /// The client has, to the server.
    heard_goodbye: bool,
    /// So often it has changed its keys.
    renewed: usize,
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

impl Run {
    fn new(version: usize) -> Run {
        let wire = Wire::default();
        let server = ServerConnection::new(Arc::clone(&settings().servers[version % 2])).expect("a server");
        let clock: Arc<dyn Clock> = Arc::new(Noon);
        let client = TlsStream::new(wire.clone(), &settings().client, &clock, HOST).expect("a name");
        let (said, heard) = ([0; 2], [0; 2]);
        Run {
            wire,
            server,
            server_failed: false,
            client,
            established: false,
            failed: None,
            said,
            heard,
            harmed: false,
            closed: false,
            heard_goodbye: false,
            renewed: 0,
        }
    }

    /// The server reads and answers.
    fn turn(&mut self) {
        // rustls asserts that a server that has said goodbye hears nothing false any more; its client does, from one whose keys
        // are others because of what was harmed.
        self.server_failed |= self.closed && self.harmed;
        let up = std::mem::take(&mut self.wire.0.borrow_mut().up);
        let mut up = &up[..];
        while !up.is_empty() && !self.server_failed {
            self.server_failed = self.server.read_tls(&mut up).is_err();
            match self.server.process_new_packets() {
                Ok(state) => {
                    self.heard_goodbye |= state.peer_has_closed();
                    let mut plain = vec![0; state.plaintext_bytes_to_read()];
                    self.server.reader().read_exact(&mut plain).expect("it is here");
                    assert!(plain == pattern(self.heard[SERVER], plain.len()), "the server hears what was said");
                    self.heard[SERVER] += plain.len();
                    assert!(self.heard[SERVER] <= self.said[CLIENT]);
                }
                Err(_) => self.server_failed = true,
            }
        }
        let mut between = self.wire.0.borrow_mut();
        while self.server.wants_write() && !between.ended {
            self.server.write_tls(&mut between.down).expect("memory");
        }
    }

    /// Polls the client, as long as it asks for another turn by itself.
    fn poll<T>(
        &mut self,
        mut poll: impl FnMut(&mut TlsStream<Wire>, &mut Context<'_>) -> Poll<Result<T, TransportError>>,
    ) -> Option<T> {
        for _ in 0..TURNS_MAX {
            let woken = Arc::new(Woken::default());
            let waker = Waker::from(Arc::clone(&woken));
            match poll(&mut self.client, &mut Context::from_waker(&waker)) {
                Poll::Ready(Ok(done)) => return Some(done),
                Poll::Ready(Err(error)) => {
                    self.fails(error);
                    return None;
                }
                Poll::Pending if woken.0.load(Ordering::SeqCst) => {}
                Poll::Pending => return None,
            }
        }
        panic!("it turns around without end");
    }

    /// A stream that has failed has an error that says so, in words, and stays failed.
    fn fails(&mut self, error: TransportError) {
        assert!(!error.text.is_empty(), "{error:?}");
        self.failed.get_or_insert(error);
    }

    fn read(&mut self, room: usize) {
        let mut buf = vec![0; room];
        let Some(count) = self.poll(|client, cx| client.poll_read(cx, &mut buf)) else { return };
        assert!(buf[..count] == *pattern(self.heard[CLIENT], count), "the client reads what was said");
        self.heard[CLIENT] += count;
        assert!(count > 0 || self.closed || !self.established, "an end that nobody told");
        assert!(self.heard[CLIENT] <= self.said[SERVER]);
    }

    fn write(&mut self, count: usize, slice: usize) {
        if !self.established {
            return;
        }
        let bytes = pattern(self.said[CLIENT], count);
        let slices: Vec<&[u8]> = bytes.chunks(slice.max(1)).collect();
        // What a write that failed has taken may have been sent.
        self.said[CLIENT] += self.poll(|client, cx| client.poll_write(cx, &slices)).unwrap_or(0);
    }

    fn flush(&mut self) {
        let _ = self.poll(|client, cx| client.poll_flush(cx));
    }

    fn shake(&mut self) {
        self.established |= self.poll(|client, cx| client.poll_handshake(cx)).is_some();
    }

    fn say(&mut self, count: usize) {
        if self.server_failed {
            return;
        }
        let taken = self.server.writer().write(pattern(self.said[SERVER], count));
        self.said[SERVER] += taken.expect("memory");
    }

    /// Something that TLS must not take for the peer's word.
    fn harm(&mut self, how: usize, choices: &mut Choices<'_>) {
        self.harmed = true;
        let mut between = self.wire.0.borrow_mut();
        let count = between.down.len();
        match how {
            0 => {
                let (at, bits) = (choices.number(), choices.byte() as u8);
                if let Some(byte) = between.down.get_mut(at % count.max(1)) {
                    *byte ^= bits;
                }
            }
            1 => drop(between.down.drain(..choices.byte().min(count))),
            2 => between.down.extend((0..choices.byte() % 16).map(|_| choices.byte() as u8)),
            3 => {
                // The same again, as an attacker may send it.
                let again: Vec<u8> = between.down.iter().copied().take(choices.number()).collect();
                between.down.extend(again);
            }
            _ => (between.ended, between.reset) = (true, choices.byte() % 2 == 0),
        }
    }

    /// One thing that happens.
    fn step(&mut self, what: usize, choices: &mut Choices<'_>) {
        match what % 16 {
            0 => self.turn(),
            1 => self.wire.0.borrow_mut().may_read += choices.number(),
            2 => self.wire.0.borrow_mut().may_write += choices.number(),
            3 => self.shake(),
            4 => self.read(choices.number() + 1),
            5 => self.write(choices.number(), choices.number()),
            6 => self.say(choices.number()),
            7 if self.renewed < KEYS_MAX => {
                self.renewed += 1;
                drop(self.server.refresh_traffic_keys());
            }
            7 => {}
            8 => self.flush(),
            9 => {
                self.closed = true;
                self.server.send_close_notify();
            }
            10 => self.settle(),
            harm => self.harm(harm - 11, choices),
        }
    }

    /// The client ends the connection, and says so.
    fn close(&mut self) {
        self.wire.0.borrow_mut().may_write = 1 << 30;
        let closed = self.poll(|client, cx| client.poll_close(cx)).is_some();
        self.turn();
        assert!(closed && self.heard_goodbye, "it goes without a word");
    }

    /// Nothing is held back, until nothing moves any more.
    fn settle(&mut self) {
        loop {
            let before = (self.heard, self.wire.0.borrow().down.len());
            {
                let mut between = self.wire.0.borrow_mut();
                (between.may_read, between.may_write) = (1 << 30, 1 << 30);
            }
            self.turn();
            if !self.established {
                self.shake();
            }
            if self.established {
                self.flush();
                self.read(5_000);
            }
            self.turn();
            if (self.heard, self.wire.0.borrow().down.len()) == before {
                break;
            }
        }
        let mut between = self.wire.0.borrow_mut();
        (between.may_read, between.may_write) = (0, 0);
    }
}

/// What comes out is what was said, whatever happens on the way; and all of it does, where nothing happens.
pub fn run(data: &[u8]) {
    toy::begin();
    let mut choices = Choices(data);
    let mut run = Run::new(choices.byte());
    for _ in 0..OPERATIONS_MAX {
        if choices.0.is_empty() {
            break;
        }
        let what = choices.byte();
        run.step(what, &mut choices);
    }
    run.settle();
    match (&run.failed, run.harmed, run.closed) {
        (Some(_), true, _) | (_, _, true) => {
            // Failed is failed.
            if run.failed.is_some() {
                let failed = run.poll(|client, cx| client.poll_read(cx, &mut [0; 9]));
                assert!(failed.is_none_or(|count| count == 0), "it goes on after it failed");
            }
        }
        (Some(error), false, false) => panic!("nothing was wrong: {error:?}"),
        (None, true, _) => {}
        (None, false, false) => {
            assert!(run.established && !run.server_failed);
            assert!(run.heard[SERVER] == run.said[CLIENT] && run.heard[CLIENT] == run.said[SERVER], "all of it came");
            run.close();
        }
    }
}
