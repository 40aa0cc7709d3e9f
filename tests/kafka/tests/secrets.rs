//! Whatever has a secret in it shows none. No broker is needed; what is logged on the way to one is looked through while the
//! other suites run: see `watch_log`.

use std::fmt::Debug;

use klamm_kafka_tests::{Certificates, Secrets};
use klamm_tokio::{
    Config, Error, Socks5,
    msk_iam::{AwsCredentials, MskIam},
    oidc::ClientCredentials,
    properties::{Dialect, Material},
    sasl::{Sasl, ScramHash, Secret, Token, TokenError},
    tls::{self, Tls},
};

const PASSWORD: &str = "correct horse";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.signature";

fn secrets(certificates: &Certificates) -> Secrets {
    let mut secrets = Secrets::default();
    secrets.add("the password", PASSWORD.as_bytes());
    secrets.add("the token", TOKEN.as_bytes());
    secrets.add_certificates(certificates);
    secrets
}

fn encrypted(certificates: &Certificates) -> Tls {
    let builder = tls::builder().ca_pem(&certificates.ca);
    builder.client_auth_pem(&certificates.client, &certificates.client_key).build().expect("settings")
}

fn all_sasl() -> [Sasl; 4] {
    [
        Sasl::plain("alice", PASSWORD),
        Sasl::scram(ScramHash::Sha256, "alice", PASSWORD),
        Sasl::scram(ScramHash::Sha512, "alice", PASSWORD),
        Sasl::oauthbearer(|| async { Ok::<_, TokenError>(Token::new(TOKEN)) }),
    ]
}

/// What a type's `Debug` shows, in both forms.
fn shows_nothing(secrets: &Secrets, what: &dyn Debug) {
    let text = format!("{what:?} {what:#?}");
    assert_eq!(secrets.in_text(&text), None, "{text}");
}

#[test]
fn settings_show_no_secret() {
    let certificates = Certificates::new();
    let secrets = secrets(&certificates);
    for sasl in all_sasl() {
        let config = Config::new("a:1").sasl(sasl.clone()).tls(encrypted(&certificates)).allow_plain_without_tls();
        let text = format!("{config:?}");
        assert!(text.contains(sasl.mechanism()) && text.contains("client_certificate: true"), "{text}");
        shows_nothing(&secrets, &config);
        shows_nothing(&secrets, &sasl);
    }
    shows_nothing(&secrets, &encrypted(&certificates));
    let client = &certificates.client;
    shows_nothing(&secrets, &tls::builder().client_auth_pem(client, &certificates.client_key));
    shows_nothing(&secrets, &Secret::new(PASSWORD));
    shows_nothing(&secrets, &Token::new(TOKEN).extension("pool", "x"));
    shows_nothing(&secrets, &Socks5::new("proxy", 1080).password("alice", PASSWORD));
    shows_nothing(&secrets, &ClientCredentials::new("https://a.b/token", "alice", PASSWORD).scope("kafka"));
    let aws = AwsCredentials::new("AKIDEXAMPLE", PASSWORD).session_token(TOKEN);
    shows_nothing(&secrets, &aws);
    shows_nothing(&secrets, &MskIam::new("eu-central-1", aws));
    shows_nothing(&secrets, &Material::Pem(certificates.client_key.clone()));
}

/// As other clients' settings, before and after their files are read, in each dialect's way.
#[test]
fn properties_show_no_secret() {
    let certificates = Certificates::new();
    let secrets = secrets(&certificates);
    let jaas = format!("x.PlainLoginModule required username=\"alice\" password=\"{PASSWORD}\";");
    let all = [
        (
            Dialect::Librdkafka,
            "sasl.username",
            "alice",
            "sasl.password",
            PASSWORD,
            "ssl.certificate.pem",
            "ssl.key.pem",
        ),
        (
            Dialect::Java,
            "sasl.jaas.config",
            &*jaas,
            "sasl.mechanism",
            "PLAIN",
            "ssl.keystore.certificate.chain",
            "ssl.keystore.key",
        ),
    ];
    for (dialect, name, value, second, second_value, chain, key) in all {
        let mut pairs = vec![
            ("bootstrap.servers", "a:1"),
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "PLAIN"),
            (name, value),
            (second, second_value),
            (chain, &*certificates.client),
            (key, &*certificates.client_key),
        ];
        for read in [klamm_tokio::properties::from_properties, klamm_tokio::from_properties] {
            let properties = read(dialect, pairs.clone()).unwrap_or_else(|error| panic!("{error}"));
            shows_nothing(&secrets, &properties);
            shows_nothing(&secrets, &properties.tls);
            shows_nothing(&secrets, &properties.client());
        }
        // Under names that are wrong by a letter, and where what stands around it cannot be read.
        let broken = jaas.replace(';', "");
        let java =
            [("sasl.jaas.config", &*broken), ("ssl.key.password", PASSWORD), ("ssl.keystore.password", PASSWORD)];
        let librdkafka =
            [("sasl.passwrd", PASSWORD), ("ssl.key.password", PASSWORD), ("ssl.key.pme", &*certificates.client_key)];
        for (wrong, secret) in if dialect == Dialect::Java { java } else { librdkafka } {
            pairs.push((wrong, secret));
            let error = klamm_tokio::from_properties(dialect, pairs.clone()).map(drop).expect_err(wrong);
            assert!(error.to_string().contains(wrong), "{error}");
            told_in(&secrets, wrong, &error);
            pairs.pop();
        }
        pairs.retain(|(name, _)| *name != key);
        let cut = &certificates.client_key[..certificates.client_key.len() / 2];
        pairs.push((key, cut));
        told_in(&secrets, key, &klamm_tokio::from_properties(dialect, pairs).map(drop).expect_err("cut off"));
    }
}

fn told_in(secrets: &Secrets, name: &str, error: &Error) {
    let text = format!("{error} {error:?}");
    assert_eq!(secrets.in_text(&text), None, "{name}: {text}");
}

/// Those of a client that asks a server for tokens, in both dialects and in Java's text.
#[test]
fn names_of_tokens_show_no_secret() {
    let secrets = secrets(&Certificates::new());
    let jaas = format!("x.OAuthBearerLoginModule required clientId=me clientSecret='{PASSWORD}';");
    for (dialect, name, value) in [
        (Dialect::Java, "sasl.jaas.config", &*jaas),
        (Dialect::Java, "sasl.oauthbearer.client.credentials.client.secret", PASSWORD),
        (Dialect::Librdkafka, "sasl.oauthbearer.client.secret", PASSWORD),
    ] {
        let mut pairs = vec![
            ("bootstrap.servers", "a:1"),
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.oauthbearer.token.endpoint.url", "https://a.b/token"),
            ("sasl.oauthbearer.client.credentials.client.id", "me"),
            (name, value),
        ];
        if dialect == Dialect::Librdkafka {
            pairs.push(("sasl.oauthbearer.method", "oidc"));
        }
        for read in [klamm_tokio::properties::from_properties, klamm_tokio::from_properties] {
            let properties = read(dialect, pairs.clone()).unwrap_or_else(|error| panic!("{error}"));
            shows_nothing(&secrets, &properties);
            shows_nothing(&secrets, &properties.oidc);
            shows_nothing(&secrets, &properties.client());
        }
        pairs.retain(|(name, _)| *name != "security.protocol");
        told_in(&secrets, name, &klamm_tokio::from_properties(dialect, pairs).map(drop).expect_err("does nothing"));
    }
}
