//! Test code for each message: a sample with any values, and what it means that a view says the same as an encoder.

use std::fmt::Write as _;

use crate::output::MARK;
use crate::schema::{Field, Kind, Message, Struct, Type};
use crate::structs::{is_root, with_lifetime};
use crate::versions::{Test, Versions};
use crate::{Direction, names};

/// The tests' module of one message, given the modules of its encoder and its view.
pub(crate) fn module(message: &Message, encoder: &str, view: &str) -> String {
    let smallest = if message.structs.len() > 1 { ", smallest" } else { "" };
    let mut code = format!(
        "{MARK} Source: `{}.json`.\n\nuse crate::harness::{{Case, Sample, Same, Source{smallest}}};\n\
         use {encoder} as encoder;\nuse {view} as view;\n\n",
        message.name
    );
    for s in &message.structs {
        sample(&mut code, message, s);
        same(&mut code, message, s);
    }
    case(&mut code, message);
    parts(&mut code, message);
    code
}

fn case(code: &mut String, message: &Message) {
    let kind = match message.kind {
        Kind::Request => "request",
        Kind::Response => "response",
        Kind::Data => "data",
    };
    let encoder = with_lifetime(message, &message.name, Direction::Encoder, "'static");
    let view = with_lifetime(message, &message.name, Direction::View, "'static");
    _ = writeln!(code, "pub(super) fn case() -> Case {{");
    _ = writeln!(code, "Case::{kind}::<encoder::{encoder}, view::{view}>({:?})\n}}\n", message.name);
}

/// That `MIN_LEN` is what the smallest value takes, for every structure within the message.
fn parts(code: &mut String, message: &Message) {
    _ = writeln!(code, "pub(super) fn parts() {{");
    for s in message.structs.iter().filter(|s| !is_root(message, s)) {
        let encoder = with_lifetime(message, &s.name, Direction::Encoder, "'static");
        let view = with_lifetime(message, &s.name, Direction::View, "'static");
        let flexible = if message.flexible.is_empty() { i16::MAX } else { message.flexible.lo };
        let Versions { lo, hi } = s.versions;
        _ = writeln!(code, "smallest::<encoder::{encoder}, view::{view}>({:?}, {lo}..={hi}, {flexible});", s.name);
    }
    _ = writeln!(code, "}}");
}

/// The root of the samples: a list of all messages.
pub(crate) fn root(messages: &[(Message, String, String)]) -> String {
    let mut code = format!("{MARK}\n\nuse crate::harness::Case;\n\n");
    for (message, ..) in messages {
        _ = writeln!(code, "mod {};", names::snake(&message.name));
    }
    _ = writeln!(code, "\n/// A case for each message.\npub(crate) fn cases() -> Vec<Case> {{\nvec![");
    for (message, ..) in messages {
        _ = writeln!(code, "{}::case(),", names::snake(&message.name));
    }
    _ = writeln!(code, "]\n}}\n\n/// Checks the structures within them.\npub(crate) fn parts() {{");
    for (message, ..) in messages {
        _ = writeln!(code, "{}::parts();", names::snake(&message.name));
    }
    _ = writeln!(code, "}}");
    code
}

/// Values for the fields which a version has; the others keep their defaults.
fn sample(code: &mut String, message: &Message, s: &Struct) {
    let mut fields = String::new();
    for field in &s.fields {
        let name = names::field(&field.name);
        let mut value = any(s, field);
        if !field.tagged.is_empty() {
            // Not every tagged field should be there.
            value = format!("if s.any(v) {{ {value} }} else {{ d.{name} }}");
        }
        let absent = match field.ignorable {
            true => format!("s.ignored(v, d.{name})"),
            false => format!("d.{name}"),
        };
        let value = match field.versions.test(s.versions) {
            Test::If(has) => format!("if {has} {{ {value} }} else {{ {absent} }}"),
            Test::Always | Test::Never => value,
        };
        _ = writeln!(fields, "{name}: {value},");
    }
    let name = with_lifetime(message, &s.name, Direction::Encoder, "'static");
    let source = if names::uses(&fields, "s") { "s" } else { "_s" };
    let version = if names::uses(&fields, "v") { "v" } else { "_v" };
    _ = writeln!(code, "impl Sample for encoder::{name} {{");
    _ = writeln!(code, "fn sample({source}: &mut Source<'_>, {version}: i16) -> Self {{");
    if names::uses(&fields, "d") {
        _ = writeln!(code, "let d = Self::default();");
    }
    _ = writeln!(code, "Self {{ {fields} }} }} }}\n");
}

fn any(s: &Struct, field: &Field) -> String {
    let any = "s.any(v)";
    if field.r#type == Type::Records && field.nullable.is_empty() {
        return format!("Some({any})");
    }
    match field.nullable.test(field.versions.and(s.versions)) {
        Test::Always => any.to_owned(),
        Test::Never if field.nullable.is_empty() => any.to_owned(),
        Test::Never => format!("Some({any})"),
        Test::If(nullable) => format!("if {nullable} {{ {any} }} else {{ Some({any}) }}"),
    }
}

fn same(code: &mut String, message: &Message, s: &Struct) {
    let encoder = with_lifetime(message, &s.name, Direction::Encoder, "'_");
    let view = with_lifetime(message, &s.name, Direction::View, "'_");
    let fields: Vec<String> = s.fields.iter().map(|field| names::field(&field.name)).collect();
    let equal: Vec<String> = fields.iter().map(|name| format!("self.{name}.same(&o.{name})")).collect();
    let (other, equal) = if equal.is_empty() { ("_o", "true".to_owned()) } else { ("o", equal.join(" && ")) };
    _ = writeln!(code, "impl Same<view::{view}> for encoder::{encoder} {{");
    _ = writeln!(code, "fn same(&self, {other}: &view::{view}) -> bool {{ {equal} }} }}\n");
}
