//! A broker's side of TLS, and what lies between it and the client.

use alloc::{boxed::Box, collections::VecDeque, rc::Rc, string::String, vec, vec::Vec};
use core::{
    cell::RefCell,
    task::{Context, Poll, Waker},
};
use std::io::{Read, Write};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};

use super::super::{Tls, TlsBuilder, TlsStream};
use crate::{ByteStream, Clock, Instant, Phase, TransportError, sync::Arc};

/// The two directions between client and broker, and how they behave.
#[derive(Default)]
pub(super) struct Between {
    pub(super) up: VecDeque<u8>,
    pub(super) down: VecDeque<u8>,
    /// At most so many bytes a call, each way; 0 is no limit.
    pub(super) most: usize,
    /// So many bytes at most wait on the way up; 0 is no limit.
    pub(super) up_room: usize,
    /// The broker's end is closed: what is on the way down still comes.
    pub(super) ended: bool,
    /// And that hard.
    pub(super) reset: bool,
    pub(super) closed: bool,
}

#[derive(Clone, Default)]
pub(super) struct Wire(pub(super) Rc<RefCell<Between>>);

fn limit(most: usize, count: usize) -> usize {
    if most == 0 { count } else { count.min(most) }
}

impl ByteStream for Wire {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        assert!(!buf.is_empty(), "nobody reads nothing");
        let mut between = self.0.borrow_mut();
        if between.reset {
            return Poll::Ready(Err(TransportError::new(Phase::Io, embedded_io::ErrorKind::ConnectionReset, "reset")));
        }
        let count = limit(between.most, buf.len()).min(between.down.len());
        if count == 0 && !between.ended {
            return Poll::Pending;
        }
        for (to, from) in buf.iter_mut().zip(between.down.drain(..count)) {
            *to = from;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        let mut between = self.0.borrow_mut();
        if between.ended {
            return Poll::Ready(Err(TransportError::new(Phase::Io, embedded_io::ErrorKind::BrokenPipe, "gone")));
        }
        let all: Vec<u8> = bufs.concat();
        let mut count = limit(between.most, all.len());
        if between.up_room > 0 {
            count = count.min(between.up_room.saturating_sub(between.up.len()));
        }
        if count == 0 {
            return Poll::Pending;
        }
        between.up.extend(&all[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.0.borrow_mut().closed = true;
        Poll::Ready(Ok(()))
    }
}

/// 2026, or no time at all.
pub(super) struct Fixed(pub(super) Option<i64>);

impl Clock for Fixed {
    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn unix_ms(&self) -> Option<i64> {
        self.0
    }
}

/// A CA and what it signs.
pub(super) struct Ca {
    pub(super) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub(super) fn new() -> Ca {
        Ca::named("klamm's")
    }

    pub(super) fn named(name: &str) -> Ca {
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Ca { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for a host with its key, both as PEM.
    pub(super) fn sign(&self, host: &str, years: (i32, i32)) -> (String, String) {
        self.sign_many(vec![String::from(host)], years)
    }

    pub(super) fn sign_many(&self, names: Vec<String>, years: (i32, i32)) -> (String, String) {
        let mut params = CertificateParams::new(names).expect("names");
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.issuer).expect("signed").pem(), key.serialize_pem())
    }
}

pub(super) const HOST: &str = "broker.example";
pub(super) const ALWAYS: (i32, i32) = (2020, 2100);
pub(super) const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

pub(super) fn builder() -> TlsBuilder {
    Tls::builder(rustls::crypto::ring::default_provider())
}

/// What a broker is started with.
pub(super) struct Setup {
    pub(super) ca: Ca,
    pub(super) certificate: (String, String),
    pub(super) versions: &'static [&'static SupportedProtocolVersion],
    /// The PEM of the CA whose clients alone are taken.
    pub(super) clients: Option<String>,
    pub(super) tickets: usize,
}

impl Setup {
    pub(super) fn new() -> Setup {
        let ca = Ca::new();
        let certificate = ca.sign(HOST, ALWAYS);
        Setup { ca, certificate, versions: BOTH, clients: None, tickets: 2 }
    }

