//! Values as they are printed: by views with `{:?}`, and by the oracle's Java.

use super::{Value, default, fields, json};
use crate::names;
use crate::schema::{Field, Kind, Message, Struct, Type};

pub(super) fn message(message: &Message, value: &Value) -> String {
    structure(message, message.structure(&message.name), value)
}

fn structure(message: &Message, s: &Struct, value: &Value) -> String {
    let one = |(field, value): (&Field, &Value)| {
        let text = of_type(message, &field.r#type, value);
        let text = match (value, field.nullable.is_empty()) {
            (Value::Null, _) => "None".to_owned(),
            (_, true) => text,
            (_, false) => format!("Some({text})"),
        };
        // What is a keyword is printed as it is.
        format!("{}: {text}", names::snake(&field.name))
    };
    let all: Vec<String> = fields(s, value).map(one).collect();
    if all.is_empty() { s.name.clone() } else { format!("{} {{ {} }}", s.name, all.join(", ")) }
}

fn of_type(message: &Message, r#type: &Type, value: &Value) -> String {
    match (r#type, value) {
        (Type::Struct(name), Value::Struct(_)) => structure(message, message.structure(name), value),
        (Type::Array(element), Value::List(values)) => {
            let all: Vec<String> = values.iter().map(|value| of_type(message, element, value)).collect();
            format!("[{}]", all.join(", "))
        }
        (_, Value::Uuid(value)) => json::base64(value, "-_").trim_end_matches('=').to_owned(),
        (_, Value::Bool(value)) => value.to_string(),
        (_, Value::Integer(value)) => value.to_string(),
        (_, Value::Float(value)) => format!("{value:?}"),
        (_, Value::Text(value)) => format!("{value:?}"),
        (_, Value::Bytes(value)) => format!("{value:?}"),
        _ => String::new(),
    }
}

/// The name of Kafka's class.
pub(super) fn class(message: &Message) -> String {
    match message.kind {
        Kind::Data if !message.name.ends_with("Header") => message.name.clone(),
        _ => format!("{}Data", message.name),
    }
}

/// A line for each class of a message: its name, and its fields as they are at first.
pub(super) fn defaults(message: &Message) -> Vec<String> {
    let line = |s: &Struct| {
        let class = if s.name == message.name { String::new() } else { format!("${}", s.name) };
        let one = |field: &Field| {
            let value = match default(message, field) {
                // Kafka's records are null at first even where they must not be.
                _ if field.r#type == Type::Records => "null".to_owned(),
                Value::Null => "null".to_owned(),
                Value::Struct(_) => "{}".to_owned(),
                Value::List(_) | Value::Bytes(_) => "[]".to_owned(),
                Value::Text(text) => text,
                other => of_type(message, &field.r#type, &other),
            };
            format!(" {}={value}", json::name(&field.name))
        };
        format!("{}{class}{}", self::class(message), s.fields.iter().map(one).collect::<String>())
    };
    message.structs.iter().map(line).collect()
}
