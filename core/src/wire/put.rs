use alloc::vec::Vec;

use super::{Split, Uuid, WireError, frame::Frame};

/// Where an encoder puts its bytes. It runs twice: over a [`Counter`], then over a [`Writer`] of exactly that size.
pub trait Put: Sized {
    /// Takes these bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Leaves room for `len` bytes that go out from elsewhere and are never copied: the payload of a `records` field.
    fn external(&mut self, len: usize);

    /// Puts an unsigned variable-length integer.
    fn unsigned_varint(&mut self, mut value: u32) {
        let mut bytes = [0; 5];
        let mut used = 0usize;
        for byte in &mut bytes {
            used = used.saturating_add(1);
            *byte = (value & 0x7f) as u8;
            value >>= 7;
            if value == 0 {
                break;
            }
            *byte |= 0x80;
        }
        self.put(bytes.get(..used).unwrap_or_default());
    }

    /// Starts the tagged fields (KIP-482) of a structure of which `count` will follow.
    fn tag_count(&mut self, count: u32) {
        self.unsigned_varint(count);
    }

    /// Starts the tagged fields of a structure: those that are true will follow.
    fn tags(&mut self, present: &[bool]) {
        self.tag_count(present.iter().map(|present| u32::from(*present)).sum());
    }

    /// Ends a structure without tagged fields; in versions that are not flexible there is nothing to say.
    fn no_tags(&mut self, flexible: bool) {
        if flexible {
            self.tag_count(0);
        }
    }

    /// Puts one tagged field if it is present.
    fn tagged_if<T: Field>(&mut self, present: bool, tag: u32, value: &T, version: i16) -> Result<(), WireError> {
        if present { self.tagged(tag, value, version) } else { Ok(()) }
    }

    /// Puts one tagged field: its tag, its length, its value.
    fn tagged<T: Field>(&mut self, tag: u32, value: &T, version: i16) -> Result<(), WireError> {
        let mut size = Counter::default();
        value.write(&mut size, version, true)?;
        self.unsigned_varint(tag);
        self.unsigned_varint(u32::try_from(size.total()).map_err(|_| WireError::TooLong { what: "a tagged field" })?);
        value.write(self, version, true)
    }
}

/// Adds up what an encoder puts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Bytes that a [`Writer`] would hold.
    pub copied: usize,
    /// Bytes that go out from elsewhere.
    pub external: usize,
    /// In how many places they do.
    pub splits: usize,
}

impl Counter {
    /// All bytes as the peer will count them.
    pub const fn total(&self) -> usize {
        self.copied.saturating_add(self.external)
    }
}

impl Put for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.copied = self.copied.saturating_add(bytes.len());
    }

    fn external(&mut self, len: usize) {
        self.external = self.external.saturating_add(len);
        self.splits = self.splits.saturating_add(1);
    }
}

/// Holds what an encoder puts, in memory that was reserved once for exactly that.
#[derive(Debug, Default)]
pub struct Writer {
    /// What was put so far.
    pub bytes: Vec<u8>,
    /// Where external bytes come in, in order; one for each, even if it is empty.
    pub splits: Vec<Split>,
}

impl Writer {
    /// Reserves what was counted. Errors: [`WireError::NoMemory`].
    pub fn reserve(counted: &Counter) -> Result<Self, WireError> {
        Self::reserve_in(Frame::default(), counted)
    }

    /// The same in the memory of a frame, whatever stands there.
    pub fn reserve_in(memory: Frame, counted: &Counter) -> Result<Self, WireError> {
        let Frame { mut bytes, mut splits } = memory;
        bytes.clear();
        splits.clear();
        let mut writer = Self { bytes, splits };
        let refused = |_| WireError::NoMemory { bytes: counted.copied };
        writer.bytes.try_reserve_exact(counted.copied).map_err(refused)?;
        writer.splits.try_reserve_exact(counted.splits).map_err(refused)?;
        Ok(writer)
    }
}

impl Put for Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn external(&mut self, len: usize) {
        self.splits.push(Split { at: self.bytes.len(), len });
    }
}

/// Either of them, so that the code of each message is there once and not for each.
pub(super) enum Pass {
    Count(Counter),
    Write(Writer),
}

impl Put for Pass {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        match self {
            Pass::Count(counter) => counter.put(bytes),
            Pass::Write(writer) => writer.put(bytes),
        }
    }

    fn external(&mut self, len: usize) {
        match self {
            Pass::Count(counter) => counter.external(len),
            Pass::Write(writer) => writer.external(len),
        }
    }
}

/// The value of a field, as it is written.
pub trait Field {
    /// Writes it. `flexible`: with compact lengths.
    fn write<P: Put>(&self, out: &mut P, version: i16, flexible: bool) -> Result<(), WireError>;

    /// Writes it if this version has it. Otherwise nobody misses it.
    fn write_if<P: Put>(&self, has: bool, out: &mut P, version: i16, flexible: bool) -> Result<(), WireError> {
        if has { self.write(out, version, flexible) } else { Ok(()) }
    }

