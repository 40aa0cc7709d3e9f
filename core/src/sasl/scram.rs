//! SCRAM's messages (RFC 5802, section 7), without channel binding.
//!
//! Kafka hashes a password's bytes in UTF-8 as they are, without SASLprep, and so do we: a password that is not ASCII must
//! be spelt with the same characters as when it was given to the broker.

use alloc::{boxed::Box, string::String, vec::Vec};

use base64ct::{Base64, Encoding};

use super::{
    Message, Sasl, SaslFault, ScramHash, Secret,
    exchange::{Exchange, Mechanism, Next, Nonce},
    keys::{Derivation, Keys, Prf, Salt},
};

/// Fewer protect no password (RFC 7677), and Kafka takes no fewer.
pub(super) const ITERATIONS_MIN: u32 = 4_096;
/// More would only keep this host busy.
pub(super) const ITERATIONS_MAX: u32 = 1_000_000;

/// The longest message of a broker that is looked at. Kafka's has about 120 bytes.
const MESSAGE_MAX: usize = 1_024;

/// No channel binding, no other user's name.
const GS2_HEADER: &str = "n,,";
/// The same in base64.
const GS2_BASE64: &str = "biws";

/// The client's first message.
pub(crate) struct First {
    bare: String,
    nonce: String,
}

impl First {
    pub(super) fn new(user: &str, nonce: &[u8]) -> First {
        First::of(user, Base64::encode_string(nonce))
    }

    /// `nonce`: printable, without a comma.
    pub(super) fn of(user: &str, nonce: String) -> First {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        First { bare: alloc::format!("n={user},r={nonce}"), nonce }
    }

    pub(super) fn message(&self) -> Message {
        Message::new(alloc::format!("{GS2_HEADER}{}", self.bare).into_bytes())
    }

    /// Reads the broker's answer: what it hashed the password with, and its half of the nonce.
    pub(super) fn on_answer(&self, answer: &[u8]) -> Result<Challenge, SaslFault> {
        let mut parts = parts_of(answer)?;
        let nonce = value_of(parts.next(), "r=", "no nonce")?;
        let salt = value_of(parts.next(), "s=", "no salt")?;
        let iterations = value_of(parts.next(), "i=", "no iterations")?;
        let bytes = nonce.bytes();
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() || !bytes.into_iter().all(is_printable) {
            return Err(SaslFault::Nonce);
        }
        let salt = Base64::decode_vec(salt).map_err(|_| malformed("a salt that is not base64"))?;
        if salt.is_empty() {
            return Err(malformed("an empty salt"));
        }
        if !iterations.bytes().all(|c| c.is_ascii_digit()) || iterations.is_empty() {
            return Err(malformed("iterations that are no number"));
        }
        // A number that is too long to be read is too large.
        let iterations = iterations.parse().unwrap_or(u32::MAX);
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(SaslFault::Iterations { got: iterations });
        }
        let last = alloc::format!("c={GS2_BASE64},r={nonce}");
        let text = core::str::from_utf8(answer).unwrap_or_default();
        let said = alloc::format!("{},{text},{last}", self.bare);
        Ok(Challenge { salt: Salt { salt, iterations }, said, last })
    }
}

/// What the broker asks the client to sign.
pub(crate) struct Challenge {
    pub(super) salt: Salt,
    /// Everything that both said: what they sign.
    said: String,
    /// The client's last message but for its proof.
    last: String,
}

impl Challenge {
    /// The client's last message, and what the broker's must be.
    pub(super) fn sign(&self, keys: &Keys) -> (Message, Prf) {
        let proof = Base64::encode_string(keys.proof(self.said.as_bytes()).bytes());
        let message = Message::new(alloc::format!("{},p={proof}", self.last).into_bytes());
        (message, keys.signature(self.said.as_bytes()))
    }
}

/// Reads the broker's last message: it must prove that it knows the password, too.
pub(super) fn check_signature(answer: &[u8], expected: Prf) -> Result<(), SaslFault> {
    let first = parts_of(answer)?.next();
    if first.is_some_and(|part| part.starts_with("e=")) {
        return Err(SaslFault::Refused { code: crate::ErrorCode::SASL_AUTHENTICATION_FAILED, message: None });
    }
    let signature = value_of(first, "v=", "no signature")?;
    let signature = Base64::decode_vec(signature).map_err(|_| malformed("a signature that is not base64"))?;
    if expected.is(&signature) { Ok(()) } else { Err(SaslFault::Signature) }
}

fn parts_of(answer: &[u8]) -> Result<core::str::Split<'_, char>, SaslFault> {
    if answer.len() > MESSAGE_MAX {
        return Err(malformed("too long"));
    }
    let text = core::str::from_utf8(answer).map_err(|_| malformed("not UTF-8"))?;
    // An extension that must be understood stands first, so that a message with one has no nonce there.
    Ok(text.split(','))
}

fn value_of<'a>(part: Option<&'a str>, name: &str, missing: &'static str) -> Result<&'a str, SaslFault> {
    part.and_then(|part| part.strip_prefix(name)).ok_or_else(|| malformed(missing))
}

fn malformed(what: &'static str) -> SaslFault {
    SaslFault::Malformed { what }
}

/// What a nonce may have in it, beside the comma, at which the message was split.
fn is_printable(c: u8) -> bool {
    (0x21..=0x7e).contains(&c)
}

/// A nonce's bytes before base64.
pub(super) const NONCE_LEN: usize = 24;

/// A hash of the randomness and of how often it was used before.
fn draw(nonce: &Nonce) -> Vec<u8> {
    let output = Prf::new(ScramHash::Sha256, &nonce.seed).with(&nonce.drawn.to_be_bytes()).end();
    output.bytes().iter().copied().take(NONCE_LEN).collect()
}

/// SCRAM with this hash.
pub(super) struct Scram(pub(super) ScramHash);

impl Mechanism for Scram {
    fn name(&self) -> &'static str {
        match self.0 {
            ScramHash::Sha256 => "SCRAM-SHA-256",
            ScramHash::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn begin(&self, sasl: &Sasl, nonce: &Nonce) -> (Exchange, Option<Message>) {
        let first = First::new(&sasl.user, &draw(nonce));
        let message = first.message();
        (Exchange::ScramFirst(first), Some(message))
    }

    fn on_answer(&self, exchange: Exchange, answer: &[u8]) -> Result<Next, SaslFault> {
        match exchange {
            Exchange::ScramFirst(first) => Ok(Next::Keys(Exchange::ScramKeys(first.on_answer(answer)?))),
            Exchange::ScramLast(expected) => check_signature(answer, *expected).map(|()| Next::Done),
            _ => Err(malformed("not asked for")),
        }
    }

    fn derive(&self, password: &Secret, salt: &Salt) -> Option<Derivation> {
        Some(Derivation::new(self.0, password, salt.clone()))
    }

    fn step(&self, derivation: &mut Derivation, most: u32) -> Option<Keys> {
        derivation.step(most)
    }

    fn sign(&self, exchange: &mut Exchange, keys: &Keys) -> Option<Message> {
        let Exchange::ScramKeys(challenge) = exchange else { return None };
        let (message, expected) = challenge.sign(keys);
        *exchange = Exchange::ScramLast(Box::new(expected));
        Some(message)
    }
}
