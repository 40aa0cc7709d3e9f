//! Bytes of a value, by the rules of Kafka's protocol guide and KIP-482.

use super::{Value, default, fields};
use crate::schema::{Field, Message, Struct, Type};

struct Writer<'m> {
    message: &'m Message,
    version: i16,
    unknown: bool,
    out: Vec<u8>,
}

/// What is added where tagged fields may be; the tags are greater than all that are known.
const UNKNOWN: [(u32, &[u8]); 2] = [(99, &[0xff; 3]), (1 << 20, &[])];

pub(super) fn message(message: &Message, version: i16, value: &Value, unknown: bool) -> Vec<u8> {
    let mut writer = Writer { message, version, unknown, out: Vec::new() };
    writer.structure(message.structure(&message.name), value);
    writer.out
}

impl Writer<'_> {
    fn structure(&mut self, s: &Struct, value: &Value) {
        for (field, value) in fields(s, value) {
            if field.versions.contains(self.version) && !field.tagged.contains(self.version) {
                self.field(field, value, field.flexible.contains(self.version));
            }
        }
        if self.message.flexible.contains(self.version) {
            self.tags(s, value);
        }
    }

    fn tags(&mut self, s: &Struct, value: &Value) {
        let mut tagged: Vec<(u32, Vec<u8>)> = Vec::new();
        for (field, value) in fields(s, value) {
            if field.tagged.contains(self.version) && *value != default(self.message, field) {
                let mut inner = Writer { out: Vec::new(), ..*self };
                inner.field(field, value, true);
                tagged.push((field.tag, inner.out));
            }
        }
        if self.unknown {
            tagged.extend(UNKNOWN.map(|(tag, bytes)| (tag, bytes.to_vec())));
        }
        tagged.sort();
        self.varint(tagged.len());
        for (tag, bytes) in tagged {
            self.varint(tag as usize);
            self.varint(bytes.len());
            self.out.extend(bytes);
        }
    }

    fn field(&mut self, field: &Field, value: &Value, compact: bool) {
        if let (Type::Struct(_), true) = (&field.r#type, field.nullable.contains(self.version)) {
            self.out.push(if *value == Value::Null { 0xff } else { 1 });
            if *value == Value::Null {
                return;
            }
        }
        self.value(&field.r#type, value, compact);
    }

    fn value(&mut self, r#type: &Type, value: &Value, compact: bool) {
        match (r#type, value) {
            (Type::Bool, Value::Bool(value)) => self.out.push(u8::from(*value)),
            (Type::Float64, Value::Float(value)) => self.out.extend(value.to_be_bytes()),
            (Type::Uuid, Value::Uuid(value)) => self.out.extend(value),
            (Type::Struct(name), value) => self.structure(self.message.structure(name), value),
            (Type::String, Value::Text(value)) => {
                self.length(Some(value.len()), compact, 2);
                self.out.extend(value.as_bytes());
            }
            (Type::Bytes | Type::Records, Value::Bytes(value)) => {
                self.length(Some(value.len()), compact, 4);
                self.out.extend(value);
            }
            (Type::Array(element), Value::List(values)) => {
                self.length(Some(values.len()), compact, 4);
                values.iter().for_each(|value| self.value(element, value, compact));
            }
            (Type::String, Value::Null) => self.length(None, compact, 2),
            (Type::Bytes | Type::Records | Type::Array(_), Value::Null) => self.length(None, compact, 4),
            (r#type, Value::Integer(value)) => {
                let bytes = value.to_be_bytes();
                self.out.extend(&bytes[bytes.len() - width(r#type)..]);
            }
            _ => panic!("{}: {value:?} is no {type:?}", self.message.name),
        }
    }

    /// A length, in the compact form or in this many bytes.
    fn length(&mut self, len: Option<usize>, compact: bool, width: usize) {
        if compact {
            return self.varint(len.map_or(0, |len| len + 1));
        }
        let len = len.map_or(-1, |len| len as i64).to_be_bytes();
        self.out.extend(&len[len.len() - width..]);
    }

    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

fn width(r#type: &Type) -> usize {
    match r#type {
        Type::Int8 => 1,
        Type::Int16 | Type::Uint16 => 2,
        Type::Int32 | Type::Uint32 => 4,
        Type::Int64 => 8,
        other => panic!("{other:?} is no integer"),
    }
}
