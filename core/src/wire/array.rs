use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;

use super::{Reader, Uuid, WireError};

/// What can be an element of an [`Array`]: a structure, or one of Kafka's types.
pub trait View<'a>: Sized {
    /// The fewest bytes that one takes in any version; at least 1. It bounds the count of an array by its bytes.
    const MIN_LEN: usize;

    /// Reads one. For strings and bytes `version` is 1 in a flexible version of the message and 0 otherwise.
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError>;

    /// Checks `n` of them and moves behind them. The count is a peer's word, so it is first held against the bytes there
    /// are.
    fn walk(r: &mut Reader<'a>, n: usize, version: i16) -> Result<(), WireError> {
        if n > r.remaining().checked_div(Self::MIN_LEN).unwrap_or(0) {
            return Err(too_many(n));
        }
        // A reader of its own can live in registers.
        let mut own = *r;
        for _ in 0..n {
            Self::read(&mut own, version)?;
        }
        *r = own;
        Ok(())
    }
}

/// A count that the bytes there are cannot hold.
const fn too_many(n: usize) -> WireError {
    WireError::Length { what: "an array", len: n as i64 }
}

macro_rules! fixed {
    ($($type:ty, $read:ident, $len:literal;)*) => {$(
        impl<'a> View<'a> for $type {
            const MIN_LEN: usize = $len;
            #[inline]
            fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, WireError> {
                r.$read()
            }
            #[inline]
            fn walk(r: &mut Reader<'a>, n: usize, _version: i16) -> Result<(), WireError> {
                // Their bytes are all there is to check.
                r.take(n.saturating_mul($len)).map(|_| ()).map_err(|_| too_many(n))
            }
        }
    )*};
}

fixed! {
    i8, i8, 1;
    i16, i16, 2;
    i32, i32, 4;
    i64, i64, 8;
    u16, u16, 2;
    u32, u32, 4;
    f64, f64, 8;
    bool, bool, 1;
    Uuid, uuid, 16;
}

impl<'a> View<'a> for &'a str {
    const MIN_LEN: usize = 1;
    #[inline]
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        r.read_string(version != 0)
    }
}

impl<'a> View<'a> for &'a [u8] {
    const MIN_LEN: usize = 1;
    #[inline]
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, WireError> {
        r.read_bytes(version != 0)
    }
}

/// An array that was checked once, as the bytes it was sent in. Iterating reads the elements again.
pub struct Array<'a, T> {
    bytes: &'a [u8],
    len: usize,
    version: i16,
    element: PhantomData<fn() -> T>,
}

impl<'a, T: View<'a>> Array<'a, T> {
    /// Checks the next `count` elements.
    #[inline]
    pub(super) fn read(r: &mut Reader<'a>, count: usize, version: i16) -> Result<Self, WireError> {
        let before = r.rest();
        T::walk(r, count, version)?;
        let bytes = before.get(..before.len().saturating_sub(r.remaining())).unwrap_or_default();
        Ok(Self { bytes, len: count, version, element: PhantomData })
    }

    /// The elements in order.
    #[inline]
    pub fn iter(&self) -> Iter<'a, T> {
        Iter { r: Reader::new(self.bytes), left: self.len, version: self.version, element: PhantomData }
    }
}

impl<T> Array<'_, T> {
    /// How many elements there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

// Not derived: a derive would ask the same of T.
impl<T> Clone for Array<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Array<'_, T> {}

impl<T> Default for Array<'_, T> {
    fn default() -> Self {
        Self { bytes: &[], len: 0, version: 0, element: PhantomData }
    }
}

impl<'a, T: View<'a> + fmt::Debug> fmt::Debug for Array<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: View<'a> + PartialEq> PartialEq for Array<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a, T: View<'a>> IntoIterator for Array<'a, T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;
    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<'a, T: View<'a>> IntoIterator for &Array<'a, T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;
    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// The elements of an [`Array`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    r: Reader<'a>,
    left: usize,
    version: i16,
    element: PhantomData<fn() -> T>,
}

impl<'a, T: View<'a>> Iterator for Iter<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        let element = T::read(&mut self.r, self.version);
        debug_assert!(element.is_ok(), "these very bytes were read in the same version before");
        element.ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a, T: View<'a>> ExactSizeIterator for Iter<'a, T> {}
impl<'a, T: View<'a>> FusedIterator for Iter<'a, T> {}

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Self { r: self.r, left: self.left, version: self.version, element: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;

    #[test]
    fn iterates_what_was_checked() {
        let bytes = [0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 8, 9];
        let mut r = Reader::new(&bytes);
        let array = r.read_array::<i32>(false, 0).unwrap();
        assert_eq!((array.len(), array.iter().len(), r.remaining()), (2, 2, 1));
        assert_eq!(array.into_iter().collect::<Vec<_>>(), [7, 8]);
        assert_eq!(format!("{array:?}"), "[7, 8]");
        assert!(Array::<i32>::default().is_empty());
    }

    /// Trap 7: a compact count is one more than it is, for arrays of primitive types too, and 0 is null.
    #[test]
    fn compact_counts() {
        let mut r = Reader::new(&[3, 0, 5, 0, 6]);
        assert_eq!(r.read_array::<i16>(true, 9).unwrap().into_iter().collect::<Vec<_>>(), [5, 6]);
        assert_eq!(Reader::new(&[0]).read_nullable_array::<i16>(true, 9), Ok(None));
        assert_eq!(Reader::new(&[0]).read_array::<i16>(true, 9), Err(WireError::Null { what: "an array" }));
        let empty = Reader::new(&[1]).read_nullable_array::<i16>(true, 9).unwrap();
        assert_eq!(empty, Some(Array::default()));
    }

    #[test]
    fn strings_are_compact_in_flexible_versions_only() {
        let mut r = Reader::new(&[2, 3, b'h', b'i']);
        assert_eq!(r.read_array::<&str>(true, 1).unwrap().into_iter().collect::<Vec<_>>(), ["hi"]);
        let mut r = Reader::new(&[0, 0, 0, 1, 0, 2, b'h', b'i']);
        assert_eq!(r.read_array::<&str>(false, 0).unwrap().into_iter().collect::<Vec<_>>(), ["hi"]);
    }

    /// Trap 11: a count that the bytes cannot hold is refused before anything is read.
    #[test]
    fn counts_beyond_the_bytes() {
        let bytes = [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        let refused = WireError::Length { what: "an array", len: 0x7fff_ffff };
        assert_eq!(Reader::new(&bytes).read_array::<i8>(false, 0), Err(refused));
        assert_eq!(Reader::new(&bytes).read_array::<&str>(false, 0), Err(refused));
        let five = [0, 0, 0, 2, 0, 0, 0, 0, 0];
        assert!(Reader::new(&five).read_array::<i32>(false, 0).is_err());
        let negative = [0xff, 0xff, 0xff, 0xfe];
        assert_eq!(
            Reader::new(&negative).read_array::<i8>(false, 0),
            Err(WireError::Length { what: "an array", len: -2 })
        );
    }
}
