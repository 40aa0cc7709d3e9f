//! Kafka's wire format: a reader that borrows, an encoder that sizes first and writes once, and the messages themselves.
//!
//! This module is public for this crate's tests, its fuzzing and the in-memory broker. It is **not stable**: a minor
//! release may change it.
//!
//! [`api`] has a table of all APIs with their versions.
//!
//! Bytes from a peer are checked once, by [`decode_body`], and then trusted. Nothing here allocates while it decodes.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod array;
mod error;
pub mod frame;
// `gen` is a keyword since the 2024 edition.
mod r#gen;
mod put;
mod reader;
mod uuid;
mod version;

pub use array::{Array, Iter, View};
pub use error::WireError;
pub use frame::{Frame, Split};
pub use r#gen::*;
pub use put::{Counter, Field, Nullable, Put, Writer, require, supported};
pub use reader::{Reader, Tags};
pub use uuid::Uuid;
pub use version::Api;

/// A message that can be written.
pub trait Encode {
    /// The API it belongs to, with its versions.
    const API: Api;

    /// Writes the body in this version.
    ///
    /// Errors: [`WireError::Unsupported`] for a version we do not know, [`WireError::FieldNotInVersion`] and
    /// [`WireError::Null`] for a value which that version cannot carry, [`WireError::TooLong`].
    fn encode<P: Put>(&self, out: &mut P, version: i16) -> Result<(), WireError>;
}

/// A message that can be read, as a checked view of the bytes.
pub trait Decode<'a>: Sized {
    /// The API it belongs to, with its versions.
    const API: Api;

    /// Reads the body in this version and leaves what follows it in the reader.
    ///
    /// Errors: [`WireError::Unsupported`] for a version we do not know; any other for malformed bytes.
    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError>;
}

/// Reads a body that must end where the bytes end.
///
/// Errors: those of [`Decode::decode`], and [`WireError::Trailing`] when bytes are left.
pub fn decode_body<'a, T: Decode<'a>>(r: &mut Reader<'a>, version: i16) -> Result<T, WireError> {
    let body = T::decode(r, version)?;
    r.end()?;
    Ok(body)
}
