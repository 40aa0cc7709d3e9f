//! Tokens for OAUTHBEARER.

use std::time::{SystemTime, UNIX_EPOCH};

use klamm_tokio::{
    sasl::Token,
    tls::rustls::{
        SignatureScheme,
        crypto::ring::sign::any_ecdsa_type,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
        sign::Signer,
    },
};
use rcgen::{KeyPair, PublicKeyData as _};

use crate::watch_log;

/// A token that Kafka takes for testing: not signed (RFC 7519, section 6), of this user, for so long. No log may have it.
pub fn unsigned_token(user: &str, seconds: i64) -> Token {
    let claims = base64url(claims(user, seconds).as_bytes());
    watch_log(|secrets| secrets.add("a token", claims.as_bytes()));
    Token::new(format!("{}.{claims}.", base64url(br#"{"alg":"none"}"#)))
}

fn claims(user: &str, seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    format!(r#"{{"sub":"{user}","scope":"kafka","iat":{now},"exp":{}}}"#, now + seconds)
}

/// Base64 as URLs have it, without padding.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).for_each(|i| text.push(LETTERS[(word >> (18 - 6 * i)) as usize & 63].into()));
    }
    text
}

/// Somebody who signs tokens (ES256, RFC 7518).
pub struct Issuer {
    key: KeyPair,
    signer: Box<dyn Signer>,
}

impl Issuer {
    /// With a key of its own.
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Issuer {
        let key = KeyPair::generate().expect("a key");
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signer = any_ecdsa_type(&der).expect("a key of a curve");
        let signer = signer.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]).expect("its scheme");
        Issuer { key, signer }
    }

    /// The key that brokers check signatures with, as a JSON web key set.
    pub fn keys(&self) -> String {
        // Uncompressed: a four, and both numbers.
        let point = self.key.der_bytes();
        let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
        format!(
            r#"{{"keys":[{{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"klamm","x":"{x}","y":"{y}"}}]}}"#
        )
    }

    /// A token of this user, for so long. No log may have it.
    pub fn token(&self, user: &str, seconds: i64) -> String {
        let claims = base64url(claims(user, seconds).as_bytes());
        watch_log(|secrets| secrets.add("a token", claims.as_bytes()));
        let said = format!("{}.{claims}", base64url(br#"{"alg":"ES256","kid":"klamm"}"#));
        let signature = self.signer.sign(said.as_bytes()).expect("signed");
        format!("{said}.{}", base64url(&both_numbers(&signature)))
    }
}

/// The two numbers of a signature in ASN.1, 32 bytes each, as JWTs have them.
fn both_numbers(signature: &[u8]) -> [u8; 64] {
    let (mut both, mut rest) = ([0; 64], &signature[2..]);
    for to in both.chunks_mut(32) {
        let (number, after) = rest[2..].split_at(rest[1].into());
        // A number of 33 bytes begins with a zero, and small ones are shorter.
        let number = &number[number.len().saturating_sub(32)..];
        to[32 - number.len()..].copy_from_slice(number);
        rest = after;
    }
    both
}
