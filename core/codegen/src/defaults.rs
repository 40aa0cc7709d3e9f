//! Default values, which the schemas write in many forms.

use serde_json::Value;

use crate::schema::{Field, Type};
use crate::{Direction, names};

/// The text of the default, whatever JSON type it has; empty if there is none.
pub(crate) fn text(field: &Field) -> String {
    match &field.default {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether the field's default is null. That of records always is, if they can be null.
pub(crate) fn is_null(field: &Field) -> bool {
    !field.nullable.is_empty() && (text(field) == "null" || field.r#type == Type::Records)
}

/// The default as a Rust expression of the field's type.
pub(crate) fn expression(field: &Field, direction: Direction) -> Result<String, String> {
    if is_null(field) || (field.r#type == Type::Records && direction == Direction::Encoder) {
        return Ok("None".to_owned());
    }
    let value = value(field, direction)?;
    Ok(if field.nullable.is_empty() { value } else { format!("Some({value})") })
}

/// The same without `Some`.
fn value(field: &Field, direction: Direction) -> Result<String, String> {
    let text = text(field);
    let wrong = || format!("{}: `{text}` is no default of its type", field.name);
    let must_be_empty = |value: &str| if text.is_empty() { Ok(value.to_owned()) } else { Err(wrong()) };
    let integer = |name: &str, min: i128, max: i128| {
        let number = integer(&text).filter(|n| (min..=max).contains(n)).ok_or_else(wrong)?;
        Ok(match number {
            n if n == max && n > 0xffff => format!("{name}::MAX"),
            n if n == min && n < -0x8000 => format!("{name}::MIN"),
            n => n.to_string(),
        })
    };
    match &field.r#type {
        Type::Bool => match text.as_str() {
            "" | "false" => Ok("false".to_owned()),
            "true" => Ok("true".to_owned()),
            _ => Err(wrong()),
        },
        Type::Int8 => integer("i8", i8::MIN.into(), i8::MAX.into()),
        Type::Int16 => integer("i16", i16::MIN.into(), i16::MAX.into()),
        Type::Int32 => integer("i32", i32::MIN.into(), i32::MAX.into()),
        Type::Int64 => integer("i64", i64::MIN.into(), i64::MAX.into()),
        Type::Uint16 => integer("u16", 0, u16::MAX.into()),
        Type::Uint32 => integer("u32", 0, u32::MAX.into()),
        Type::Float64 if text.is_empty() => Ok("0.0".to_owned()),
        Type::Float64 => text.parse::<f64>().map(|number| format!("{number:?}")).map_err(|_| wrong()),
        Type::String => Ok(format!("{text:?}")),
        Type::Uuid => must_be_empty("Uuid::ZERO"),
        Type::Bytes | Type::Records => must_be_empty("&[]"),
        Type::Struct(name) => must_be_empty(&format!("{name}::default()")),
        Type::Array(_) if direction == Direction::Encoder => must_be_empty("&[]"),
        Type::Array(_) => must_be_empty("Array::default()"),
    }
}

/// A decimal or hexadecimal number with or without a sign; nothing is 0.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let number = match digits.strip_prefix("0x") {
        Some(hex) => i128::from_str_radix(hex, 16),
        None if text.is_empty() => Ok(0),
        None => digits.parse(),
    };
    number.ok().map(|number| sign * number)
}

/// Whether `Default` can be derived, as far as this field goes.
pub(crate) fn is_derived(field: &Field, direction: Direction) -> Result<bool, String> {
    let expression = expression(field, direction)?;
    let plain = ["None", "0", "0.0", "false", "\"\"", "&[]", "Uuid::ZERO", "Array::default()"];
    Ok(plain.contains(&expression.as_str()) || expression.ends_with("::default()"))
}

/// The Rust expression that says whether an encoder's field has its default.
pub(crate) fn test(field: &Field) -> Result<String, String> {
    let place = format!("self.{}", names::field(&field.name));
    let default = expression(field, Direction::Encoder)?;
    Ok(match default.as_str() {
        "None" => format!("{place}.is_none()"),
        "Some(&[])" => format!("{place}.is_some_and(|value| value.is_empty())"),
        "&[]" | "\"\"" => format!("{place}.is_empty()"),
        "Uuid::ZERO" => format!("{place}.is_zero()"),
        "false" => format!("!{place}"),
        "true" => place,
        _ => format!("{place} == {default}"),
    })
}
