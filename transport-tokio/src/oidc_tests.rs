use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use super::*;

/// A server that answers each request with the next of these, and then is gone; what it was told comes back.
fn server(answers: &'static [(&'static str, &'static str)]) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}/token", listener.local_addr().expect("an address"));
    let serving = thread::spawn(move || {
        let mut told = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = Vec::new();
            let is_whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request).to_lowercase();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
                let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                len.and_then(|len| len.parse().ok()) == Some(body.len())
            };
            while !is_whole(&request) {
                let mut part = [0; 1_024];
                let read = stream.read(&mut part).expect("a request");
                assert!(read > 0, "the request is cut off");
                request.extend_from_slice(&part[..read]);
            }
            told.push(String::from_utf8(request).expect("text"));
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("answered");
        }
        told
    });
    (endpoint, serving)
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn refusal(source: &ClientCredentials) -> OidcError {
    let error = block_on(source.token()).map(drop).expect_err("there is no token");
    assert!(!format!("{error} {error:?} {source:?}").contains("its-secret"), "{error}");
    let refused = error.downcast_ref::<TokenRefused>();
    let why = refused.map_or(&error, TokenRefused::why).downcast_ref::<OidcError>();
    let why = why.unwrap_or_else(|| panic!("{error}")).clone();
    assert_eq!(why.is_for_good(), refused.is_some(), "{why}");
    why
}

/// RFC 6749, section 4.4.2, in the words of KIP-768; and a token is asked for once as long as it is good.
#[test]
fn a_token_is_asked_for_and_kept() {
    let (endpoint, serving) = server(&[
        ("200 OK", r#"{"access_token": "first.of.them", "token_type": "bearer", "expires_in": 3600}"#),
        ("200 OK", r#"{"access_token": "second", "expires_in": "0"}"#),
        ("200 OK", r#"{"access_token": "third"}"#),
    ]);
    let source = ClientCredentials::new(&*endpoint, "a b", "its-secret").scope("kafka read").extension("pool", "x");
    for _ in 0..3 {
        block_on(source.clone().token()).expect("a token");
    }
    let other = ClientCredentials::new(&*endpoint, "a b", "its-secret").urlencode(true);
    for _ in 0..2 {
        block_on(other.token()).expect("a token");
    }
    let told = serving.join().expect("three requests");
    assert!(told[0].starts_with("POST /token HTTP/1.1\r\n"), "{}", told[0]);
    assert!(told[0].ends_with("\r\n\r\ngrant_type=client_credentials&scope=kafka+read"), "{}", told[0]);
    assert!(told[0].contains(&Base64::encode_string(b"a b:its-secret")), "{}", told[0]);
    assert!(told[1].ends_with("\r\n\r\ngrant_type=client_credentials"), "{}", told[1]);
    assert!(told[2].contains(&Base64::encode_string(b"a+b:its-secret")), "{}", told[2]);
}

#[test]
fn who_is_given_a_token_has_time_to_get_the_next() {
    for (life, kept) in [(3_600, 2_880), (300, 240), (200, 140), (100, 50), (4, 2), (0, 0)] {
        assert_eq!(kept_for(Duration::from_secs(life)), Duration::from_secs(kept), "{life}");
    }
}

#[test]
fn what_is_no_token_is_told_as_that() {
    let refused = |status, error: &str| OidcError::Refused { status, error: error.into() };
    let all: [(&'static [(&'static str, &'static str)], OidcError); 9] = [
        (&[("401 Unauthorized", r#"{"error": "invalid_client"}"#)], refused(401, "invalid_client")),
        (
            &[("400 Bad Request", r#"{"error": "invalid_scope", "error_description": "no such"}"#)],
            refused(400, "invalid_scope (no such)"),
        ),
        (&[("400 Bad Request", r#"{"error": "bad", "error_description": "its-secret is wrong"}"#)], refused(400, "")),
        (&[("503 Service Unavailable", "<html>")], refused(503, "")),
        // The secret would go along.
        (&[("302 Found\r\nLocation: http://127.0.0.1:1/", "")], refused(302, "")),
        (&[("200 OK", "<html>")], OidcError::Malformed("is no JSON")),
        (&[("200 OK", r#"{"token": "x"}"#)], OidcError::Malformed("has no access_token")),
        (&[("200 OK", r#"{"access_token": ""}"#)], OidcError::Malformed("has no access_token")),
        (
            &[("200 OK", r#"{"access_token": "x", "token_type": "mac"}"#)],
            OidcError::Malformed("has a token that is no bearer's"),
        ),
    ];
    for (answers, expected) in all {
        let (endpoint, serving) = server(answers);
        assert_eq!(refusal(&ClientCredentials::new(endpoint, "id", "its-secret")), expected);
        serving.join().expect("one request");
    }
}

#[test]
fn a_secret_goes_to_nobody_who_might_not_be_the_server() {
    for endpoint in ["http://example.com/token", "http://a.b/token", "ftp://localhost/", "no url at all"] {
        let error = refusal(&ClientCredentials::new(endpoint, "id", "its-secret"));
        assert!(matches!(error, OidcError::Settings(_)), "{endpoint}: {error}");
    }
    for (host, is_here) in
        [("localhost", true), ("127.0.0.2", true), ("[::1]", true), ("localhost.example.com", false), ("::2", false)]
    {
        assert_eq!(is_this_host(host), is_here, "{host}");
    }
    let nobody = refusal(&ClientCredentials::new("http://127.0.0.1:1/token", "id", "its-secret"));
    assert!(matches!(nobody, OidcError::Unreachable(_)), "{nobody}");
}

#[test]
fn what_cannot_change_by_itself_is_told_from_what_passes() {
    let refused = |status, error: &str| OidcError::Refused { status, error: error.into() };
    for error in [
        refused(400, "invalid_scope (no such)"),
        refused(400, ""),
        refused(401, "invalid_client"),
        refused(403, ""),
        refused(404, ""),
        OidcError::Settings("wrong"),
    ] {
        assert!(error.is_for_good(), "{error}");
    }
    for error in [
        refused(302, ""),
        refused(400, "temporarily_unavailable"),
        refused(408, ""),
        refused(425, ""),
        refused(429, "slow_down"),
        refused(500, ""),
        refused(503, ""),
        OidcError::Unreachable("away".into()),
        OidcError::Malformed("is no JSON"),
    ] {
        assert!(!error.is_for_good(), "{error}");
    }
}
