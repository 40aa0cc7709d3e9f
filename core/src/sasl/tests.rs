//! SCRAM's messages against vectors, and against bytes that no broker should send.

use alloc::{
    format,
    string::{String, ToString},
    vec,
};

use proptest::prelude::*;

use super::{Derivation, Exchange, Keys, Next, Nonce, Salt, Sasl, SaslFault, ScramHash, Secret, scram::First};

const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

fn keys(hash: ScramHash, password: &str, salt: Salt) -> Keys {
    let mut derivation = Derivation::new(hash, &Secret::from(password), salt);
    loop {
        if let Some(keys) = derivation.step(1_000) {
            return keys;
        }
    }
}

/// The client's last message, and the exchange that waits for the broker's.
fn sign(hash: ScramHash, user: &str, nonce: &str, password: &str, first: &str) -> (String, Exchange) {
    let sasl = Sasl::scram(hash, user, password);
    let exchange = Exchange::ScramFirst(First::of(user, nonce.to_string()));
    let Ok(Next::Keys(mut exchange)) = sasl.on_answer(exchange, first.as_bytes()) else { panic!("a good answer") };
    let salt = exchange.wants().expect("waits for keys").clone();
    let message = sasl.sign(&mut exchange, &keys(hash, password, salt)).expect("waited for keys");
    (String::from_utf8(message.to_vec()).expect("text"), exchange)
}

fn answered(exchange: Exchange, answer: &[u8]) -> Result<Next, SaslFault> {
    Sasl::scram(ScramHash::Sha256, "user", "pencil").on_answer(exchange, answer)
}

