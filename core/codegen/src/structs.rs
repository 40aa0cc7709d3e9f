//! What views and encoders share: the structures and their defaults.

use std::fmt::Write as _;

use crate::schema::{Field, Kind, Message, Struct, Type};
use crate::{Direction, defaults, encoder, names, view};

/// All the code of a message, but for its imports.
pub(crate) fn module(message: &Message, direction: Direction) -> Result<String, String> {
    let mut code = String::new();
    for s in &message.structs {
        code.push_str(&definition(message, s, direction)?);
        code.push_str(&match direction {
            Direction::Encoder => encoder::implementation(message, s)?,
            Direction::View => view::implementation(message, s)?,
        });
    }
    Ok(code)
}

/// The value of type `Api` for a message.
pub(crate) fn api(message: &Message) -> Result<String, String> {
    let (min, newest) = (message.valid.lo, message.valid.hi);
    let max = newest - i16::from(message.unstable);
    let name = match message.kind {
        Kind::Request => message.name.trim_end_matches("Request"),
        Kind::Response => message.name.trim_end_matches("Response"),
        Kind::Data => &message.name,
    };
    if message.kind != Kind::Data && message.api_key.is_none() {
        return Err("no apiKey".to_owned());
    }
    let key = message.api_key.unwrap_or(-1);
    let flexible = match message.flexible.is_empty() {
        true => "i16::MAX".to_owned(),
        false => message.flexible.lo.to_string(),
    };
    Ok(format!(
        "Api {{ key: {key}, name: {name:?}, min: {min}, max: {max}, max_unstable: {newest}, flexible_from: {flexible} }}"
    ))
}

/// The constant `API` of a message's implementation.
pub(crate) fn api_constant(message: &Message) -> Result<String, String> {
    let api = match message.kind {
        Kind::Data => api(message)?,
        Kind::Request => format!("api::{}", names::snake(message.name.trim_end_matches("Request")).to_uppercase()),
        Kind::Response => format!("api::{}", names::snake(message.name.trim_end_matches("Response")).to_uppercase()),
    };
    Ok(format!("const API: Api = {api};\n"))
}

/// Whether this is the message itself and not a structure in it.
pub(crate) fn is_root(message: &Message, s: &Struct) -> bool {
    s.name == message.name
}

/// The structure's name with the lifetime it needs: `<'a>`, `<'_>` or none.
pub(crate) fn with_lifetime(message: &Message, name: &str, direction: Direction, lifetime: &str) -> String {
    match borrows(message, message.structure(name), direction) {
        true => format!("{name}<{lifetime}>"),
        false => name.to_owned(),
    }
}

fn borrows(message: &Message, s: &Struct, direction: Direction) -> bool {
    s.fields.iter().any(|field| match &field.r#type {
        Type::String | Type::Bytes | Type::Array(_) => true,
        Type::Records => direction == Direction::View,
        Type::Struct(name) => borrows(message, message.structure(name), direction),
        _ => false,
    })
}

/// The Rust type of a field, without `Option`.
fn rust_type(message: &Message, r#type: &Type, direction: Direction) -> String {
    match r#type {
        Type::Bool => "bool".to_owned(),
        Type::Int8 => "i8".to_owned(),
        Type::Int16 => "i16".to_owned(),
        Type::Int32 => "i32".to_owned(),
        Type::Int64 => "i64".to_owned(),
        Type::Uint16 => "u16".to_owned(),
        Type::Uint32 => "u32".to_owned(),
        Type::Float64 => "f64".to_owned(),
        Type::Uuid => "Uuid".to_owned(),
        Type::String => "&'a str".to_owned(),
        Type::Records if direction == Direction::Encoder => "usize".to_owned(),
        Type::Bytes | Type::Records => "&'a [u8]".to_owned(),
        Type::Struct(name) => with_lifetime(message, name, direction, "'a"),
        Type::Array(element) => match (direction, rust_type(message, element, direction)) {
            (Direction::Encoder, element) => format!("&'a [{element}]"),
            (Direction::View, element) => format!("Array<'a, {element}>"),
        },
    }
}

/// Whether the field is an `Option`. An encoder's records always are: without a length there is nothing to write.
pub(crate) fn is_option(field: &Field, direction: Direction) -> bool {
    !field.nullable.is_empty() || (field.r#type == Type::Records && direction == Direction::Encoder)
}

fn definition(message: &Message, s: &Struct, direction: Direction) -> Result<String, String> {
    let mut code = String::new();
    let about = match (is_root(message, s), s.about.is_empty()) {
        (true, _) => format!("{}, versions {} to {}.", message.name, message.valid.lo, message.valid.hi),
        (false, true) => format!("A part of {}.", message.name),
        (false, false) => names::doc(0, &s.about),
    };
    let mut derived = true;
    for field in &s.fields {
        derived &= defaults::is_derived(field, direction)?;
    }
    let default = if derived { ", Default" } else { "" };
    let name = with_lifetime(message, &s.name, direction, "'a");
    _ = writeln!(code, "/// {about}\n#[derive(Clone, Copy, Debug, PartialEq{default})]\npub struct {name} {{");
    for field in &s.fields {
        let r#type = rust_type(message, &field.r#type, direction);
        let r#type = if is_option(field, direction) { format!("Option<{type}>") } else { r#type };
        let about = if field.about.is_empty() { "Not described." } else { &field.about };
        _ = writeln!(code, "/// {}\npub {}: {},", names::doc(4, about), names::field(&field.name), r#type);
    }
    _ = writeln!(code, "}}\n");
    if !derived {
        let name = with_lifetime(message, &s.name, direction, "'_");
        _ = writeln!(code, "impl Default for {name} {{ #[inline]\nfn default() -> Self {{ Self {{");
        for field in &s.fields {
            _ = writeln!(code, "{}: {},", names::field(&field.name), defaults::expression(field, direction)?);
        }
        _ = writeln!(code, "}} }} }}\n");
    }
    Ok(code)
}

/// The fewest bytes that a structure takes in any of its versions.
pub(crate) fn min_len(message: &Message, s: &Struct) -> usize {
    (s.versions.lo..=s.versions.hi).map(|version| struct_len(message, s, version)).min().unwrap_or(0).max(1)
}

fn struct_len(message: &Message, s: &Struct, version: i16) -> usize {
    let plain = s.fields.iter().filter(|field| field.versions.contains(version) && !field.tagged.contains(version));
    let fields: usize = plain.map(|field| field_len(message, field, version)).sum();
    fields + usize::from(message.flexible.contains(version))
}

fn field_len(message: &Message, field: &Field, version: i16) -> usize {
    let compact = field.flexible.contains(version);
    match &field.r#type {
        Type::Bool | Type::Int8 => 1,
        Type::Int16 | Type::Uint16 => 2,
        Type::Int32 | Type::Uint32 => 4,
        Type::Int64 | Type::Float64 => 8,
        Type::Uuid => 16,
        Type::String | Type::Bytes | Type::Records | Type::Array(_) if compact => 1,
        Type::String => 2,
        Type::Bytes | Type::Records | Type::Array(_) => 4,
        Type::Struct(_) if field.nullable.contains(version) => 1,
        Type::Struct(name) => struct_len(message, message.structure(name), version),
    }
}
