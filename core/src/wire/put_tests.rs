use super::*;
use crate::wire::Reader;
use alloc::string::String;
use alloc::vec;
use proptest::prelude::*;

fn written<T: Field>(value: T, flexible: bool) -> Result<Vec<u8>, WireError> {
    let mut counter = Counter::default();
    value.write(&mut counter, 0, flexible)?;
    let mut writer = Writer::reserve(&counter)?;
    value.write(&mut writer, 0, flexible)?;
    assert_eq!((counter.copied, counter.splits), (writer.bytes.len(), writer.splits.len()));
    Ok(writer.bytes)
}

/// Trap 7: one more than the length, and 0 is null, for strings, bytes, records and arrays of any type.
#[test]
fn null_and_empty_differ() {
    assert_eq!(written(None::<&str>, true), Ok(vec![0]));
    assert_eq!(written(Some(""), true), Ok(vec![1]));
    assert_eq!(written(None::<&str>, false), Ok(vec![0xff, 0xff]));
    assert_eq!(written("", false), Ok(vec![0, 0]));
    assert_eq!(written(None::<&[u8]>, true), Ok(vec![0]));
    assert_eq!(written(None::<&[u8]>, false), Ok(vec![0xff; 4]));
    assert_eq!(written(&[7u8][..], true), Ok(vec![2, 7]));
    assert_eq!(written(None::<&[i16]>, true), Ok(vec![0]));
    assert_eq!(written(None::<&[i16]>, false), Ok(vec![0xff; 4]));
    assert_eq!(written(&[7i16][..], true), Ok(vec![2, 0, 7]));
    assert_eq!(written(&["a"][..], true), Ok(vec![2, 2, b'a']));
    assert_eq!(written(&["a"][..], false), Ok(vec![0, 0, 0, 1, 0, 1, b'a']));
    assert_eq!(written(None::<usize>, true), Ok(vec![0]));
    assert_eq!(written(Some(0usize), true), Ok(vec![1]));
    assert_eq!(written(Nullable(&None::<i8>), true), Ok(vec![0xff]));
    assert_eq!(written(Nullable(&Some(5i8)), true), Ok(vec![1, 5]));
}

#[test]
fn numbers() {
    assert_eq!(written(-2i16, true), Ok(vec![0xff, 0xfe]));
    assert_eq!(written(1.5f64, true), Ok(vec![0x3f, 0xf8, 0, 0, 0, 0, 0, 0]));
    assert_eq!(written(true, false), Ok(vec![1]));
    assert_eq!(written(0xffff_fffeu32, false), Ok(vec![0xff, 0xff, 0xff, 0xfe]));
}

#[test]
fn lengths_at_their_limit() {
    let longest: String = core::iter::repeat_n('x', i16::MAX as usize).collect();
    for flexible in [false, true] {
        let bytes = written(longest.as_str(), flexible).unwrap();
        assert_eq!(Reader::new(&bytes).read_string(flexible), Ok(longest.as_str()));
        let longer = longest.clone() + "x";
        assert_eq!(written(longer.as_str(), flexible), Err(WireError::TooLong { what: "a string" }));
    }
    let too_long = WireError::TooLong { what: "a records field" };
    assert_eq!(written(Some(1usize << 31), true), Err(too_long));
    assert_eq!(written(Some(usize::MAX), false), Err(too_long));
    assert_eq!(written(Some((1usize << 31) - 1), true), Ok(vec![0x80, 0x80, 0x80, 0x80, 0x08]));
}

#[test]
fn external_bytes_are_counted_but_not_held() {
    let mut counter = Counter::default();
    Some(300usize).write(&mut counter, 0, true).unwrap();
    assert_eq!(counter, Counter { copied: 2, external: 300, splits: 1 });
    assert_eq!(counter.total(), 302);
    let mut writer = Writer::reserve(&counter).unwrap();
    Some(300usize).write(&mut writer, 0, true).unwrap();
    assert_eq!((writer.bytes, writer.splits), (vec![0xad, 0x02], vec![Split { at: 2, len: 300 }]));
}

/// The length of a tagged field counts the bytes that come from elsewhere too.
#[test]
fn tagged_fields() {
    let mut writer = Writer::default();
    writer.tags(&[true, false]);
    writer.tagged_if(true, 3, &"abc", 0).unwrap();
    writer.tagged_if(false, 4, &"abc", 0).unwrap();
    assert_eq!(writer.bytes, [1, 3, 4, 4, b'a', b'b', b'c']);
    let mut writer = Writer::default();
    writer.tagged(0, &Some(5usize), 0).unwrap();
    assert_eq!(writer.bytes, [0, 6, 6]);
}

#[test]
fn what_a_version_does_not_have() {
    let mut writer = Writer::default();
    5i32.write_if(false, &mut writer, 2, false).unwrap();
    5i32.write_or(false, true, "field", &mut writer, 2, false).unwrap();
    assert!(writer.bytes.is_empty());
    let refused = WireError::FieldNotInVersion { field: "field", version: 2 };
    assert_eq!(5i32.write_or(false, false, "field", &mut writer, 2, false), Err(refused));
    assert_eq!(require(false, "field"), Err(WireError::Null { what: "field" }));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn unsigned_varints_are_read_back(value: u32) {
        let mut writer = Writer::default();
        writer.unsigned_varint(value);
        let mut r = Reader::new(&writer.bytes);
        prop_assert_eq!(r.unsigned_varint(), Ok(value));
        prop_assert_eq!(r.remaining(), 0);
    }

    #[test]
    fn strings_are_read_back(text in proptest::option::of(".{0,200}"), flexible: bool) {
        let bytes = written(text.as_deref(), flexible).unwrap();
        prop_assert_eq!(Reader::new(&bytes).read_nullable_string(flexible), Ok(text.as_deref()));
    }
}