/// RFC 7677, section 3.
#[test]
fn the_rfcs_example() {
    let first = First::of("user", NONCE.into());
    assert_eq!(&**first.message(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let (last, exchange) = sign(ScramHash::Sha256, "user", NONCE, "pencil", FIRST);
    assert_eq!(
        last,
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    );
    let done = answered(exchange, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    assert!(matches!(done, Ok(Next::Done)));
}

/// Made with Python's hashlib and hmac. The second has every character that is escaped, and a password that is not ASCII.
#[test]
fn sha_512_as_another_implementation_has_it() {
    let longer = "r=fyko+d2lbbFgONRv9qkxdawL%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=AQIDBAUGBwgJCgsMDQ4PEBESExQ=,i=10001";
    let vectors = [
        (
            ("user", NONCE, "pencil", FIRST),
            "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
            "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==",
        ),
        (
            ("o=t,o", "fyko+d2lbbFgONRv9qkxdawL", "paßwört", longer),
            "J5c+5uOA1ZDlKOpViOxeEQ7q4/wLPzhIQuHSkqMtxDCYKftkd6gx8U/9jVqEGbre88mI02DM/ta7ngx+l36atA==",
            "4Z9Y2kKzLvyI7K77usl2xJyR3CYAouUuyfiHobhAYyeVQg9jkvyeVv5zv8fNOJxtvWGFwkrHybnEX8t600c9Wg==",
        ),
    ];
    for ((user, nonce, password, first), proof, signature) in vectors {
        let (last, exchange) = sign(ScramHash::Sha512, user, nonce, password, first);
        assert_eq!(last.rsplit_once(",p=").expect("a proof").1, proof);
        assert!(answered(exchange, format!("v={signature}").as_bytes()).is_ok());
    }
}

#[test]
fn names_are_escaped() {
    let first = First::of("a=b,c", "n".into());
    assert_eq!(&**first.message(), b"n,,n=a=3Db=2Cc,r=n");
}

/// However the rounds are cut, the keys are the same, and never there before the last round.
#[test]
fn steps_make_the_same_keys_as_one() {
    for hash in [ScramHash::Sha256, ScramHash::Sha512] {
        let salt = Salt { salt: vec![7; 20], iterations: 5_000 };
        let whole = Derivation::new(hash, &"secret".into(), salt.clone()).step(u32::MAX).expect("done");
        let mut steps = Derivation::new(hash, &"secret".into(), salt);
        let mut count = 0;
        let cut = loop {
            count += 1;
            if let Some(keys) = steps.step(127) {
                break keys;
            }
        };
        assert_eq!(count, 4_999u32.div_ceil(127));
        assert_eq!(cut.proof(b"said").bytes(), whole.proof(b"said").bytes());
    }
}

/// A million rounds are taken, and neither one more nor one fewer than 4,096.
#[test]
fn iterations_have_bounds() {
    let first = |iterations: &str| {
        let answer = format!("r={NONCE}x,s=c2FsdA==,i={iterations}");
        First::of("u", NONCE.into()).on_answer(answer.as_bytes()).map(|c| c.salt.iterations)
    };
    assert_eq!((first("4096"), first("1000000")), (Ok(4_096), Ok(1_000_000)));
    for (text, got) in [("4095", 4_095), ("1000001", 1_000_001), ("0", 0), ("99999999999999999999", u32::MAX)] {
        assert_eq!(first(text), Err(SaslFault::Iterations { got }));
    }
    for text in ["", "-4096", "+4096", "4096 ", "0x1000", "４０９６"] {
        assert!(matches!(first(text), Err(SaslFault::Malformed { .. })), "{text:?}");
    }
}

#[test]
fn a_nonce_that_is_not_ours_is_refused() {
    for nonce in ["", "other", NONCE, "rOprNGfwEbeRWgbNEkqP%x", "rOprNGfwEbeRWgbNEkqO\u{7f}", "rOprNGfwEbeRWgbNEkqO ü"]
    {
        let answer = format!("r={nonce},s=c2FsdA==,i=4096");
        let fault = First::of("u", NONCE.into()).on_answer(answer.as_bytes()).map(|_| ()).expect_err(nonce);
        assert_eq!(fault, SaslFault::Nonce);
    }
}

#[test]
fn messages_that_are_none_are_refused() {
    let long = format!("r={NONCE}{},s=c2FsdA==,i=4096", "x".repeat(1_024));
    let bad: [&[u8]; 9] = [
        b"",
        b"m=ext,r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA==,i=4096",
        b"s=c2FsdA==,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA==",
        b"r=\xff,s=c2FsdA==,i=4096",
        long.as_bytes(),
    ];
    for answer in bad {
        let fault = First::of("u", NONCE.into()).on_answer(answer).map(|_| ()).expect_err("refused");
        assert!(matches!(fault, SaslFault::Malformed { .. }), "{fault}");
    }
}

#[test]
fn a_signature_that_is_wrong_or_none_is_refused() {
    let answer = |bytes: &[u8]| {
        let (_, exchange) = sign(ScramHash::Sha256, "user", NONCE, "pencil", FIRST);
        answered(exchange, bytes).map(|_| ()).expect_err("refused")
    };
    let good = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    assert_eq!(answer(format!("v=7{}", &good[1..]).as_bytes()), SaslFault::Signature);
    assert_eq!(answer(b"v=6rriTRBi23WpRR/wtup+mA=="), SaslFault::Signature);
    assert_eq!(answer(b"v="), SaslFault::Signature);
    assert!(matches!(answer(b"e=invalid-proof"), SaslFault::Refused { .. }));
    for none in [&b""[..], b"v=!", b"r=x", b"\xff"] {
        assert!(matches!(answer(none), SaslFault::Malformed { .. }), "{none:?}");
    }
}

#[test]
fn nonces_differ_and_are_as_long_as_they_should_be() {
    let sasl = Sasl::scram(ScramHash::Sha512, "u", "p");
    let first = |seed, drawn| sasl.begin(&Nonce { seed: [seed; 32], drawn }).1.expect("something to say");
    let all = [first(7, 1), first(7, 2), first(8, 1)];
    assert!(all[0] != all[1] && all[0] != all[2] && all.iter().all(|m| m.len() == "n,,n=u,r=".len() + 32));
}

#[test]
fn plain_is_two_nuls_between_which_the_user_stands() {
    let (_, message) = Sasl::plain("alice", "pä").begin(&Nonce { seed: [7; 32], drawn: 1 });
    assert_eq!(&**message.expect("something to say"), "\0alice\0pä".as_bytes());
}

/// A broker that repeats the password in its refusal does not get it into an error.
#[test]
fn what_a_broker_says_is_passed_on_without_the_password_and_not_without_end() {
    let sasl = Sasl::plain("alice", "hunter2");
    let told = |text: &str| sasl.told(&Exchange::Plain, Some(text));
    assert_eq!(told("no: hunter2!"), None);
    assert_eq!(told(""), None);
    assert_eq!(told("Invalid username or password").as_deref(), Some("Invalid username or password"));
    let long = format!("{}{}", "a", "ü".repeat(600));
    assert_eq!(told(&long).map(|t| t.len()), Some(511));
}

#[test]
fn nothing_prints_a_secret() {
    let sasl = Sasl::scram(ScramHash::Sha512, "alice", String::from("hunter2"));
    assert_eq!(format!("{sasl:?}"), "Sasl { mechanism: \"SCRAM-SHA-512\", user: \"alice\", .. }");
}

proptest! {
    /// Whatever comes instead of a broker's messages: a fault, and no panic.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = First::of("u", NONCE.into()).on_answer(&bytes).map(|_| ());
        let keys = Derivation::new(ScramHash::Sha256, &"p".into(), Salt { salt: vec![1], iterations: 1 }).step(1);
        let _ = super::scram::check_signature(&bytes, keys.expect("one round").signature(b"said"));
    }

    /// The same with something that looks like a message. What is taken has everything within its bounds.
    #[test]
    fn near_messages_are_read_or_refused(
        nonce in "[!-~]{0,20}", salt in "[A-Za-z0-9+/=]{0,20}", iterations in "[0-9]{1,9}", rest in "(,[a-z]=[!-~]{0,8}){0,3}",
    ) {
        let answer = format!("r={NONCE}{nonce},s={salt},i={iterations}{rest}");
        if let Ok(challenge) = First::of("u", NONCE.into()).on_answer(answer.as_bytes()) {
            prop_assert!((4_096..=1_000_000).contains(&challenge.salt.iterations));
            prop_assert!(!challenge.salt.salt.is_empty());
        }
    }
}
