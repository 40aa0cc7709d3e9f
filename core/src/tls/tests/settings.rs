//! What a client is given to begin with.

use alloc::{format, string::String};

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

use super::{
    super::TlsBuilder,
    peer::{ALWAYS, Ca, HOST, Setup, begin, builder},
};
use crate::{Config, Error, TlsFault};

fn why(builder: TlsBuilder) -> String {
    match builder.build() {
        Err(Error::Config { knob: "tls", why }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_used_is_told_by_name() {
    let ca = Ca::new();
    let (certificate, key) = ca.sign("client", ALWAYS);
    let trusting = || builder().ca_pem(&ca.pem);
    assert!(why(builder()).contains("no CA"));
    assert!(why(builder().ca_pem("nothing")).contains("the CA"));
    assert!(why(builder().ca_der([1, 2, 3])).contains("the CA"));
    assert!(why(trusting().client_auth_pem("", &key)).contains("the client's certificate"));
    assert!(why(trusting().client_auth_pem(&certificate, &certificate)).contains("the client's key"));
    assert!(why(trusting().lacking("a file")).contains("a file"));
    let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key").serialize_pem();
    assert!(why(trusting().client_auth_pem(&certificate, &other)).contains("cannot be used"), "not its key");
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert!(why(trusting().client_auth_pem(&certificate, encrypted)).contains("not encrypted"));
}

/// Keys as they come out of openssl, each with a certificate of its own: `ecparam -genkey` (SEC1), `genrsa -traditional` (PKCS#1).
#[test]
fn a_key_may_be_of_any_kind() {
    use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
    for (pem, kind) in [(include_str!("sec1.pem"), "sec1"), (include_str!("pkcs1.pem"), "pkcs1")] {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a key");
        let is = matches!((&key, kind), (PrivateKeyDer::Sec1(_), "sec1") | (PrivateKeyDer::Pkcs1(_), "pkcs1"));
        assert!(is, "{kind}");
        let tls = builder().ca_pem(pem).client_auth_pem(pem, pem).build().expect("settings");
        assert!(format!("{tls:?}").contains("true"));
    }
}

#[test]
fn nothing_prints_a_key() {
    let ca = Ca::new();
    let (certificate, key) = ca.sign("client", ALWAYS);
    let builder = builder().ca_pem(&ca.pem).client_auth_pem(certificate, &key);
    let mut text = format!("{builder:?}");
    let config = Config::new("a:1").tls(builder.build().expect("settings"));
    text += &format!("{:?}", config.tls);
    let secret: String = key.lines().nth(1).expect("base64").chars().take(20).collect();
    assert!(!text.contains(&secret), "{text}");
    assert!(text.len() < 300, "{text}");
}

/// Connections that begin after a replacement take it; a clone is the same.
#[test]
fn certificates_are_replaced_for_new_connections() {
    let mut setup = Setup::new();
    let tls = builder().ca_pem(Ca::new().pem).build().expect("settings");
    let held = Config::new("a:1").tls(tls.clone()).tls.expect("set");
    let connect = |setup: &Setup| {
        let mut peer = setup.peer();
        let clock: crate::sync::Arc<dyn crate::Clock> =
            crate::sync::Arc::new(super::peer::Fixed(Some(1_780_000_000_000)));
        let mut client = super::super::TlsStream::new(peer.wire.clone(), &held, &clock, HOST).expect("a name");
        peer.shake(&mut client).map(|()| (peer, client))
    };
    assert_eq!(connect(&setup).map(drop).expect_err("a stranger").tls, Some(TlsFault::UnknownIssuer));
    tls.replace(&builder().ca_pem(&setup.ca.pem).build().expect("settings"));
    let (mut peer, mut client) = connect(&setup).expect("it is trusted now");
    setup.ca = Ca::new();
    setup.certificate = setup.ca.sign(HOST, ALWAYS);
    tls.replace(&builder().ca_pem(&setup.ca.pem).build().expect("settings"));
    peer.write(&mut client, b"still", 5);
    assert_eq!(peer.heard, b"still");
    connect(&setup).expect("the new one, too");
}

/// Settings of rustls' own go as they are, with their clock.
#[test]
fn settings_of_ones_own_are_taken() {
    use rustls::{ClientConfig, RootCertStore, pki_types::pem::PemObject};
    let setup = Setup::new();
    let mut roots = RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(setup.ca.pem.as_bytes()).expect("PEM")).expect("a CA");
    let provider = crate::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.max_fragment_size = Some(1_000);
    let tls = super::super::Tls::from_config(config.into());
    let mut peer = setup.peer();
    let clock: crate::sync::Arc<dyn crate::Clock> = crate::sync::Arc::new(super::peer::Fixed(None));
    let mut client = super::super::TlsStream::new(peer.wire.clone(), &tls, &clock, HOST).expect("a name");
    peer.shake(&mut client).expect("a handshake");
    peer.write(&mut client, &[5; 10_000], 10_000);
    assert_eq!(peer.heard, [5; 10_000]);
    assert_eq!(peer.tls.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_2));
    drop(begin(&peer, builder().ca_pem(&setup.ca.pem), HOST));
}
