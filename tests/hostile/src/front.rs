//! Where clients come in: a listener in front of broker 1 of an in-memory cluster. What a script says nothing of is answered
//! by that.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use klamm_bench::{
    counting::{Brokers, cluster_of},
    secured::server,
};
use klamm_broker::ClusterConfig;
use klamm_kafka_tests::Certificates;
use klamm_tokio::tls::rustls::{ServerConnection, StreamOwned};

use crate::{
    line::Line,
    script::{Plays, Script},
    scripts,
    turn::Turn,
    who::{PASSWORD, Who},
    work::TOPIC,
};

/// What happened at a front.
#[derive(Debug, Default)]
pub struct Seen {
    lies: AtomicUsize,
    knocks: AtomicUsize,
    leaks: AtomicUsize,
    requests: Mutex<BTreeMap<i16, usize>>,
}

impl Seen {
    pub(crate) fn lied(&self) {
        self.lies.fetch_add(1, Relaxed);
    }

    fn leaked(&self) {
        self.leaks.fetch_add(1, Relaxed);
    }

    /// How often it did what its script is there for.
    pub fn lies(&self) -> usize {
        self.lies.load(Relaxed)
    }

    /// Requests and connections.
    pub fn knocks(&self) -> usize {
        self.knocks.load(Relaxed)
    }

    /// How often the password came where it must not.
    pub fn leaks(&self) -> usize {
        self.leaks.load(Relaxed)
    }

    /// Notes a request; answers how many of its API there were before.
    fn request(&self, api: i16) -> usize {
        self.knocks.fetch_add(1, Relaxed);
        let mut requests = self.requests.lock().expect("nobody panics here");
        let count = requests.entry(api).or_default();
        *count += 1;
        *count - 1
    }
}

/// The certificates of all fronts that encrypt.
pub fn certificates() -> &'static Certificates {
    static CERTIFICATES: OnceLock<Certificates> = OnceLock::new();
    CERTIFICATES.get_or_init(Certificates::new)
}

/// A script's broker with what is behind it, until it is dropped.
#[derive(Debug)]
pub struct Front {
    /// Where clients begin.
    pub bootstrap: String,
    /// What happened so far.
    pub seen: Arc<Seen>,
    _cluster: Brokers,
}

/// Two brokers with one topic: broker 1 is the script's, and its clients are told `advertised`, or where it listens.
///
/// # Panics
/// Where the machine has no sockets.
pub fn front(script: &'static Script, listener: TcpListener, advertised: Option<(String, u16)>) -> Front {
    let cluster = cluster_of(ClusterConfig { brokers: 2, ..ClusterConfig::default() });
    let behind = cluster.bootstrap().split(',').next().expect("broker 1").to_owned();
    cluster.create_topic(TOPIC, 2, 1);
    let here = listener.local_addr().expect("bound");
    let advertised = advertised.unwrap_or_else(|| ("127.0.0.1".to_owned(), here.port()));
    cluster.cluster().set_address(1, &advertised.0, advertised.1);
    let seen = Arc::new(Seen::default());
    let place = Place { script, behind, advertised: advertised.clone(), seen: Arc::clone(&seen) };
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let place = place.clone();
            // However a connection ends, that is all there is to it.
            thread::spawn(move || drop(place.serve(stream)));
        }
    });
    Front { bootstrap: format!("{}:{}", advertised.0, advertised.1), seen, _cluster: cluster }
}

#[derive(Clone)]
struct Place {
    script: &'static Script,
    behind: String,
    advertised: (String, u16),
    seen: Arc<Seen>,
}

impl Place {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        self.seen.knocks.fetch_add(1, Relaxed);
        match self.script.plays {
            Plays::Line(plays) => plays(&mut Line { stream, seen: Arc::clone(&self.seen) }),
            Plays::Turns(plays) => self.turns(stream.try_clone()?, stream, plays),
            Plays::Encrypted(plays) => {
                let connection = ServerConnection::new(server(certificates())).map_err(io::Error::other)?;
                self.turns(stream.try_clone()?, StreamOwned::new(connection, stream), plays)
            }
        }
    }

    fn turns(
        &self,
        socket: TcpStream,
        mut wire: impl Read + Write,
        plays: fn(&mut Turn<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut behind = TcpStream::connect(&self.behind)?;
        behind.set_nodelay(true)?;
        loop {
            let request = read_frame(&mut wire)?;
            let mut turn = Turn::of(&request, &mut wire, &mut behind, &self.seen)?;
            turn.nth = self.seen.request(turn.api);
            turn.port = self.advertised.1;
            // PLAIN shows the password, but only to whom the client dialled by a name that it could prove.
            let is_elsewhere = socket.local_addr()?.ip().to_string() == scripts::ELSEWHERE;
            let may_see = self.script.who == Who::Plain && !is_elsewhere;
            let password = PASSWORD.as_bytes();
            if !may_see && request.windows(password.len()).any(|part| part == password) {
                self.seen.leaked();
            }
            plays(&mut turn)?;
        }
    }
}

/// A frame without its length.
pub(crate) fn read_frame(stream: &mut (impl Read + ?Sized)) -> io::Result<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len)?;
    let mut frame = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}
