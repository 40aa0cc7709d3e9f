//! All traffic through a SOCKS5 proxy on loopback.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use klamm_kafka_tests::{Cluster, create, read_all, within};
use klamm_tokio::{
    Client, Config, Error, Phase, Record, Socks5,
    sasl::{Sasl, ScramHash},
    tls,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start_with_tls(1, &[]))
}

/// A proxy that knows every name: as this host.
struct Proxy {
    port: u16,
    /// Whom it was to call, as it was told.
    called: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(login: Option<(&'static str, &'static str)>) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let called = Arc::new(Mutex::new(Vec::new()));
        let calls = Arc::clone(&called);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let calls = Arc::clone(&calls);
                tokio::spawn(async move { serve(stream, login, &calls).await });
            }
        });
        Proxy { port, called }
    }

    fn client(&self) -> Socks5 {
        Socks5::new("127.0.0.1", self.port)
    }

    fn called(&self) -> Vec<String> {
        self.called.lock().expect("nobody panics").clone()
    }
}

/// RFC 1928 and RFC 1929, as far as CONNECT goes.
async fn serve(mut stream: TcpStream, login: Option<(&str, &str)>, calls: &Mutex<Vec<String>>) -> std::io::Result<()> {
    assert_eq!(stream.read_u8().await?, 5);
    let methods = text(&mut stream).await?;
    let wanted = if login.is_some() { 2 } else { 0 };
    if !methods.contains(&wanted) {
        return stream.write_all(&[5, 0xff]).await;
    }
    stream.write_all(&[5, wanted]).await?;
    if let Some((user, password)) = login {
        assert_eq!(stream.read_u8().await?, 1);
        let told = (text(&mut stream).await?, text(&mut stream).await?);
        let is_right = told == (user.as_bytes().to_vec(), password.as_bytes().to_vec());
        stream.write_all(&[1, u8::from(!is_right)]).await?;
        if !is_right {
            return Ok(());
        }
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    assert_eq!(head[..3], [5, 1, 0]);
    let host = match head[3] {
        1 => {
            let mut address = [0; 4];
            stream.read_exact(&mut address).await?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        3 => String::from_utf8(text(&mut stream).await?).expect("a name"),
        other => panic!("address of type {other}"),
    };
    let port = stream.read_u16().await?;
    calls.lock().expect("nobody panics").push(format!("{host}:{port}"));
    let Ok(mut broker) = TcpStream::connect(("127.0.0.1", port)).await else {
        return stream.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    };
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut stream, &mut broker).await.map(drop)
}

/// A length, and as many bytes.
async fn text(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn round_trip(client: &Client, topic: &str) {
    create(client, topic, 3, &[]).await;
    let producer = client.producer().build().expect("a producer");
    for n in 0..30 {
        let record = Record::to(topic).key(format!("{n}")).value("v");
        within("an acknowledgement", producer.send(record)).await.expect("acknowledged");
    }
    read_all(client, topic, 30).await;
}

/// Every connection goes to the proxy, and names go there as they are: nobody else knows this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_looks_names_up() {
    let proxy = Proxy::start(None).await;
    let (_, port) = cluster().bootstrap().split_once(':').expect("an address");
    let bootstrap = format!("kafka.invalid:{port}");
    let client = klamm_tokio::connect_through(Config::new(&*bootstrap), proxy.client()).await.expect("a cluster");
    round_trip(&client, "proxied").await;
    let called = proxy.called();
    assert_eq!(called[0], bootstrap);
    assert!(called.len() >= 3, "admin, produce and fetch: {called:?}");
    assert!(called[1..].iter().all(|c| c == cluster().bootstrap()), "{called:?}");
}

/// With a password, and with TLS and SCRAM inside: the proxy hands on what it cannot read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_sasl_go_through_a_proxy_with_a_password() {
    let proxy = Proxy::start(Some(("user", "correct"))).await;
    let (at, sasl) = (cluster().tls(), cluster().sasl());
    let tls = tls::builder().ca_pem(&at.certificates.ca).build().expect("settings");
    let scram = Sasl::scram(ScramHash::Sha512, &*sasl.user, &*sasl.password);
    let config = Config::new(&*at.sasl).tls(tls).sasl(scram);
    let through = proxy.client().password("user", "correct");
    let client = klamm_tokio::connect_through(config.clone(), through).await.expect("a cluster");
    round_trip(&client, "proxied-secret").await;
    assert!(proxy.called().iter().all(|called| *called == at.sasl), "{:?}", proxy.called());

    for wrong in [proxy.client(), proxy.client().password("user", "wrong"), proxy.client().password("", "")] {
        assert!(!format!("{wrong:?}").contains("wrong"));
        let error = at_once(config.clone(), wrong).await;
        let text = error.to_string();
        assert!(text.contains(&format!("SOCKS5 proxy 127.0.0.1:{}", proxy.port)) && !text.contains("wrong"), "{text}");
        assert!(!error.is_retriable(), "{error:?}");
    }
}

/// A proxy that cannot reach a broker says so, and is asked again for as long as a connection may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_proxy_cannot_reach_is_tried_again() {
    let proxy = Proxy::start(None).await;
    let config = Config::new("127.0.0.1:1").connect_timeout(Duration::from_millis(700));
    let error = klamm_tokio::connect_through(config, proxy.client()).await.map(drop).expect_err("nobody is there");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(proxy.called().len() > 1, "{:?}", proxy.called());
}

async fn at_once(config: Config, through: Socks5) -> Error {
    let start = Instant::now();
    let error = klamm_tokio::connect_through(config, through).await.map(drop).expect_err("refused");
    assert!(start.elapsed() < Duration::from_secs(5), "{error} after {:?}", start.elapsed());
    match &error {
        Error::Transport { tried, .. } => assert!(tried.iter().all(|(_, e)| e.phase == Phase::Connect), "{tried:?}"),
        other => panic!("{other:?}"),
    }
    error
}
