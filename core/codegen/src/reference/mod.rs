//! The schemas read a second time: what a message means, without the code that is generated for it.
//!
//! Values are made for every version of every message, and written by walking the schema. Generated code must write and
//! read the same, and so must Kafka's own classes (`tests/oracle`).

mod dispatch;
mod fill;
mod json;
mod text;
mod write;

use std::collections::BTreeSet;
use std::path::Path;

use crate::schema::{Field, Kind, Message, Struct, Type};
use crate::{Direction, defaults};

pub use fill::Fill;

/// A value of any of Kafka's types.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value, where that is allowed.
    Null,
    /// A boolean.
    Bool(bool),
    /// Any of the integers.
    Integer(i64),
    /// A float64.
    Float(f64),
    /// A UUID.
    Uuid([u8; 16]),
    /// A string.
    Text(String),
    /// Bytes or records.
    Bytes(Vec<u8>),
    /// An array.
    List(Vec<Value>),
    /// A structure: all fields of its schema in their order, those with their defaults that the version does not have.
    Struct(Vec<Value>),
}

/// What is done with a message, and in which module.
#[derive(Clone, Debug)]
struct Use {
    message: Message,
    encoder: Option<String>,
    view: Option<String>,
}

/// All messages of a client's.
#[derive(Clone, Debug)]
pub struct Reference(Vec<Use>);

/// One value of one message in one version.
#[derive(Clone, Debug)]
pub struct Case<'r> {
    used: &'r Use,
    /// The version.
    pub version: i16,
    /// How it was filled.
    pub fill: Fill,
    /// The value.
    pub value: Value,
}

/// An API with its versions, as a release lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spoken<'r> {
    /// Its key.
    pub key: i16,
    /// Its name.
    pub name: &'r str,
    /// Its oldest version.
    pub oldest: i16,
    /// Its newest one that clients speak, be it stable or not.
    pub newest: i16,
}

impl Reference {
    /// Reads what `apis.toml` in this folder names.
    pub fn load(codegen: &Path) -> Result<Self, String> {
        let selection = crate::selection(codegen)?;
        let load = |name: &str, newest| {
            Message::parse(&crate::schema(codegen, name)?, newest).map_err(|error| format!("{name}.json: {error}"))
        };
        let mut all = Vec::new();
        for (name, api) in &selection.apis {
            for (kind, direction) in [("Request", Direction::Encoder), ("Response", Direction::View)] {
                all.push(Use::new(load(&format!("{name}{kind}"), api.newest)?, &[direction].into()));
            }
        }
        for (name, directions) in &selection.messages {
            all.push(Use::new(load(name, None)?, directions));
        }
        Ok(Self(all))
    }

    /// The APIs by their keys.
    pub fn apis(&self) -> Vec<Spoken<'_>> {
        let requests = self.0.iter().map(|used| &used.message).filter(|message| message.kind == Kind::Request);
        let spoken = |message| {
            let Message { api_key, name, valid, .. }: &Message = message;
            let name = name.trim_end_matches("Request");
            Spoken { key: api_key.unwrap_or(-1), name, oldest: valid.lo, newest: valid.hi }
        };
        let mut all: Vec<Spoken<'_>> = requests.map(spoken).collect();
        all.sort();
        all
    }

    /// How many messages there are.
    pub fn messages(&self) -> usize {
        self.0.len()
    }

    /// Every message in every version, filled in each of these ways.
    pub fn cases<'r>(&'r self, fills: &'r [Fill]) -> impl Iterator<Item = Case<'r>> {
        self.0.iter().flat_map(move |used| {
            (used.message.valid.lo..=used.message.valid.hi).flat_map(move |version| {
                fills.iter().map(move |&fill| {
                    let value = fill::message(&used.message, version, fill);
                    Case { used, version, fill, value }
                })
            })
        })
    }

    /// The code that calls the generated code by the names of messages, for a test to include.
    pub fn dispatch(&self) -> String {
        dispatch::code(&self.0)
    }

    /// What Kafka's generated classes have in their fields at first, a class a line; see `tests/oracle/Oracle.java`.
    pub fn defaults(&self) -> Vec<String> {
        self.0.iter().flat_map(|used| text::defaults(&used.message)).collect()
    }
}

impl Use {
    fn new(message: Message, directions: &BTreeSet<Direction>) -> Self {
        let [encoder, view] = crate::modules(&message, directions);
        Use { message, encoder, view }
    }
}

impl Case<'_> {
    /// The message's name.
    pub fn name(&self) -> &str {
        &self.used.message.name
    }

    /// The name of Kafka's class for it.
    pub fn class(&self) -> String {
        text::class(&self.used.message)
    }

    /// Whether there is an encoder of it.
    pub fn is_written(&self) -> bool {
        self.used.encoder.is_some()
    }

    /// Whether there is a view of it.
    pub fn is_read(&self) -> bool {
        self.used.view.is_some()
    }

    /// Whether this version can have tagged fields.
    pub fn is_flexible(&self) -> bool {
        self.used.message.flexible.contains(self.version)
    }

    /// It in bytes. `unknown`: with tagged fields that nobody knows at the end of every structure.
    pub fn bytes(&self, unknown: bool) -> Vec<u8> {
        write::message(&self.used.message, self.version, &self.value, unknown)
    }

    /// It as Kafka's classes have it in JSON.
    pub fn json(&self) -> String {
        json::message(&self.used.message, self.version, &self.value).to_string()
    }

    /// What a view of it prints with `{:?}`.
    pub fn text(&self) -> String {
        text::message(&self.used.message, &self.value)
    }
}

/// The default of a field.
fn default(message: &Message, field: &Field) -> Value {
    let text = defaults::text(field);
    if defaults::is_null(field) {
        return Value::Null;
    }
    match &field.r#type {
        Type::Bool => Value::Bool(text == "true"),
        Type::Float64 => Value::Float(text.parse().unwrap_or_default()),
        Type::Uuid => Value::Uuid([0; 16]),
        Type::String => Value::Text(text),
        Type::Bytes | Type::Records => Value::Bytes(Vec::new()),
        Type::Array(_) => Value::List(Vec::new()),
        Type::Struct(name) => Value::Struct(default_fields(message, message.structure(name))),
        _ => Value::Integer(defaults::integer(&text).and_then(|n| n.try_into().ok()).unwrap_or_default()),
    }
}

fn default_fields(message: &Message, s: &Struct) -> Vec<Value> {
    s.fields.iter().map(|field| default(message, field)).collect()
}

/// The fields of a structure with their values.
fn fields<'a>(s: &'a Struct, value: &'a Value) -> impl Iterator<Item = (&'a Field, &'a Value)> {
    let Value::Struct(values) = value else { panic!("{}: no structure, but {value:?}", s.name) };
    s.fields.iter().zip(values)
}
