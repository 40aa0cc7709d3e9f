//! Bytes that nobody may see.

use alloc::{string::String, vec::Vec};
use core::fmt;

use zeroize::Zeroizing;

use crate::sync::Arc;

/// A password. It is never printed, and its memory is overwritten when the last clone is dropped; clones share it.
///
/// What was copied out of it on the way to a broker (PLAIN sends the password itself) lies in a connection's buffer until
/// that is written over, or in the kernel.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

impl Secret {
    /// Takes a text or bytes over. A `String` or a `Vec` is not copied, so that none is left behind.
    pub fn new(secret: impl Into<Vec<u8>>) -> Self {
        Secret(Arc::new(Zeroizing::new(secret.into())))
    }

    /// What it holds, for a transport that must say it to somebody: a proxy, say. Never to be printed.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a peer's words have it in them, so that they must not be passed on.
    pub(super) fn is_in(&self, text: &str) -> bool {
        !self.0.is_empty() && text.as_bytes().windows(self.0.len()).any(|part| part == self.bytes())
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Secret::new(secret)
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Secret::new(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
