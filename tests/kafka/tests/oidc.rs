//! Tokens of an OAuth 2 server on this host, over TLS, which a broker checks by their signatures (KIP-768).

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use klamm_kafka_tests::{
    Certificates, Cluster, Issuer, assert_tells_nothing, connect_spied, create, read_all, watch_log, within,
};
use klamm_tokio::{
    Config, Error, ErrorCode, Record, from_properties,
    oidc::ClientCredentials,
    properties::Dialect,
    sasl::{Sasl, SaslFault},
    tls::rustls::{
        ServerConfig, ServerConnection, StreamOwned,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};
use tokio::time::sleep;

const SECRET: &str = "its-secret-for-oidc";

/// An OAuth 2 server.
struct Server {
    issuer: Issuer,
    certificates: Certificates,
    endpoint: OnceLock<String>,
    asked: AtomicUsize,
    /// How long its tokens are good for, in seconds.
    life: AtomicI64,
}

fn server() -> &'static Arc<Server> {
    static SERVER: OnceLock<Arc<Server>> = OnceLock::new();
    SERVER.get_or_init(|| {
        watch_log(|secrets| secrets.add("the client's secret", SECRET.as_bytes()));
        Server::start(Issuer::new())
    })
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let keys = std::env::temp_dir().join(format!("klamm-keys-{}.json", std::process::id()));
        std::fs::write(&keys, server().issuer.keys()).expect("written");
        Cluster::start_with_issuer(&keys)
    })
}

impl Server {
    fn start(issuer: Issuer) -> Arc<Server> {
        let certificates = Certificates::new();
        let chain = CertificateDer::pem_slice_iter(certificates.broker.as_bytes()).map(|c| c.expect("PEM")).collect();
        let key = PrivateKeyDer::from_pem_slice(certificates.broker_key.as_bytes()).expect("PEM");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let config = Arc::new(config.expect("a certificate"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("https://localhost:{}/token", listener.local_addr().expect("an address").port());
        let (endpoint, asked, life) = (endpoint.into(), AtomicUsize::new(0), AtomicI64::new(3_600));
        let server = Arc::new(Server { issuer, certificates, endpoint, asked, life });
        let serving = Arc::clone(&server);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let tls = ServerConnection::new(Arc::clone(&config)).expect("settings");
                // Who does not trust the server hangs up.
                drop(serving.answer(StreamOwned::new(tls, stream.expect("a connection"))));
            }
        });
        server
    }

    fn answer(&self, mut stream: impl Read + Write) -> std::io::Result<()> {
        let mut request = Vec::new();
        while !request.ends_with(b"scope=kafka") {
            let mut part = [0; 1_024];
            match stream.read(&mut part)? {
                0 => return Ok(()),
                read => request.extend_from_slice(&part[..read]),
            }
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        let request = String::from_utf8_lossy(&request);
        // klamm:its-secret-for-oidc
        let (status, body) = if request.contains("Basic a2xhbW06aXRzLXNlY3JldC1mb3Itb2lkYw==") {
            let life = self.life.load(Ordering::Relaxed);
            let token = self.issuer.token("alice", life);
            ("200 OK", format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{life}}}"#))
        } else {
            ("401 Unauthorized", r#"{"error":"invalid_client"}"#.to_owned())
        };
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")?;
        stream.flush()
    }

    fn credentials(&self, secret: &str) -> ClientCredentials {
        let endpoint = self.endpoint.get().expect("known from the start");
        ClientCredentials::new(endpoint, "klamm", secret).scope("kafka").ca_pem(&*self.certificates.ca)
    }
}

fn config(tokens: ClientCredentials) -> Config {
    Config::new(&*cluster().sasl().bootstrap).sasl(Sasl::oauthbearer(tokens)).allow_plain_without_tls()
}

async fn refused(config: Config) -> Error {
    let error = klamm_tokio::connect_with(config).await.map(drop).expect_err("refused");
    assert_tells_nothing(&error);
    println!("{error}");
    error
}

/// All connections share a token while it is good; then there is another, and no session ends meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_server_are_taken_shared_and_renewed() {
    let (client, wire) = connect_spied(config(server().credentials(SECRET))).await.expect("a cluster");
    create(&client, "oidc", 3, &[]).await;
    let producer = client.producer().build().expect("a producer");
    within("an acknowledgement", producer.send(Record::to("oidc").value("v"))).await.expect("acknowledged");
    read_all(&client, "oidc", 1).await;
    assert_eq!((server().asked.load(Ordering::Relaxed), wire.opened() >= 3), (1, true), "a token for all of them");

    server().life.store(4, Ordering::Relaxed);
    let (client, wire) = connect_spied(config(server().credentials(SECRET))).await.expect("a cluster");
    let producer = client.producer().build().expect("a producer");
    let (start, mut sent) = (Instant::now(), 1);
    while start.elapsed() < Duration::from_secs(9) {
        within("an acknowledgement", producer.send(Record::to("oidc").value("v"))).await.expect("acknowledged");
        sent += 1;
        sleep(Duration::from_millis(50)).await;
    }
    let asked = server().asked.load(Ordering::Relaxed);
    println!("{asked} tokens");
    assert!((4..=10).contains(&asked), "{asked} tokens");
    assert_eq!(wire.ended(), 0);
    read_all(&client, "oidc", sent).await;

    // By the names that librdkafka has for all of that.
    let properties = [
        ("bootstrap.servers", &*cluster().sasl().bootstrap),
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanisms", "OAUTHBEARER"),
        ("sasl.oauthbearer.method", "oidc"),
        ("sasl.oauthbearer.token.endpoint.url", server().endpoint.get().expect("known from the start")),
        ("sasl.oauthbearer.client.id", "klamm"),
        ("sasl.oauthbearer.client.secret", SECRET),
        ("sasl.oauthbearer.scope", "kafka"),
        ("https.ca.pem", &*server().certificates.ca),
    ];
    let properties = from_properties(Dialect::Librdkafka, properties).expect("settings");
    assert!(!format!("{properties:?}").contains(SECRET));
    let client = klamm_tokio::connect_with(properties.client().expect("complete")).await.expect("a cluster");
    read_all(&client, "oidc", sent).await;

    // Who is refused by either: with a wrong secret there is no token, and a stranger's token is no token to the broker.
    let short = |tokens| config(tokens).connect_timeout(Duration::from_millis(1_500));
    let (start, asked) = (Instant::now(), server().asked.load(Ordering::Relaxed));
    let error = refused(config(server().credentials("another secret"))).await;
    assert!(matches!(&error, Error::Authentication { fault: SaslFault::TokenRefused { .. }, .. }), "{error:?}");
    assert!(error.to_string().contains("refused with status 401: invalid_client"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5), "at once: {:?}", start.elapsed());
    assert_eq!(server().asked.load(Ordering::Relaxed), asked + 1, "and not in a loop");
    let stranger = Server::start(Issuer::new());
    match refused(config(stranger.credentials(SECRET))).await {
        Error::Authentication {
            fault: SaslFault::Refused { code: ErrorCode::SASL_AUTHENTICATION_FAILED, .. }, ..
        } => {}
        other => panic!("{other:?}"),
    }
    let endpoint = stranger.endpoint.get().expect("known");
    let untrusting = ClientCredentials::new(endpoint, "klamm", SECRET).ca_pem(&*server().certificates.ca);
    let error = refused(short(untrusting)).await;
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}
