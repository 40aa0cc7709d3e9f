//! Values in JSON, as Kafka's `JsonConverter` classes read them.

use serde_json::{Map, Value as Json, json};

use super::{Value, fields};
use crate::schema::{Message, Struct, Type};

pub(super) fn message(message: &Message, version: i16, value: &Value) -> Json {
    structure(message, message.structure(&message.name), version, value)
}

fn structure(message: &Message, s: &Struct, version: i16, value: &Value) -> Json {
    let mut object = Map::new();
    for (field, value) in fields(s, value) {
        if field.versions.contains(version) {
            object.insert(name(&field.name), of_type(message, &field.r#type, version, value));
        }
    }
    Json::Object(object)
}

fn of_type(message: &Message, r#type: &Type, version: i16, value: &Value) -> Json {
    match (r#type, value) {
        (_, Value::Null) => Json::Null,
        (Type::Struct(name), value) => structure(message, message.structure(name), version, value),
        (Type::Array(element), Value::List(values)) => {
            values.iter().map(|value| of_type(message, element, version, value)).collect()
        }
        (_, Value::Bool(value)) => json!(value),
        (_, Value::Integer(value)) => json!(value),
        (_, Value::Float(value)) => json!(value),
        (_, Value::Text(value)) => json!(value),
        (_, Value::Uuid(value)) => json!(base64(value, "-_").trim_end_matches('=')),
        (_, Value::Bytes(value)) => json!(base64(value, "+/")),
        _ => panic!("{}: {value:?} is no {type:?}", message.name),
    }
}

/// The name of a field in JSON and of Kafka's own field.
pub(super) fn name(field: &str) -> String {
    let (first, rest) = field.split_at(1);
    first.to_lowercase() + rest
}

/// `last`: the characters for 62 and 63.
pub(super) fn base64(bytes: &[u8], last: &str) -> String {
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(last.chars()).collect();
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let used = three.len() + 1;
        text.extend((0..used).map(|i| alphabet[(bits >> (18 - 6 * i) & 63) as usize]));
        text.extend((used..4).map(|_| '='));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_length() {
        assert_eq!(["", "f", "fo", "foo"].map(|text| base64(text.as_bytes(), "+/")), ["", "Zg==", "Zm8=", "Zm9v"]);
        assert_eq!(base64(&[0xff; 3], "-_"), "____");
    }
}
