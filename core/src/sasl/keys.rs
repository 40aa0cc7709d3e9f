//! What SCRAM makes of a password (RFC 5802, section 3), in steps: a million rounds would keep a host of one thread busy for
//! a second.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

use super::{ScramHash, Secret};

/// The output of a hash, overwritten when it is dropped.
#[derive(Clone)]
pub(crate) struct Output {
    bytes: Zeroizing<[u8; 64]>,
    len: usize,
}

impl Output {
    fn of(bytes: &[u8]) -> Output {
        let mut output = Output { bytes: Zeroizing::new([0; 64]), len: bytes.len().min(64) };
        output.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        output
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn xor(&mut self, other: &[u8]) {
        self.bytes.iter_mut().zip(other).for_each(|(to, with)| *to ^= with);
    }
}

/// HMAC with either hash, begun.
#[derive(Clone)]
pub(crate) enum Prf {
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

/// HMAC takes keys of any length.
fn keyed<M: KeyInit>(key: &[u8]) -> M {
    match M::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("a key of any length will do"),
    }
}

impl Prf {
    pub(super) fn new(hash: ScramHash, key: &[u8]) -> Prf {
        match hash {
            ScramHash::Sha256 => Prf::Sha256(keyed(key)),
            ScramHash::Sha512 => Prf::Sha512(keyed(key)),
        }
    }

    pub(super) fn with(mut self, data: &[u8]) -> Prf {
        match &mut self {
            Prf::Sha256(mac) => mac.update(data),
            Prf::Sha512(mac) => mac.update(data),
        }
        self
    }

    pub(super) fn end(self) -> Output {
        match self {
            Prf::Sha256(mac) => Output::of(&mac.finalize().into_bytes()),
            Prf::Sha512(mac) => Output::of(&mac.finalize().into_bytes()),
        }
    }

    /// In a time that does not tell where the difference is.
    pub(super) fn is(self, expected: &[u8]) -> bool {
        match self {
            Prf::Sha256(mac) => mac.verify_slice(expected).is_ok(),
            Prf::Sha512(mac) => mac.verify_slice(expected).is_ok(),
        }
    }
}

/// One round after the other of PBKDF2: each hashes the one before, and all are added up.
fn rounds<M: Mac + Clone>(prf: &M, last: &mut Output, sum: &mut Output, count: u32) {
    for _ in 0..count {
        let mut mac = prf.clone();
        mac.update(last.bytes());
        let output = mac.finalize().into_bytes();
        last.bytes.iter_mut().zip(&output).for_each(|(to, from)| *to = *from);
        sum.xor(&output);
    }
}

/// What a password's keys depend on beside it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Salt {
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
}

/// A salted password on its way.
pub(crate) struct Derivation {
    hash: ScramHash,
    salt: Salt,
    prf: Prf,
    last: Output,
    sum: Output,
    left: u32,
}

impl Derivation {
    pub(super) fn new(hash: ScramHash, password: &Secret, salt: Salt) -> Derivation {
        let prf = Prf::new(hash, password.bytes());
        let last = prf.clone().with(&salt.salt).with(&1u32.to_be_bytes()).end();
        let left = salt.iterations.saturating_sub(1);
        Derivation { hash, salt, prf, sum: last.clone(), last, left }
    }

    pub(crate) fn salt(&self) -> &Salt {
        &self.salt
    }

    /// Does at most so many rounds; answers the keys when all are done.
    pub(super) fn step(&mut self, most: u32) -> Option<Keys> {
        let count = self.left.min(most);
        #[cfg(test)]
        super::testing::count(count);
        match &self.prf {
            Prf::Sha256(prf) => rounds(prf, &mut self.last, &mut self.sum, count),
            Prf::Sha512(prf) => rounds(prf, &mut self.last, &mut self.sum, count),
        }
        self.left = self.left.saturating_sub(count);
        (self.left == 0).then(|| Keys::of(self.hash, self.salt.clone(), self.sum.bytes()))
    }
}

/// What both sides sign with.
pub(crate) struct Keys {
    hash: ScramHash,
    salt: Salt,
    client: Output,
    stored: Output,
    server: Output,
}

impl Keys {
    fn of(hash: ScramHash, salt: Salt, salted: &[u8]) -> Keys {
        let key = |name: &[u8]| Prf::new(hash, salted).with(name).end();
        let (client, server) = (key(b"Client Key"), key(b"Server Key"));
        let stored = match hash {
            ScramHash::Sha256 => Output::of(&Sha256::digest(client.bytes())),
            ScramHash::Sha512 => Output::of(&Sha512::digest(client.bytes())),
        };
        Keys { hash, salt, client, stored, server }
    }

    pub(crate) fn salt(&self) -> &Salt {
        &self.salt
    }

    /// The client's proof for what was said.
    pub(super) fn proof(&self, said: &[u8]) -> Output {
        let mut proof = Prf::new(self.hash, self.stored.bytes()).with(said).end();
        proof.xor(self.client.bytes());
        proof
    }

    /// What the broker must sign the same with.
    pub(super) fn signature(&self, said: &[u8]) -> Prf {
        Prf::new(self.hash, self.server.bytes()).with(said)
    }
}
