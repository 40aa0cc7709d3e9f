use super::*;
use alloc::vec::Vec;
use proptest::prelude::*;

const STRING: &str = "a string";
const BYTES: &str = "a byte string";

#[test]
fn fixed_widths() {
    let mut r = Reader::new(&[0xff, 0x80, 0, 0x80, 0, 0, 0, 0xff, 0xfe]);
    assert_eq!((r.i8(), r.i16(), r.i32(), r.u16()), (Ok(-1), Ok(i16::MIN), Ok(i32::MIN), Ok(0xfffe)));
    assert_eq!(r.i8(), Err(WireError::Truncated { what: "an int8" }));
    let mut r = Reader::new(&[0x3f, 0xf8, 0, 0, 0, 0, 0, 0]);
    assert_eq!((r.f64(), r.end()), (Ok(1.5), Ok(())));
    assert_eq!(Reader::new(&[0; 3]).u32(), Err(WireError::Truncated { what: "a uint32" }));
    assert_eq!(Reader::new(&[0; 7]).i64(), Err(WireError::Truncated { what: "an int64" }));
    assert_eq!(Reader::new(&[0; 15]).uuid(), Err(WireError::Truncated { what: "a uuid" }));
    // Kafka takes any byte but zero for true.
    assert_eq!((Reader::new(&[2]).bool(), Reader::new(&[0]).bool()), (Ok(true), Ok(false)));
    assert_eq!(Reader::new(&[1, 2]).end(), Err(WireError::Trailing { left: 2 }));
}

#[test]
fn taking_more_than_there_is() {
    let mut r = Reader::new(&[1, 2, 3]);
    assert_eq!(r.take(2), Ok(&[1, 2][..]));
    assert!(r.take(usize::MAX).is_err());
    assert_eq!(r.remaining(), 1);
}

#[test]
fn varints() {
    let unsigned = |bytes: &[u8]| Reader::new(bytes).unsigned_varint();
    assert_eq!(unsigned(&[0]), Ok(0));
    assert_eq!(unsigned(&[0xac, 0x02]), Ok(300));
    assert_eq!(unsigned(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(u32::MAX));
    // A number may be written longer than it must be.
    assert_eq!(unsigned(&[0x80, 0x80, 0x80, 0x80, 0x00]), Ok(0));
    let signed = |bytes: &[u8]| Reader::new(bytes).varint();
    assert_eq!((signed(&[0]), signed(&[1]), signed(&[2])), (Ok(0), Ok(-1), Ok(1)));
    assert_eq!(signed(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(i32::MIN));
    assert_eq!(signed(&[0xfe, 0xff, 0xff, 0xff, 0x0f]), Ok(i32::MAX));
    let long = |bytes: &[u8]| Reader::new(bytes).varlong();
    assert_eq!(long(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), Ok(i64::MIN));
    assert_eq!(long(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), Ok(i64::MAX));
}

/// Trap 11: varints of six and of eleven bytes, and such whose last byte has more bits than are left.
#[test]
fn varints_that_are_too_long() {
    let unsigned = Err(WireError::Varint { what: "an unsigned varint" });
    assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]).unsigned_varint(), unsigned);
    assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).unsigned_varint(), unsigned);
    assert_eq!(Reader::new(&[0x80; 10]).unsigned_varint(), unsigned);
    assert_eq!(Reader::new(&[0x80; 5]).varint(), Err(WireError::Varint { what: "a varint" }));
    let long = Err(WireError::Varint { what: "a varlong" });
    assert_eq!(Reader::new(&[0x80; 11]).varlong(), long);
    assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).varlong(), long);
    assert_eq!(Reader::new(&[0x80; 9]).varlong(), Err(WireError::Truncated { what: "a varlong" }));
}

