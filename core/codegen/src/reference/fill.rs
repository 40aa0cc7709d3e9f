//! Values for every field that a version has.

use super::{Value, default};
use crate::schema::{Field, Message, Struct, Type};

/// How a message is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Every field has its default.
    Defaults,
    /// Null wherever that is allowed; arrays of two of the smallest elements.
    Nulls,
    /// Nothing is null; zeros, empty strings, empty arrays.
    Empty,
    /// The least numbers, and one of everything.
    Least,
    /// The largest numbers, strings and bytes whose length takes two bytes, several elements.
    Most,
    /// Anything, by the number. Half of the tagged fields have their defaults.
    Any(u64),
}

/// Bytes that stand for records: an encoder is given their length only.
const RECORDS: u8 = 0xee;

struct Filler<'m> {
    message: &'m Message,
    version: i16,
    fill: Fill,
    random: u64,
}

pub(super) fn message(message: &Message, version: i16, fill: Fill) -> Value {
    let seed = if let Fill::Any(number) = fill { number } else { 0 };
    let mixed = message.name.bytes().fold(seed, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let mut filler = Filler { message, version, fill, random: mixed ^ (version as u64) << 32 };
    filler.structure(message.structure(&message.name))
}

impl Filler<'_> {
    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random() % end
    }

    fn structure(&mut self, s: &Struct) -> Value {
        Value::Struct(s.fields.iter().map(|field| self.field(field)).collect())
    }

    fn field(&mut self, field: &Field) -> Value {
        let nullable = field.nullable.contains(self.version);
        let plain = default(self.message, field);
        if !field.versions.contains(self.version) {
            return plain;
        }
        let keeps_default = match self.fill {
            Fill::Defaults => true,
            Fill::Any(_) => field.tagged.contains(self.version) && self.below(2) == 0,
            _ => false,
        };
        if keeps_default && (nullable || plain != Value::Null) {
            return self.with_elements_of_this_version(field, plain);
        }
        let null = match self.fill {
            Fill::Nulls => true,
            Fill::Any(_) => self.below(4) == 0,
            _ => false,
        };
        if nullable && null { Value::Null } else { self.value(&field.r#type) }
    }

    /// The default of a structure has defaults that may be null where this version does not allow it.
    fn with_elements_of_this_version(&mut self, field: &Field, plain: Value) -> Value {
        match (&field.r#type, &plain) {
            (Type::Struct(name), Value::Struct(_)) if self.fill == Fill::Defaults => {
                self.structure(self.message.structure(name))
            }
            _ => plain,
        }
    }

    fn value(&mut self, r#type: &Type) -> Value {
        match r#type {
            Type::Bool => Value::Bool(match self.fill {
                Fill::Least | Fill::Most => true,
                Fill::Any(_) => self.below(2) == 1,
                _ => false,
            }),
            Type::Int8 => self.integer(i8::MIN.into(), i8::MAX.into()),
            Type::Int16 => self.integer(i16::MIN.into(), i16::MAX.into()),
            Type::Int32 => self.integer(i32::MIN.into(), i32::MAX.into()),
            Type::Int64 => self.integer(i64::MIN, i64::MAX),
            Type::Uint16 => self.integer(0, u16::MAX.into()),
            Type::Uint32 => self.integer(0, u32::MAX.into()),
            Type::Float64 => Value::Float(match self.fill {
                Fill::Least => f64::MIN,
                Fill::Most => f64::MAX,
                Fill::Any(_) => self.random() as i32 as f64 / 8.0,
                _ => 0.0,
            }),
            Type::Uuid => Value::Uuid(match self.fill {
                Fill::Least => [0; 16].map(|byte: u8| byte.wrapping_sub(1)),
                Fill::Most => core::array::from_fn(|i| i as u8),
                Fill::Any(_) => core::array::from_fn(|_| self.random() as u8),
                _ => [0; 16],
            }),
            Type::String => {
                let len = self.len(1, 200);
                Value::Text((0..len).map(|i| self.character(i)).collect())
            }
            Type::Bytes => {
                let len = self.len(1, 300);
                Value::Bytes((0..len).map(|i| self.byte(i)).collect())
            }
            Type::Records => Value::Bytes(vec![RECORDS; self.len(1, 300)]),
            Type::Struct(name) => self.structure(self.message.structure(name)),
            Type::Array(element) => {
                let many = if element.structure().is_some() || **element == Type::String { 3 } else { 130 };
                let len = if self.fill == Fill::Nulls { 2 } else { self.len(1, many) };
                Value::List((0..len).map(|_| self.value(element)).collect())
            }
        }
    }

    fn integer(&mut self, min: i64, max: i64) -> Value {
        Value::Integer(match self.fill {
            Fill::Least => min,
            Fill::Most => max,
            // Small numbers and the usual default are worth more than chance gives them.
            Fill::Any(_) => match self.below(8) {
                0 => min,
                1 => max,
                2 => (-1).max(min),
                3 | 4 => self.below(100) as i64,
                _ => (i128::from(min) + i128::from(self.random()) % (i128::from(max) - i128::from(min) + 1)) as i64,
            },
            _ => 0,
        })
    }

    fn len(&mut self, one: usize, many: usize) -> usize {
        match self.fill {
            Fill::Defaults | Fill::Nulls | Fill::Empty => 0,
            Fill::Least => one,
            Fill::Most => many,
            Fill::Any(_) => self.below(4) as usize,
        }
    }

    fn character(&mut self, i: usize) -> char {
        const SOME: [char; 8] = ['a', 'Z', '0', '\n', '"', 'ß', '€', '😀'];
        let at = if let Fill::Any(_) = self.fill { self.below(8) as usize } else { i };
        SOME[at % SOME.len()]
    }

    fn byte(&mut self, i: usize) -> u8 {
        if let Fill::Any(_) = self.fill { self.random() as u8 } else { i as u8 }
    }
}
