//! One broker that wants to know who its clients are.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use klamm_kafka_tests::{
    Api, Cluster, assert_tells_nothing, connect_spied, create, read_all, unsigned_token, was_logged, watch_log, within,
};
use klamm_tokio::{
    Client, Config, Error, ErrorCode, Record,
    sasl::{Sasl, SaslFault, ScramHash, Token, TokenError},
};

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    // Sessions by SCRAM-SHA-256 are short, others last as long as their connections.
    let settings = [("listener.name.sasl.scram-sha-256.connections.max.reauth.ms", "3000")];
    CLUSTER.get_or_init(|| Cluster::start_with_sasl(1, &settings))
}

fn scram(hash: ScramHash) -> Sasl {
    Sasl::scram(hash, &*cluster().sasl().user, &*cluster().sasl().password)
}

fn config(sasl: Sasl) -> Config {
    Config::new(&*cluster().sasl().bootstrap).sasl(sasl).allow_plain_without_tls()
}

async fn refused(config: Config) -> SaslFault {
    let start = Instant::now();
    match klamm_tokio::connect_with(config).await.map(drop) {
        Err(error @ Error::Authentication { .. }) => {
            assert_tells_nothing(&error);
            let Error::Authentication { fault, address, .. } = error else { unreachable!("matched") };
            assert!(address.starts_with("127.0.0.1:"), "{address}");
            // Not the connect timeout, which is ten.
            assert!(start.elapsed() < Duration::from_secs(5), "{fault} after {:?}", start.elapsed());
            fault
        }
        other => panic!("{other:?}"),
    }
}

async fn round_trip(client: &Client, topic: &str) {
    create(client, topic, 3, &[]).await;
    let producer = client.producer().build().expect("a producer");
    for n in 0..30 {
        let sent = within("an acknowledgement", producer.send(Record::to(topic).key(format!("{n}")).value("v"))).await;
        sent.expect("acknowledged");
    }
    read_all(client, topic, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mechanism_is_taken() {
    let (user, password) = (&*cluster().sasl().user, &*cluster().sasl().password);
    let all = [
        ("plain", Sasl::plain(user, password)),
        ("scram-256", scram(ScramHash::Sha256)),
        ("scram-512", scram(ScramHash::Sha512)),
        ("oauthbearer", Sasl::oauthbearer(|| async { Ok::<_, TokenError>(unsigned_token("alice", 600)) })),
    ];
    for (topic, sasl) in all {
        let client = klamm_tokio::connect_with(config(sasl)).await.unwrap_or_else(|error| panic!("{topic}: {error}"));
        round_trip(&client, topic).await;
    }
}

/// Told at once, with the broker's reason, by every mechanism; and so is a user whom nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_a_plain_error() {
    watch_log(|secrets| secrets.add("the wrong password", b"wrong-secret"));
    let wrong = [
        Sasl::plain("alice", "wrong-secret"),
        Sasl::plain("nobody", "alice-secret"),
        Sasl::scram(ScramHash::Sha256, "alice", "wrong-secret"),
        Sasl::scram(ScramHash::Sha512, "alice", "wrong-secret"),
        Sasl::scram(ScramHash::Sha512, "nobody", "alice-secret"),
    ];
    for sasl in wrong {
        let what = format!("{sasl:?}");
        let fault = refused(config(sasl)).await;
        let SaslFault::Refused { code: ErrorCode::SASL_AUTHENTICATION_FAILED, message: Some(message), .. } = &fault
        else {
            panic!("{what}: {fault}")
        };
        assert!(message.contains("credentials") || message.contains("username or password"), "{what}: {message}");
    }
    assert!(was_logged("SASL_AUTHENTICATION_FAILED"), "the log that is looked through has what was told");
}

/// SASL where none is taken, by each mechanism: the password, and the token, stay here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wrong_port_is_told_as_that() {
    let (user, password) = (&*cluster().sasl().user, &*cluster().sasl().password);
    for sasl in [
        Sasl::plain(user, password),
        scram(ScramHash::Sha256),
        scram(ScramHash::Sha512),
        Sasl::oauthbearer(|| async { Ok::<_, TokenError>(unsigned_token("alice", 600)) }),
    ] {
        let plaintext = Config::new(cluster().bootstrap()).sasl(sasl).allow_plain_without_tls();
        assert_eq!(refused(plaintext).await, SaslFault::NotTaken);
    }
}

