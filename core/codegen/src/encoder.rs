//! Encoders: code that writes.

use std::fmt::Write as _;

use crate::schema::{Field, Message, Struct, Type};
use crate::structs::{api_constant, is_option, is_root, with_lifetime};
use crate::versions::{Test, Versions};
use crate::view::plain_versions;
use crate::{Direction, defaults, names};

/// The implementation of `Encode` for the message, of `Field` for a structure in it.
pub(crate) fn implementation(message: &Message, s: &Struct) -> Result<String, String> {
    let root = is_root(message, s);
    let body = body(message, s)?;
    let mut code = String::new();
    let name = with_lifetime(message, &s.name, Direction::Encoder, "'_");
    let out = if names::uses(&body, "o") { "o" } else { "_o" };
    let version = if root || names::uses(&body, "v") { "v" } else { "_v" };
    let flexible = if names::uses(&body, "f") { "f" } else { "_f" };
    if root {
        _ = writeln!(code, "impl Encode for {name} {{\n{}", api_constant(message)?);
        _ = writeln!(code, "fn encode<P: Put>(&self, {out}: &mut P, v: i16) -> Result<(), WireError> {{");
        _ = writeln!(code, "Self::API.check(v)?;");
        if flexible == "f" {
            _ = writeln!(code, "let f = {};", message.flexible.test(s.versions).expression());
        }
    } else {
        _ = writeln!(code, "impl Field for {name} {{");
        _ = writeln!(
            code,
            "fn write<P: Put>(&self, {out}: &mut P, {version}: i16, {flexible}: bool) -> Result<(), WireError> {{"
        );
    }
    _ = writeln!(code, "{body}Ok(())\n}}\n}}\n");
    Ok(code)
}

fn body(message: &Message, s: &Struct) -> Result<String, String> {
    let mut code = String::new();
    for field in &s.fields {
        require(&mut code, s, field);
        if !plain_versions(field)?.is_empty() {
            plain(&mut code, message, s, field)?;
        }
        if !field.tagged.is_empty() && !field.ignorable {
            unsupported(&mut code, s, field)?;
        }
    }
    let has_tags = s.fields.iter().any(|field| !field.tagged.is_empty());
    match (message.flexible.test(s.versions), has_tags) {
        (Test::Never, _) => {}
        (_, false) => code.push_str("o.no_tags(f);\n"),
        (Test::Always, true) => code.push_str(&tags(message, s)?),
        (Test::If(_), true) => _ = writeln!(code, "if f {{ {} }}", tags(message, s)?),
    }
    Ok(code)
}

/// A field at its place in the structure.
fn plain(code: &mut String, message: &Message, s: &Struct, field: &Field) -> Result<(), String> {
    let place = format!("self.{}", names::field(&field.name));
    let versions = plain_versions(field)?;
    let has = versions.test(s.versions);
    // That a tagged field does not fit the version is said with the tags.
    let ignorable = field.ignorable || !field.tagged.is_empty();
    let value = match (&field.r#type, field.nullable.test(versions)) {
        (Type::Struct(_), Test::Always) => format!("Nullable(&{place})"),
        (Type::Struct(_), nullable) if !field.nullable.is_empty() => {
            if !ignorable {
                unsupported(code, s, field)?;
            }
            partly_nullable(code, &place, &nullable, &has);
            return Ok(());
        }
        _ => place,
    };
    let flexible = match field.flexible == message.flexible {
        true => "f".to_owned(),
        false => field.flexible.test(s.versions).expression(),
    };
    _ = match has {
        Test::Always => writeln!(code, "{value}.write(o, v, {flexible})?;"),
        Test::Never => Ok(()),
        Test::If(has) if ignorable => writeln!(code, "{value}.write_if({has}, o, v, {flexible})?;"),
        Test::If(has) => {
            let name = names::snake(&field.name);
            let default = defaults::test(field)?;
            writeln!(code, "{value}.write_or({has}, {default}, {name:?}, o, v, {flexible})?;")
        }
    };
    Ok(())
}

