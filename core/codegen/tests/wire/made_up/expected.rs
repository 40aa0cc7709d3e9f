//! What the made-up messages must look like, by hand: the harness alone would not see a mistake that both sides share.

use klamm::wire::{Counter, Decode, Encode, Reader, Uuid, WireError, Writer, decode_body};

use super::broker::every_response::{Cell, Cursor, EveryResponse, Inner, Outer, Row};
use super::client;
use super::client::api;
use super::client::every_request::EveryRequest;
use super::client::loose_encoder;

fn bytes<E: Encode>(message: &E, version: i16) -> Result<Vec<u8>, WireError> {
    let mut counted = Counter::default();
    message.encode(&mut counted, version)?;
    let mut writer = Writer::reserve(&counted)?;
    message.encode(&mut writer, version)?;
    Ok(writer.bytes)
}

fn read<V: Decode<'static>>(bytes: &[u8], version: i16) -> Result<V, WireError> {
    decode_body(&mut Reader::new(bytes.to_vec().leak()), version)
}

#[test]
fn versions() {
    let every = api::EVERY;
    assert_eq!((every.key, every.min, every.max, every.max_unstable, every.flexible_from), (900, 1, 5, 6, 3));
    assert_eq!((api::EMPTY.max, api::EMPTY.max_unstable, api::EMPTY.flexible_from), (0, 0, i16::MAX));
    assert_eq!(<loose_encoder::Loose<'_> as Encode>::API.key, -1);
    let empty = client::empty_request::EmptyRequest::default();
    assert_eq!(bytes(&empty, 0), Ok(vec![]));
    assert_eq!(bytes(&empty, 1), Err(WireError::Unsupported { api: "Empty", version: 1 }));
}

#[test]
fn defaults() {
    let d = EveryRequest::default();
    assert_eq!((d.bool, d.int8, d.int16, d.int32, d.int64), (true, -1, 0x7f, -16, -1));
    assert_eq!((d.uint16, d.uint32, d.float64, d.uuid), (u16::MAX, u32::MAX, 1.5, Uuid::ZERO));
    assert_eq!((d.string, d.nullable_string, d.string_nullable_later), ("a \"quote\"", None, Some("")));
    assert_eq!((d.bytes, d.nullable_bytes, d.records, d.nullable_records), (&[][..], None, None, None));
    assert_eq!((d.int32s, d.int64s, d.nodes), (None, Some(&[][..]), Some(&[][..])));
    assert_eq!((d.r#type, d.r#match, d.single), (7, 7, 7));
    let d = EveryResponse::default();
    assert_eq!(d.outer, Outer { inner: Inner { number: 5, tagged: 0 } });
    assert_eq!((d.maybe_cursor, d.later_nullable), (None, Some(Cursor { topic: "", partition: -1 })));
    assert_eq!((d.tag_bool, d.tag_number, d.tag_null_struct, d.plain_then_tagged), (true, -1, None, 9));
    // A view has the same where the bytes have nothing.
    let view = client::every_response::EveryResponse::default();
    assert_eq!((view.tag_bool, view.tag_number, view.tag_strings.map(|a| a.len())), (true, -1, Some(0)));
}

/// A byte says whether a structure is null, but only in versions where it may be.
#[test]
fn structures_that_may_be_null() {
    let cursor = Some(Cursor { topic: "t", partition: 2 });
    let message = EveryResponse { later_nullable: cursor, new_nullable: cursor, ..EveryResponse::default() };
    let plain = [0, 1, b't', 0, 0, 0, 2];
    // The outer structure, null, the structure without a byte; then no rows and the number that is tagged later.
    let v1 = [&[0, 5, 0xff], &plain[..], &[0, 0, 0, 0, 0, 0, 0, 9]].concat();
    let refused = WireError::FieldNotInVersion { field: "new_nullable", version: 1 };
    assert_eq!(bytes(&message, 1), Err(refused));
    assert_eq!(bytes(&EveryResponse { new_nullable: None, ..message }, 1), Ok(v1));
    let v2 = [&[0, 5, 0xff], &plain[..], &plain[..], &[0, 0, 0, 0, 0, 0, 0, 9]].concat();
    assert_eq!(bytes(&message, 2), Ok(v2));
    let null = WireError::Null { what: "new_nullable" };
    assert_eq!(bytes(&EveryResponse { new_nullable: None, ..message }, 2), Err(null));
    let null = WireError::Null { what: "later_nullable" };
    assert_eq!(bytes(&EveryResponse { later_nullable: None, ..message }, 3), Err(null));

    let compact = [2, b't', 0, 0, 0, 2, 0];
    let v4 = [&[0, 5, 0, 0, 0xff, 1], &compact[..], &[1], &compact[..], &[1, 0]].concat();
    assert_eq!(bytes(&message, 4), Ok(v4));
    let nulls = EveryResponse { later_nullable: None, new_nullable: None, ..message };
    assert_eq!(bytes(&nulls, 4), Ok(vec![0, 5, 0, 0, 0xff, 0xff, 0xff, 1, 0]));
    let v6 = [&[0, 5, 0, 0, 0xff, 1], &compact[..], &compact[..], &[1, 0]].concat();
    assert_eq!(bytes(&message, 6), Ok(v6));
}

#[test]
fn tagged_fields() {
    let base = EveryResponse { new_nullable: Some(Cursor::default()), ..EveryResponse::default() };
    let mut head = vec![0, 5, 0, 0, 0xff];
    head.extend([1, 1, 0xff, 0xff, 0xff, 0xff, 0].repeat(2));
    head.push(1);
    // An ordinary field until version 4, a tagged one from there on, and then it goes behind the others.
    let number = EveryResponse { plain_then_tagged: 8, tag_bool: false, ..base };
    let tagged = bytes(&number, 4).unwrap();
    assert_eq!(tagged, [&head[..], &[2, 0, 1, 0, 10, 4, 0, 0, 0, 8]].concat());
    let untagged = bytes(&EveryResponse { later_nullable: Some(Cursor::default()), ..number }, 3).unwrap();
    assert_eq!(untagged[untagged.len() - 8..], [0, 0, 0, 8, 1, 0, 1, 0]);

    // By tag, not by place; the ignorable one is left out in a version without it, the other is refused.
    let late = EveryResponse { tag_number: 1, tag_ignorable: 2, ..base };
    assert_eq!(bytes(&late, 5).unwrap()[head.len()..], [2, 1, 2, 0, 2, 2, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
    let refused = WireError::FieldNotInVersion { field: "tag_number", version: 4 };
    assert_eq!(bytes(&late, 4), Err(refused));
    assert_eq!(bytes(&EveryResponse { tag_number: -1, ..late }, 4).unwrap(), [&head[..], &[0]].concat());

    let values = EveryResponse {
        tag_nullable: Some("n"),
        tag_nullable_later: None,
        tag_strings: None,
        tag_null_struct: Some(Cursor { topic: "", partition: 0 }),
        ..base
    };
    let tags = [4, 4, 2, 2, b'n', 6, 1, 0, 9, 7, 1, 1, 0, 0, 0, 0, 0, 11, 1, 0];
    assert_eq!(bytes(&values, 5).unwrap()[head.len()..], tags);
    assert_eq!(bytes(&values, 4), Err(WireError::Null { what: "tag_nullable_later" }));
    assert_eq!(
        bytes(&EveryResponse { tag_bool: false, ..base }, 2),
        Err(WireError::FieldNotInVersion { field: "tag_bool", version: 2 })
    );
}

#[test]
fn nested_arrays() {
    let cells = [Cell { value: "x", notes: &["y"] }];
    let matrix = [Row { cells: Some(&cells) }];
    let message = EveryResponse { matrix: &matrix, new_nullable: Some(Cursor::default()), ..EveryResponse::default() };
    let sent = bytes(&message, 5).unwrap();
    assert_eq!(sent[sent.len() - 12..], [2, 2, 2, b'x', 1, 1, 3, 2, 2, b'y', 0, 0]);
    let view: client::every_response::EveryResponse<'_> = read(&sent, 5).unwrap();
    let notes: Vec<&str> = view.matrix.iter().flat_map(|row| row.cells.unwrap()).flat_map(|cell| cell.notes).collect();
    assert_eq!(notes, ["y"]);
}

/// A field's own flexible versions: none, or later ones than the message's.
#[test]
fn fields_that_are_not_as_flexible() {
    let base = EveryRequest { records: Some(0), nullable_records: Some(0), ..EveryRequest::default() };
    let with = EveryRequest { old_string: Some("oo"), late_string: "ll", late_strings: &["s"], ..base };
    let holds = |version: i16, part: &[u8]| {
        let sent = bytes(&with, version).unwrap();
        assert!(sent.windows(part.len()).any(|window| window == part), "{version}: {sent:?}");
    };
    for version in [2, 3, 4] {
        holds(version, &[0, 2, b'o', b'o', 0, 2, b'l', b'l', 0, 0, 0, 1, 0, 1, b's']);
    }
    for version in [5, 6] {
        holds(version, &[0, 2, b'o', b'o', 3, b'l', b'l', 2, 2, b's']);
    }
}

#[test]
fn fields_of_some_versions() {
    let base = EveryRequest { records: Some(0), nullable_records: Some(0), ..EveryRequest::default() };
    // Of the last three fields version 4 has two, and it ends with no tags.
    let sent = bytes(&EveryRequest { r#type: 1, r#match: 2, ..base }, 4).unwrap();
    assert_eq!(sent[sent.len() - 4..], [1, 1, 2, 0]);
    assert!(bytes(&EveryRequest { r#type: 1, ..base }, 5).is_ok());
    let refused = |field, version| Err(WireError::FieldNotInVersion { field, version });
    assert_eq!(bytes(&EveryRequest { r#match: 2, ..base }, 5), refused("match", 5));
    assert_eq!(bytes(&EveryRequest { single: 2, ..base }, 4), refused("single", 4));
    assert!(bytes(&EveryRequest { single: 2, ..base }, 3).is_ok());
    assert_eq!(bytes(&EveryRequest { records: None, ..base }, 3), Err(WireError::Null { what: "records" }));
    let null = |what| Err(WireError::Null { what });
    assert_eq!(bytes(&EveryRequest { nullable_records: None, ..base }, 3), null("nullable_records"));
    assert!(bytes(&EveryRequest { nullable_records: None, ..base }, 4).is_ok());
    for (version, allowed) in [(1, false), (2, true), (4, true), (5, false)] {
        let nullable_records = (version > 1).then_some(0);
        let between = EveryRequest { string_nullable_between: None, nullable_records, ..base };
        assert_eq!(bytes(&between, version).is_ok(), allowed, "{version}");
    }
}