    pub(super) fn config(&self) -> ServerConfig {
        use rustls::pki_types::pem::PemObject;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(self.versions).expect("versions");
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("a CA")).expect("usable");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.expect("a verifier"))
            }
        };
        let (chain, key) = &self.certificate;
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>().expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let mut config = builder.with_single_cert(chain, key).expect("a certificate");
        config.send_tls13_tickets = self.tickets;
        config
    }

    pub(super) fn peer(&self) -> Peer {
        let mut tls = ServerConnection::new(Arc::new(self.config())).expect("a server");
        tls.set_buffer_limit(None);
        Peer { wire: Wire::default(), tls, heard: Vec::new(), error: None }
    }

    /// A client's stream that trusts the broker's CA.
    pub(super) fn client(&self, peer: &Peer) -> TlsStream<Wire> {
        begin(peer, builder().ca_pem(&self.ca.pem), HOST)
    }
}

pub(super) fn begin(peer: &Peer, builder: TlsBuilder, host: &str) -> TlsStream<Wire> {
    let clock: Arc<dyn Clock> = Arc::new(Fixed(Some(1_780_000_000_000)));
    TlsStream::new(peer.wire.clone(), &builder.build().expect("settings"), &clock, host).expect("a name")
}

/// A broker's end of a connection.
pub(super) struct Peer {
    pub(super) wire: Wire,
    pub(super) tls: ServerConnection,
    pub(super) heard: Vec<u8>,
    pub(super) error: Option<rustls::Error>,
}

impl Peer {
    /// Reads what has come, and sends what is to be sent.
    pub(super) fn turn(&mut self) {
        let mut up: Vec<u8> = self.wire.0.borrow_mut().up.drain(..).collect();
        let mut up = &mut up[..];
        while !up.is_empty() && self.error.is_none() {
            let count = self.tls.read_tls(&mut &*up).expect("memory");
            up = &mut up[count..];
            match self.tls.process_new_packets() {
                Ok(state) => {
                    let mut plain = vec![0; state.plaintext_bytes_to_read()];
                    self.tls.reader().read_exact(&mut plain).expect("it is here");
                    self.heard.append(&mut plain);
                }
                Err(error) => self.error = Some(error),
            }
        }
        while self.tls.wants_write() {
            let mut out = Vec::new();
            self.tls.write_tls(&mut out).expect("memory");
            self.wire.0.borrow_mut().down.extend(out);
        }
        if self.error.is_some() {
            self.wire.0.borrow_mut().ended = true;
        }
    }

    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.tls.writer().write_all(bytes).expect("no limit");
    }

    /// Polls until it is ready, with the broker's turns in between.
    pub(super) fn until<T>(&mut self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        for _ in 0..200_000 {
            if let Poll::Ready(done) = poll(&mut Context::from_waker(Waker::noop())) {
                return done;
            }
            self.turn();
        }
        panic!("nothing goes on");
    }

    pub(super) fn shake(&mut self, client: &mut TlsStream<Wire>) -> Result<(), TransportError> {
        self.until(|cx| client.poll_handshake(cx))?;
        // What the client said last is heard, too.
        self.turn();
        Ok(())
    }

    /// Writes all of it, in slices of so many bytes.
    pub(super) fn write(&mut self, client: &mut TlsStream<Wire>, bytes: &[u8], slice: usize) {
        let mut at = 0;
        while at < bytes.len() {
            let slices: Box<[&[u8]]> = bytes[at..].chunks(slice).take(64).collect();
            let count = self.until(|cx| client.poll_write(cx, &slices)).expect("written");
            assert!(count > 0, "a write that is ready has taken something");
            at += count;
        }
        self.until(|cx| client.poll_flush(cx)).expect("flushed");
        self.turn();
    }

    /// Reads so many bytes, with a buffer of this size.
    pub(super) fn read(&mut self, client: &mut TlsStream<Wire>, count: usize, buffer: usize) -> Vec<u8> {
        let (mut all, mut buf) = (Vec::new(), vec![0; buffer]);
        while all.len() < count {
            let count = self.until(|cx| client.poll_read(cx, &mut buf)).expect("read");
            assert!(count > 0, "the end came after {} bytes", all.len());
            all.extend_from_slice(&buf[..count]);
        }
        all
    }
}