    /// Writes it if this version has it. Otherwise it must have its default, or something that was asked for would
    /// silently not be said: [`WireError::FieldNotInVersion`].
    fn write_or<P: Put>(
        &self,
        has: bool,
        is_default: bool,
        field: &'static str,
        out: &mut P,
        version: i16,
        flexible: bool,
    ) -> Result<(), WireError> {
        supported(has || is_default, field, version)?;
        self.write_if(has, out, version, flexible)
    }
}

/// Refuses a field that is null in a version which allows none, with [`WireError::Null`].
pub const fn require(allowed: bool, field: &'static str) -> Result<(), WireError> {
    if allowed { Ok(()) } else { Err(WireError::Null { what: field }) }
}

/// Refuses a value that is not the default in a version without its field, with [`WireError::FieldNotInVersion`].
pub const fn supported(fits: bool, field: &'static str, version: i16) -> Result<(), WireError> {
    if fits { Ok(()) } else { Err(WireError::FieldNotInVersion { field, version }) }
}

macro_rules! fixed {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn write<P: Put>(&self, out: &mut P, _version: i16, _flexible: bool) -> Result<(), WireError> {
                out.put(&self.to_be_bytes());
                Ok(())
            }
        }
    )*};
}

fixed!(i8, i16, i32, i64, u16, u32, f64);

impl Field for bool {
    fn write<P: Put>(&self, out: &mut P, _version: i16, _flexible: bool) -> Result<(), WireError> {
        out.put(&[u8::from(*self)]);
        Ok(())
    }
}

impl Field for Uuid {
    fn write<P: Put>(&self, out: &mut P, _version: i16, _flexible: bool) -> Result<(), WireError> {
        out.put(&self.0);
        Ok(())
    }
}

/// A length or count, in the compact form or as an int32.
fn put_length<P: Put>(out: &mut P, len: Option<usize>, flexible: bool, what: &'static str) -> Result<(), WireError> {
    let len = match len {
        Some(len) => i32::try_from(len).map_err(|_| WireError::TooLong { what })?,
        None => -1,
    };
    if flexible {
        out.unsigned_varint(len.wrapping_add(1) as u32);
    } else {
        out.put(&len.to_be_bytes());
    }
    Ok(())
}

impl Field for Option<&str> {
    fn write<P: Put>(&self, out: &mut P, _version: i16, flexible: bool) -> Result<(), WireError> {
        let len = match self {
            Some(text) => i16::try_from(text.len()).map_err(|_| WireError::TooLong { what: "a string" })?,
            None => -1,
        };
        if flexible {
            out.unsigned_varint(len.wrapping_add(1) as u16 as u32);
        } else {
            out.put(&len.to_be_bytes());
        }
        out.put(self.unwrap_or_default().as_bytes());
        Ok(())
    }
}

impl Field for &str {
    fn write<P: Put>(&self, out: &mut P, version: i16, flexible: bool) -> Result<(), WireError> {
        Some(*self).write(out, version, flexible)
    }
}

impl Field for Option<&[u8]> {
    fn write<P: Put>(&self, out: &mut P, _version: i16, flexible: bool) -> Result<(), WireError> {
        put_length(out, self.map(<[u8]>::len), flexible, "a byte string")?;
        out.put(self.unwrap_or_default());
        Ok(())
    }
}

impl Field for &[u8] {
    fn write<P: Put>(&self, out: &mut P, version: i16, flexible: bool) -> Result<(), WireError> {
        Some(*self).write(out, version, flexible)
    }
}

/// A `records` field: the length of a payload that is not copied.
impl Field for Option<usize> {
    fn write<P: Put>(&self, out: &mut P, _version: i16, flexible: bool) -> Result<(), WireError> {
        put_length(out, *self, flexible, "a records field")?;
        if let Some(len) = *self {
            out.external(len);
        }
        Ok(())
    }
}

impl<T: Field> Field for Option<&[T]> {
    fn write<P: Put>(&self, out: &mut P, version: i16, flexible: bool) -> Result<(), WireError> {
        put_length(out, self.map(<[T]>::len), flexible, "an array")?;
        self.unwrap_or_default().iter().try_for_each(|element| element.write(out, version, flexible))
    }
}

impl<T: Field> Field for &[T] {
    fn write<P: Put>(&self, out: &mut P, version: i16, flexible: bool) -> Result<(), WireError> {
        Some(*self).write(out, version, flexible)
    }
}

/// A structure that may be null: a byte says which.
#[derive(Debug)]
pub struct Nullable<'s, T>(pub &'s Option<T>);

impl<T: Field> Field for Nullable<'_, T> {
    fn write<P: Put>(&self, out: &mut P, version: i16, flexible: bool) -> Result<(), WireError> {
        match self.0 {
            Some(value) => {
                out.put(&[1]);
                value.write(out, version, flexible)
            }
            None => {
                out.put(&[0xff]);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
#[path = "put_tests.rs"]
mod tests;
