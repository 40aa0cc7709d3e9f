//! The broker's side of SCRAM, for tests and for fuzzing.

use alloc::{format, string::String, vec, vec::Vec};

use base64ct::{Base64, Encoding};

use super::{
    Derivation, ScramHash, Secret,
    keys::{Keys, Salt},
};

#[cfg(test)]
std::thread_local! {
    static ROUNDS: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

#[cfg(test)]
pub(super) fn count(rounds: u32) {
    ROUNDS.set(ROUNDS.get() + rounds as usize);
}

/// Rounds that this thread has done.
#[cfg(test)]
pub(crate) fn rounds() -> usize {
    ROUNDS.get()
}

/// A broker that knows one user.
pub(crate) struct Server {
    hash: ScramHash,
    password: Secret,
    pub(crate) iterations: u32,
}

impl Server {
    pub(crate) fn new(hash: ScramHash, password: &str) -> Server {
        Server { hash, password: password.into(), iterations: 4_096 }
    }

    /// The answer to a client's first message, and what both have said.
    pub(crate) fn first(&self, message: &[u8]) -> (Vec<u8>, String) {
        let message = core::str::from_utf8(message).expect("text");
        let bare = message.strip_prefix("n,,").expect("no channel binding");
        let (_, nonce) = bare.split_once(",r=").expect("a nonce");
        let salt = Base64::encode_string(&[5; 16]);
        let answer = format!("r={nonce}broker,s={salt},i={}", self.iterations);
        let said = format!("{bare},{answer}");
        (answer.into_bytes(), said)
    }

    /// What it signs and checks with.
    pub(crate) fn keys(&self) -> Keys {
        let salt = Salt { salt: vec![5; 16], iterations: self.iterations };
        Derivation::new(self.hash, &self.password, salt).step(u32::MAX).expect("done")
    }

    /// The answer to a client's last message, if its proof is right.
    #[cfg(test)]
    pub(crate) fn last(&self, said: &str, message: &[u8]) -> Option<Vec<u8>> {
        Server::signed(&self.keys(), said, message)
    }

    /// The same with keys that were made before.
    pub(crate) fn signed(keys: &Keys, said: &str, message: &[u8]) -> Option<Vec<u8>> {
        let message = core::str::from_utf8(message).expect("text");
        let (last, proof) = message.split_once(",p=").expect("a proof");
        let said = format!("{said},{last}");
        let right = Base64::encode_string(keys.proof(said.as_bytes()).bytes()) == proof;
        let signature = Base64::encode_string(keys.signature(said.as_bytes()).end().bytes());
        right.then(|| format!("v={signature}").into_bytes())
    }
}