/// A structure that may be null in some of its versions: only in those a byte says whether it is. `require` has seen to
/// it that in the others there is one.
fn partly_nullable(code: &mut String, place: &str, nullable: &Test, has: &Test) {
    let plain = format!("if let Some(value) = &{place} {{ value.write(o, v, f)?; }}");
    let value = match nullable {
        Test::If(nullable) => format!("if {nullable} {{ Nullable(&{place}).write(o, v, f)?; }} else {plain}"),
        Test::Always | Test::Never => plain,
    };
    _ = match has {
        Test::If(has) => writeln!(code, "if {has} {{ {value} }}"),
        Test::Always | Test::Never => writeln!(code, "{value}"),
    };
}

/// Refuses null in those of its versions which do not allow it.
fn require(code: &mut String, s: &Struct, field: &Field) {
    let refused = |v: i16| field.versions.contains(v) && !field.nullable.contains(v);
    if !is_option(field, Direction::Encoder) || !(s.versions.lo..=s.versions.hi).any(refused) {
        return;
    }
    let mut allowed: Vec<Versions> = Vec::new();
    for version in (s.versions.lo..=s.versions.hi).filter(|v| !refused(*v)) {
        match allowed.last_mut() {
            Some(range) if range.hi == version - 1 => range.hi = version,
            _ => allowed.push(Versions { lo: version, hi: version }),
        }
    }
    let mut allowed: Vec<String> = allowed.iter().map(|range| range.test(s.versions).expression()).collect();
    allowed.push(format!("self.{}.is_some()", names::field(&field.name)));
    _ = writeln!(code, "require({}, {:?})?;", allowed.join(" || "), names::snake(&field.name));
}

/// Refuses a tagged field's value in versions that do not have the field.
fn unsupported(code: &mut String, s: &Struct, field: &Field) -> Result<(), String> {
    if let Test::If(has) = field.versions.test(s.versions) {
        let default = defaults::test(field)?;
        _ = writeln!(code, "supported({has} || {default}, {:?}, v)?;", names::snake(&field.name));
    }
    Ok(())
}

/// The tagged fields of a structure in a flexible version. One that has its default is left out.
fn tags(message: &Message, s: &Struct) -> Result<String, String> {
    let among = s.versions.and(message.flexible);
    let mut tagged: Vec<&Field> = s.fields.iter().filter(|field| !field.tagged.is_empty()).collect();
    tagged.sort_by_key(|field| field.tag);
    let mut code = String::new();
    let mut present = Vec::new();
    let mut values = String::new();
    for field in tagged {
        let place = format!("self.{}", names::field(&field.name));
        let name = format!("t{}", field.tag);
        let differs = not(&defaults::test(field)?);
        let differs = match field.tagged.test(among) {
            Test::If(has) => format!("{has} && {differs}"),
            Test::Always | Test::Never => differs,
        };
        _ = writeln!(code, "let {name} = {differs};");
        let value = match &field.r#type {
            Type::Struct(_) if !field.nullable.is_empty() => format!("Nullable(&{place})"),
            _ => place,
        };
        _ = writeln!(values, "o.tagged_if({name}, {}, &{value}, v)?;", field.tag);
        present.push(name);
    }
    _ = writeln!(code, "o.tags(&[{}]);", present.join(", "));
    Ok(code + &values)
}

/// The opposite of a test of a default.
fn not(test: &str) -> String {
    if let Some(positive) = test.strip_prefix('!') {
        return positive.to_owned();
    }
    if let Some(place) = test.strip_suffix(".is_none()") {
        return format!("{place}.is_some()");
    }
    match test.split_once(" == ") {
        Some((left, right)) => format!("{left} != {right}"),
        None => format!("!{test}"),
    }
}
