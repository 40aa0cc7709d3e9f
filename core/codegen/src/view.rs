//! Views: code that reads.

use std::fmt::Write as _;

use crate::schema::{Field, Message, Struct, Type};
use crate::structs::{api_constant, is_root, min_len, with_lifetime};
use crate::versions::Test;
use crate::{Direction, defaults, names};

/// The implementation of `Decode` for the message, of `View` for a structure in it.
pub(crate) fn implementation(message: &Message, s: &Struct) -> Result<String, String> {
    let root = is_root(message, s);
    let body = body(message, s)?;
    let mut code = String::new();
    let name = with_lifetime(message, &s.name, Direction::View, "'a");
    if root {
        _ = writeln!(code, "impl<'a> Decode<'a> for {name} {{\n{}", api_constant(message)?);
    } else {
        _ = writeln!(code, "impl<'a> View<'a> for {name} {{\nconst MIN_LEN: usize = {};\n", min_len(message, s));
    }
    let method = if root { "decode" } else { "read" };
    let reader = if names::uses(&body, "r") { "r" } else { "_r" };
    let version = if root || names::uses(&body, "v") { "v" } else { "_v" };
    _ = writeln!(
        code,
        "#[inline]\nfn {method}({reader}: &mut Reader<'a>, {version}: i16) -> Result<Self, WireError> {{"
    );
    if root {
        _ = writeln!(code, "Self::API.check(v)?;");
    }
    _ = writeln!(code, "{body}}}\n}}\n");
    Ok(code)
}

fn body(message: &Message, s: &Struct) -> Result<String, String> {
    let flexible = message.flexible.test(s.versions);
    let has_tags = s.fields.iter().any(|field| !field.tagged.is_empty());
    let mut fields = String::new();
    for field in &s.fields {
        let default = defaults::expression(field, Direction::View)?;
        // A field may be an ordinary one first and a tagged one later.
        let plain = plain_versions(field)?;
        let value = match plain.test(s.versions) {
            Test::Never => default,
            Test::Always => read(field, s, "r", &compact(message, s, field)),
            Test::If(has) => {
                let value = read(field, s, "r", &compact(message, s, field));
                format!("if {has} {{ {value} }} else {{ {default} }}")
            }
        };
        _ = writeln!(fields, "{}: {value},", names::field(&field.name));
    }
    let tags = match (&flexible, has_tags) {
        (Test::Never, _) => String::new(),
        (Test::Always, true) => tags(message, s),
        (Test::Always, false) => "r.no_tags(true)?;\n".to_owned(),
        (Test::If(_), true) => format!("if f {{ {} }}\n", tags(message, s)),
        (Test::If(_), false) => "r.no_tags(f)?;\n".to_owned(),
    };
    let binding = if has_tags { "let mut m" } else { "let m" };
    let mut code = match tags.is_empty() {
        true => format!("Ok(Self {{ {fields} }})\n"),
        false => format!("{binding} = Self {{ {fields} }};\n{tags}Ok(m)\n"),
    };
    if let Test::If(condition) = &flexible
        && names::uses(&code, "f")
    {
        code.insert_str(0, &format!("let f = {condition};\n"));
    }
    Ok(code)
}

/// The versions in which a field stands among the others and not among the tagged ones.
pub(crate) fn plain_versions(field: &Field) -> Result<crate::versions::Versions, String> {
    let mut plain = field.versions;
    if !field.tagged.is_empty() {
        if field.tagged.hi != field.versions.hi {
            return Err(format!("{}: a tagged field that is no longer one", field.name));
        }
        plain.hi = field.tagged.lo - 1;
    }
    Ok(plain)
}

fn tags(message: &Message, s: &Struct) -> String {
    let among = s.versions.and(message.flexible);
    let mut code =
        String::from("let mut tags = r.tags()?;\nwhile let Some((tag, mut t)) = tags.next(r)? {\nmatch tag {\n");
    for field in s.fields.iter().filter(|field| !field.tagged.is_empty()) {
        let guard = match field.tagged.test(among) {
            Test::If(condition) => format!(" if {condition}"),
            Test::Always | Test::Never => String::new(),
        };
        let value = read(field, s, "t", "true");
        _ = writeln!(code, "{}{guard} => m.{} = {value},", field.tag, names::field(&field.name));
    }
    code.push_str("_ => continue,\n}\nt.end()?;\n}\n");
    code
}

/// The expression that says whether a field's own length is compact.
fn compact(message: &Message, s: &Struct, field: &Field) -> String {
    match field.flexible.test(s.versions) {
        Test::If(_) if field.flexible == message.flexible => "f".to_owned(),
        test => test.expression(),
    }
}

/// The expression that reads a field in a version which has it.
fn read(field: &Field, s: &Struct, reader: &str, flexible: &str) -> String {
    let nullable = read_one(field, reader, flexible, true);
    let never_null = read_one(field, reader, flexible, false);
    match field.nullable.test(field.versions.and(s.versions)) {
        Test::Always => nullable,
        Test::Never if field.nullable.is_empty() => never_null,
        Test::Never => format!("Some({never_null})"),
        Test::If(condition) => format!("if {condition} {{ {nullable} }} else {{ Some({never_null}) }}"),
    }
}

fn read_one(field: &Field, reader: &str, flexible: &str, nullable: bool) -> String {
    let maybe = if nullable { "nullable_" } else { "" };
    let borrowed = if reader == "r" { "r".to_owned() } else { format!("&mut {reader}") };
    match &field.r#type {
        Type::Bool => format!("{reader}.bool()?"),
        Type::Int8 => format!("{reader}.i8()?"),
        Type::Int16 => format!("{reader}.i16()?"),
        Type::Int32 => format!("{reader}.i32()?"),
        Type::Int64 => format!("{reader}.i64()?"),
        Type::Uint16 => format!("{reader}.u16()?"),
        Type::Uint32 => format!("{reader}.u32()?"),
        Type::Float64 => format!("{reader}.f64()?"),
        Type::Uuid => format!("{reader}.uuid()?"),
        Type::String => format!("{reader}.read_{maybe}string({flexible})?"),
        Type::Bytes | Type::Records => format!("{reader}.read_{maybe}bytes({flexible})?"),
        Type::Struct(_) if nullable => format!("{reader}.read_nullable(v)?"),
        Type::Struct(name) => format!("{name}::read({borrowed}, v)?"),
        Type::Array(element) => {
            // Strings and bytes do not need the version, but they need to know whether it is flexible.
            let version = match (element.as_ref(), flexible) {
                (Type::String | Type::Bytes, "true") => "1".to_owned(),
                (Type::String | Type::Bytes, "false") => "0".to_owned(),
                (Type::String | Type::Bytes, _) => format!("i16::from({flexible})"),
                _ => "v".to_owned(),
            };
            format!("{reader}.read_{maybe}array({flexible}, {version})?")
        }
    }
}
