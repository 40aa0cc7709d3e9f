use super::{Array, Uuid, View, WireError};

/// Reads Kafka's types from the front of a slice. Everything it gives borrows from that slice.
///
/// After an error the reader's position is not specified.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

macro_rules! fixed {
    ($($name:ident: $type:ty, $what:literal;)*) => {$(
        #[doc = concat!("Reads ", $what, ", big-endian.")]
        #[inline]
        pub fn $name(&mut self) -> Result<$type, WireError> {
            Ok(<$type>::from_be_bytes(self.array_of($what)?))
        }
    )*};
}

impl<'a> Reader<'a> {
    /// A reader of all these bytes.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The bytes that are left; they stay unread.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Refuses to end before the bytes do, with [`WireError::Trailing`].
    pub const fn end(&self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::Trailing { left: self.rest.len() }) }
    }

    /// Reads the next `n` bytes.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        self.take_of(n, "run of bytes")
    }

    #[inline]
    fn take_of(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(WireError::Truncated { what })?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array_of<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated { what })?;
        self.rest = rest;
        Ok(*taken)
    }

    fixed! {
        i8: i8, "an int8";
        i16: i16, "an int16";
        i32: i32, "an int32";
        i64: i64, "an int64";
        u16: u16, "a uint16";
        u32: u32, "a uint32";
        f64: f64, "a float64";
    }

    /// Reads a byte that is true unless it is zero.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, WireError> {
        Ok(self.array_of("a bool")? != [0])
    }

    /// Reads 16 bytes.
    #[inline]
    pub fn uuid(&mut self) -> Result<Uuid, WireError> {
        Ok(Uuid(self.array_of("a uuid")?))
    }

    /// Seven bits a byte, lowest first. `bits` is the size of the integer that must hold them.
    fn varint_of(&mut self, bits: u32, what: &'static str) -> Result<u64, WireError> {
        let mut value = 0;
        let mut shift = 0;
        while shift < bits {
            let [byte] = self.array_of(what)?;
            let low = u64::from(byte & 0x7f);
            // The last byte may carry only what is left of the integer, and no continuation.
            if bits.saturating_sub(shift) < 7 && u64::from(byte).wrapping_shr(bits.saturating_sub(shift)) != 0 {
                return Err(WireError::Varint { what });
            }
            value |= low.wrapping_shl(shift);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift = shift.saturating_add(7);
        }
        Err(WireError::Varint { what })
    }

    /// Reads an unsigned variable-length integer of at most 5 bytes.
    #[inline]
    pub fn unsigned_varint(&mut self) -> Result<u32, WireError> {
        // Nearly all lengths, counts and tags are of one byte.
        match self.rest.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.rest = rest;
                Ok(u32::from(*byte))
            }
            _ => {
                let value;
                (value, *self) = self.long_varint()?;
                Ok(value)
            }
        }
    }

    /// The rare case takes and gives readers by value: one whose address nobody has can live in registers.
    #[inline(never)]
    fn long_varint(mut self) -> Result<(u32, Self), WireError> {
        Ok((self.varint_of(32, "an unsigned varint")? as u32, self))
    }

    /// Reads a zigzag variable-length integer of at most 5 bytes.
    pub fn varint(&mut self) -> Result<i32, WireError> {
        let zigzag = self.varint_of(32, "a varint")? as u32;
        Ok((zigzag >> 1) as i32 ^ ((zigzag & 1) as i32).wrapping_neg())
    }

    /// Reads a zigzag variable-length integer of at most 10 bytes.
    pub fn varlong(&mut self) -> Result<i64, WireError> {
        let zigzag = self.varint_of(64, "a varlong")?;
        Ok((zigzag >> 1) as i64 ^ ((zigzag & 1) as i64).wrapping_neg())
    }

    /// A length or count as the old encodings have it: −1 is null.
    #[inline]
    fn length(len: i64, what: &'static str) -> Result<Option<usize>, WireError> {
        match len {
            -1 => Ok(None),
            _ => usize::try_from(len).map(Some).map_err(|_| WireError::Length { what, len }),
        }
    }

    /// A length or count as flexible versions have it: one more than it is, and 0 is null.
    #[inline]
    fn compact_length(&mut self, what: &'static str) -> Result<Option<usize>, WireError> {
        Self::length(i64::from(self.unsigned_varint()?).wrapping_sub(1), what)
    }

    /// Reads a string, which must not be null. `flexible`: in the compact form.
    #[inline]
    pub fn read_string(&mut self, flexible: bool) -> Result<&'a str, WireError> {
        self.read_nullable_string(flexible)?.ok_or(WireError::Null { what: "a string" })
    }

    /// Reads a string or null. `flexible`: in the compact form.
    #[inline]
    pub fn read_nullable_string(&mut self, flexible: bool) -> Result<Option<&'a str>, WireError> {
        const WHAT: &str = "a string";
        let len = if flexible { self.compact_length(WHAT)? } else { Self::length(self.i16()?.into(), WHAT)? };
        let Some(len) = len else { return Ok(None) };
        // The compact form could say more, but Kafka bounds both alike.
        if len > i16::MAX as usize {
            return Err(WireError::Length { what: WHAT, len: len as i64 });
        }
        let bytes = self.take_of(len, WHAT)?;
        core::str::from_utf8(bytes).map(Some).map_err(|_| WireError::Utf8 { what: WHAT })
    }

    /// Reads a string with an int16 as its length.
    pub fn string(&mut self) -> Result<&'a str, WireError> {
        self.read_string(false)
    }

    /// Reads a string or null with an int16 as its length.
    pub fn nullable_string(&mut self) -> Result<Option<&'a str>, WireError> {
        self.read_nullable_string(false)
    }

    /// Reads a string with a varint as its length.
    pub fn compact_string(&mut self) -> Result<&'a str, WireError> {
        self.read_string(true)
    }

    /// Reads a string or null with a varint as its length.
    pub fn compact_nullable_string(&mut self) -> Result<Option<&'a str>, WireError> {
        self.read_nullable_string(true)
    }

    /// Reads bytes, which must not be null. `flexible`: in the compact form.
    #[inline]
    pub fn read_bytes(&mut self, flexible: bool) -> Result<&'a [u8], WireError> {
        self.read_nullable_bytes(flexible)?.ok_or(WireError::Null { what: "a byte string" })
    }

    /// Reads bytes or null; a `records` field is this too. `flexible`: in the compact form.
    #[inline]
    pub fn read_nullable_bytes(&mut self, flexible: bool) -> Result<Option<&'a [u8]>, WireError> {
        const WHAT: &str = "a byte string";
        let len = if flexible { self.compact_length(WHAT)? } else { Self::length(self.i32()?.into(), WHAT)? };
        len.map(|len| self.take_of(len, WHAT)).transpose()
    }

    /// Reads bytes with an int32 as their length.
    pub fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        self.read_bytes(false)
    }

    /// Reads bytes or null with an int32 as their length.
    pub fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        self.read_nullable_bytes(false)
    }

    /// Reads bytes with a varint as their length.
    pub fn compact_bytes(&mut self) -> Result<&'a [u8], WireError> {
        self.read_bytes(true)
    }

    /// Reads bytes or null with a varint as their length.
    pub fn compact_nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        self.read_nullable_bytes(true)
    }

    /// The count in front of an array. `flexible`: in the compact form.
    #[inline]
    fn count(&mut self, flexible: bool) -> Result<Option<usize>, WireError> {
        const WHAT: &str = "an array";
        if flexible { self.compact_length(WHAT) } else { Self::length(self.i32()?.into(), WHAT) }
    }

    /// Reads and checks an array, which must not be null. `flexible`: with a compact count.
    #[inline]
    pub fn read_array<T: View<'a>>(&mut self, flexible: bool, version: i16) -> Result<Array<'a, T>, WireError> {
        let count = self.count(flexible)?.ok_or(WireError::Null { what: "an array" })?;
        Array::read(self, count, version)
    }

    /// Reads and checks an array or null. `flexible`: with a compact count.
    #[inline]
    pub fn read_nullable_array<T: View<'a>>(
        &mut self,
        flexible: bool,
        version: i16,
    ) -> Result<Option<Array<'a, T>>, WireError> {
        match self.count(flexible)? {
            Some(count) => Array::read(self, count, version).map(Some),
            None => Ok(None),
        }
    }

    /// Reads a structure or null: a byte says which.
    #[inline]
    pub fn read_nullable<T: View<'a>>(&mut self, version: i16) -> Result<Option<T>, WireError> {
        if self.i8()? < 0 { Ok(None) } else { T::read(self, version).map(Some) }
    }

    /// Reads the count in front of tagged fields (KIP-482), which then must be read one by one.
    #[inline]
    pub fn tags(&mut self) -> Result<Tags, WireError> {
        Ok(Tags { left: self.unsigned_varint()? })
    }

    /// Skips the tagged fields at the end of a structure that has none we know; only flexible versions have any.
    #[inline]
    pub fn no_tags(&mut self, flexible: bool) -> Result<(), WireError> {
        match self.rest.split_first() {
            _ if !flexible => Ok(()),
            // Nearly always there are none.
            Some((0, rest)) => {
                self.rest = rest;
                Ok(())
            }
            _ => {
                *self = self.without_tagged_fields()?;
                Ok(())
            }
        }
    }

    /// Skips tagged fields none of which is known.
    pub fn skip_tagged_fields(&mut self) -> Result<(), WireError> {
        *self = self.without_tagged_fields()?;
        Ok(())
    }

    #[inline(never)]
    fn without_tagged_fields(mut self) -> Result<Self, WireError> {
        let mut tags = self.tags()?;
        while tags.next(&mut self)?.is_some() {}
        Ok(self)
    }
}

/// The tagged fields of one structure that are still to be read.
#[derive(Debug)]
pub struct Tags {
    left: u32,
}

impl Tags {
    /// The next field's tag and a reader of its bytes, or `None` after the last. It is skipped by its length, however
    /// much of it is read.
    #[inline]
    pub fn next<'a>(&mut self, r: &mut Reader<'a>) -> Result<Option<(u32, Reader<'a>)>, WireError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let tag = r.unsigned_varint()?;
        let len = r.unsigned_varint()?;
        let len = usize::try_from(len).map_err(|_| WireError::Length { what: "a tagged field", len: len.into() })?;
        Ok(Some((tag, Reader::new(r.take_of(len, "a tagged field")?))))
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
