//! Schemas that say what cannot be are refused, with the place.

use std::collections::BTreeMap;

use klamm_codegen::{Direction, MADE_UP, Selection, generate};

fn refusal(head: &str, fields: &str) -> String {
    let schema = format!(r#"{{ "type": "data", "name": "Odd", {head}, "fields": [ {fields} ] }}"#);
    let messages = BTreeMap::from([("Odd".to_owned(), [Direction::Encoder, Direction::View].into())]);
    let selection = Selection { apis: BTreeMap::new(), messages, left_out: BTreeMap::new() };
    match generate(&selection, &MADE_UP, |_| Ok(schema.clone())) {
        Ok(files) => panic!("{schema} is taken: {files:?}"),
        Err(error) => error,
    }
}

fn refused_field(field: &str, why: &str) {
    let error = refusal(r#""validVersions": "0-2", "flexibleVersions": "1+""#, field);
    assert!(error.contains(why), "{field}: {error}");
}

#[test]
fn fields() {
    refused_field(r#"{ "name": "A", "type": "int7", "versions": "0+" }"#, "A: `int7` is no type");
    refused_field(r#"{ "name": "A", "type": "[][]int8", "versions": "0+" }"#, "an array of arrays");
    refused_field(r#"{ "name": "A", "type": "[]records", "versions": "0+" }"#, "an array of records");
    refused_field(r#"{ "name": "A", "type": "int8", "versions": "x" }"#, "`x` is no version");
    refused_field(r#"{ "name": "A", "type": "int8", "versions": "0+", "nullableVersions": "0+" }"#, "cannot be null");
    refused_field(r#"{ "name": "A", "type": "int8", "versions": "0+", "default": "128" }"#, "`128` is no default");
    refused_field(r#"{ "name": "A", "type": "uint16", "versions": "0+", "default": "-1" }"#, "`-1` is no default");
    refused_field(r#"{ "name": "A", "type": "bool", "versions": "0+", "default": "1" }"#, "`1` is no default");
    refused_field(r#"{ "name": "A", "type": "[]int8", "versions": "0+", "default": "null" }"#, "`null` is no default");
    refused_field(r#"{ "name": "A", "type": "Missing", "versions": "0+" }"#, "there is no Missing");
    refused_field(r#"{ "name": "A", "type": "int8", "versions": "0+", "wrong": 1 }"#, "unknown field `wrong`");
}

#[test]
fn tags() {
    refused_field(r#"{ "name": "A", "type": "int8", "versions": "0+", "tag": 0 }"#, "a tag needs taggedVersions");
    refused_field(r#"{ "name": "A", "type": "int8", "versions": "1+", "taggedVersions": "1+" }"#, "they need a tag");
    let early = r#"{ "name": "A", "type": "int8", "versions": "0+", "taggedVersions": "0+", "tag": 0 }"#;
    refused_field(early, "not flexible");
    let ends = r#"{ "name": "A", "type": "int8", "versions": "1+", "taggedVersions": "1", "tag": 0 }"#;
    refused_field(ends, "no longer one");
    let one = r#"{ "name": "A", "type": "int8", "versions": "1+", "taggedVersions": "1+", "tag": 0 }"#;
    let two = one.replace('A', "B");
    refused_field(&format!("{one}, {two}"), "tag 0 is there twice");
}

#[test]
fn messages() {
    assert!(refusal(r#""validVersions": "none""#, "").contains("has no versions"));
    assert!(refusal(r#""validVersions": "0+""#, "").contains("without an end"));
    assert!(refusal(r#""validVersions": "0-3", "flexibleVersions": "1-2""#, "").contains("flexible no longer"));
    let part = r#"{ "name": "A", "type": "Part", "versions": "0+",
        "fields": [ { "name": "B", "type": "int8", "versions": "0+" } ] }"#;
    let twice = format!("{part}, {}", part.replace(r#""A""#, r#""C""#));
    assert!(refusal(r#""validVersions": "0""#, &twice).contains("Part is there twice"));
}