/// A mechanism that the listener does not have is answered with those that it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mechanism_that_is_not_there_is_named_with_those_that_are() {
    let only = Cluster::start_with_sasl(1, &[("listener.name.sasl.sasl.enabled.mechanisms", "SCRAM-SHA-512")]);
    let at = |sasl| Config::new(&*only.sasl().bootstrap).sasl(sasl).allow_plain_without_tls();
    let fault = refused(at(Sasl::plain("alice", "alice-secret"))).await;
    let SaslFault::Mechanism { offered, .. } = fault else { panic!("{fault}") };
    assert_eq!(offered, ["SCRAM-SHA-512"]);
    klamm_tokio::connect_with(at(scram(ScramHash::Sha512))).await.expect("this one is there");
}

/// KIP-368: sessions of three seconds, and records all the while for ten. The broker would close a connection whose session is
/// over: none ends, no request is lost, and each connection is told several times. Trap 104.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_renewed_while_records_flow() {
    let (client, wire) = connect_spied(config(scram(ScramHash::Sha256))).await.expect("connected");
    create(&client, "renewed", 3, &[]).await;
    let producer = client.producer().build().expect("a producer");
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < Duration::from_secs(10) {
        let mut tickets = Vec::new();
        for _ in 0..20 {
            let record = Record::to("renewed").partition(count % 3).value("v");
            tickets.push(within("room", producer.enqueue(record)).await.expect("taken"));
            count += 1;
        }
        for ticket in tickets {
            within("an acknowledgement", ticket).await.expect("acknowledged");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (opened, told) = (wire.opened(), wire.sent(Api::SaslHandshake));
    println!("{count} records, {opened} connections, {told} handshakes");
    assert_eq!((wire.ended(), wire.lost(Api::Produce), wire.lost(Api::Metadata)), (0, 0, 0));
    // The one for metadata, which has been there all the time, and the one for records; both begin with one.
    assert!(told >= opened * 3, "{told} handshakes on {opened} connections");
    read_all(&client, "renewed", count as usize).await;
}

/// KIP-255. Tokens are got anew as often as the broker's sessions end with them (KIP-368), while records go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_taken_and_renewed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let tokens = move || {
        count.fetch_add(1, Ordering::Relaxed);
        async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, TokenError>(unsigned_token("alice", 4))
        }
    };
    let (client, wire) = connect_spied(config(Sasl::oauthbearer(tokens))).await.expect("a cluster");
    create(&client, "oauth", 3, &[]).await;
    let producer = client.producer().build().expect("a producer");
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < Duration::from_secs(9) {
        let record = Record::to("oauth").key(format!("{sent}")).value("v");
        within("an acknowledgement", producer.send(record)).await.expect("acknowledged");
        sent += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(asked.load(Ordering::Relaxed) >= 4, "{asked:?} tokens");
    assert_eq!((wire.ended(), wire.lost(Api::Produce)), (0, 0));
    read_all(&client, "oauth", sent).await;
}

/// What is wrong with a token is told at once, and without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_are_not_good_are_refused() {
    let late = || async { Ok::<_, TokenError>(unsigned_token("alice", -100)) };
    let SaslFault::Refused { code, message, .. } = refused(config(Sasl::oauthbearer(late))).await else { panic!() };
    assert_eq!(code, ErrorCode::SASL_AUTHENTICATION_FAILED);
    println!("{message:?}");
    let none = || async { Err::<Token, TokenError>("the server is away".into()) };
    let config = config(Sasl::oauthbearer(none)).connect_timeout(Duration::from_millis(800));
    let error = klamm_tokio::connect_with(config).await.map(drop).expect_err("there is no token");
    assert!(error.to_string().contains("there is no token: the server is away"), "{error}");
}