#[test]
fn strings_and_null() {
    assert_eq!(Reader::new(&[0, 2, b'h', b'i']).string(), Ok("hi"));
    assert_eq!(Reader::new(&[3, b'h', b'i']).compact_string(), Ok("hi"));
    assert_eq!(Reader::new(&[0xff, 0xff]).nullable_string(), Ok(None));
    assert_eq!(Reader::new(&[0]).compact_nullable_string(), Ok(None));
    assert_eq!(Reader::new(&[0, 0]).nullable_string(), Ok(Some("")));
    assert_eq!(Reader::new(&[1]).compact_nullable_string(), Ok(Some("")));
    assert_eq!(Reader::new(&[0xff, 0xff]).string(), Err(WireError::Null { what: STRING }));
    assert_eq!(Reader::new(&[0]).compact_string(), Err(WireError::Null { what: STRING }));
    assert_eq!(Reader::new(&[2, 0xc3]).compact_string(), Err(WireError::Utf8 { what: STRING }));
}

#[test]
fn bytes_and_null() {
    assert_eq!(Reader::new(&[0, 0, 0, 1, 7]).bytes(), Ok(&[7][..]));
    assert_eq!(Reader::new(&[2, 7]).compact_bytes(), Ok(&[7][..]));
    assert_eq!(Reader::new(&[0xff; 4]).nullable_bytes(), Ok(None));
    assert_eq!(Reader::new(&[0]).compact_nullable_bytes(), Ok(None));
    assert_eq!(Reader::new(&[0xff; 4]).bytes(), Err(WireError::Null { what: BYTES }));
    assert_eq!(Reader::new(&[0]).compact_bytes(), Err(WireError::Null { what: BYTES }));
}

/// Trap 11: lengths that are negative, or more than what follows.
#[test]
fn lengths_that_cannot_be() {
    assert_eq!(Reader::new(&[0xff, 0xfe]).string(), Err(WireError::Length { what: STRING, len: -2 }));
    assert_eq!(Reader::new(&[0x80, 0, 0, 0]).bytes(), Err(WireError::Length { what: BYTES, len: i32::MIN.into() }));
    assert_eq!(Reader::new(&[0x7f, 0xff, 1]).string(), Err(WireError::Truncated { what: STRING }));
    assert_eq!(Reader::new(&[0x7f, 0xff, 0xff, 0xff, 1]).bytes(), Err(WireError::Truncated { what: BYTES }));
    let most = [0xff, 0xff, 0xff, 0xff, 0x0f, 1];
    assert_eq!(Reader::new(&most).compact_bytes(), Err(WireError::Truncated { what: BYTES }));
    assert_eq!(Reader::new(&most).compact_string(), Err(WireError::Length { what: STRING, len: 0xffff_fffe }));
}

/// Trap 5: what is skipped is skipped by its length, and the length must be there.
#[test]
fn tagged_fields() {
    let mut r = Reader::new(&[2, 0, 1, 0xaa, 99, 2, 0xbb, 0xcc, 0x55]);
    r.skip_tagged_fields().unwrap();
    assert_eq!(r.rest(), [0x55]);
    assert!(Reader::new(&[1]).skip_tagged_fields().is_err());
    assert!(Reader::new(&[1, 99, 3, 0, 0]).skip_tagged_fields().is_err());
    let mut many = Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1, 0]);
    assert!(many.skip_tagged_fields().is_err());
}

#[test]
fn structures_that_may_be_null() {
    assert_eq!(Reader::new(&[0xff]).read_nullable::<i32>(0), Ok(None));
    assert_eq!(Reader::new(&[1, 0, 0, 0, 5]).read_nullable::<i32>(0), Ok(Some(5)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes are, an array either is refused or has exactly as many elements as it says.
    #[test]
    fn arrays_hold_what_they_say(bytes in proptest::collection::vec(prop_oneof![Just(0u8), 1..6u8, any::<u8>()], 0..40)) {
        let count = |flexible: bool| {
            let texts = Reader::new(&bytes).read_array::<&str>(flexible, flexible.into());
            let numbers = Reader::new(&bytes).read_array::<i16>(flexible, 0);
            (texts.map(|a| (a.len(), a.iter().count())), numbers.map(|a| (a.len(), a.iter().count())))
        };
        for (texts, numbers) in [count(true), count(false)] {
            for (len, counted) in [texts, numbers].into_iter().flatten() {
                prop_assert_eq!(len, counted);
            }
        }
        let elements: Vec<i16> = Reader::new(&bytes).read_array(true, 0).into_iter().flatten().collect();
        prop_assert!(elements.len() * 2 <= bytes.len());
    }
}
