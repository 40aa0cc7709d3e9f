//! Cryptography that protects nothing, for fuzzing only: keys are exchanged and certificates signed by hashing what everybody can
//! see, and what is random is the same in every run. So a run takes a fraction of a real handshake's time, and an input that found
//! something finds it again. Records are encrypted and handshakes hashed by the real thing.

use std::cell::Cell;
use std::sync::Arc;

use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, SharedSecret, SupportedKxGroup,
    WebPkiSupportedAlgorithms,
};
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, PrivateKeyDer, SignatureVerificationAlgorithm, alg_id};
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, NamedGroup, PeerMisbehaved, SignatureAlgorithm, SignatureScheme};

/// As a real key of X25519, whose name this exchange has.
const KEY: usize = 32;
/// As a real point of P-256, whose name these signatures have.
const PUBLIC: usize = 65;

thread_local! {
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

/// What is random begins again.
pub(crate) fn begin() {
    DRAWN.set(0);
}

pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![&Toy],
        signature_verification_algorithms: WebPkiSupportedAlgorithms {
            all: &[&Toy],
            mapping: &[(SignatureScheme::ECDSA_NISTP256_SHA256, &[&Toy])],
        },
        secure_random: &Toy,
        key_provider: &Toy,
        ..rustls::crypto::ring::default_provider()
    }
}

fn hash(parts: &[&[u8]]) -> Vec<u8> {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("a suite of TLS 1.3");
    suite.common.hash_provider.hash(&parts.concat()).as_ref().to_vec()
}

#[derive(Debug)]
struct Toy;

impl SecureRandom for Toy {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        for bytes in buf.chunks_mut(8) {
            // SplitMix64.
            let drawn = DRAWN.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            DRAWN.set(drawn);
            let mixed = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bytes.copy_from_slice(&(mixed ^ (mixed >> 31)).to_be_bytes()[..bytes.len()]);
        }
        Ok(())
    }
}

impl SupportedKxGroup for Toy {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut ours = [0; KEY];
        self.fill(&mut ours)?;
        Ok(Box::new(Exchange(ours)))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Exchange([u8; KEY]);

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, Error> {
        if theirs.len() != KEY {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        let ours = &self.0[..];
        Ok(SharedSecret::from(hash(&[ours.min(theirs), ours.max(theirs)])))
    }

    fn pub_key(&self) -> &[u8] {
        &self.0
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl SignatureVerificationAlgorithm for Toy {
    fn verify_signature(&self, public: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        if hash(&[public, message]) == signature { Ok(()) } else { Err(InvalidSignature) }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}

/// No key is read from anywhere.
impl KeyProvider for Toy {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("toys have no private keys".into()))
    }
}

/// Whose secret is that it is filled with this byte.
#[derive(Clone, Debug)]
pub(crate) struct Key([u8; PUBLIC]);

impl Key {
    pub(crate) fn new(byte: u8) -> Key {
        Key([byte; PUBLIC])
    }
}

impl rcgen::PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(hash(&[&self.0, message]))
    }
}

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SignatureScheme::ECDSA_NISTP256_SHA256).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(hash(&[&self.0, message]))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}
