//! Code for a test: from a message's name to its generated code.

use std::fmt::Write as _;

use super::Use;
use crate::structs::with_lifetime;
use crate::{Direction, names};

pub(super) fn code(all: &[Use]) -> String {
    let mut code = String::new();
    for used in all {
        let Some(module) = &used.encoder else { continue };
        for s in &used.message.structs {
            let name = with_lifetime(&used.message, &s.name, Direction::Encoder, "'static");
            let fields: Vec<String> = s.fields.iter().map(|field| names::field(&field.name)).collect();
            _ = writeln!(code, "make!(klamm::wire::{module}::{name}: {});", fields.join(", "));
        }
    }
    _ = writeln!(code, "\npub(crate) const ENCODERS: &[(&str, Encoder)] = &[");
    for used in all {
        let Some(module) = &used.encoder else { continue };
        let name = &used.message.name;
        _ = writeln!(
            code,
            "({name:?}, |value, version| encode(&klamm::wire::{module}::{name}::make(value), version)),"
        );
    }
    _ = writeln!(code, "];\n\npub(crate) const VIEWS: &[(&str, View)] = &[");
    for used in all {
        let Some(module) = &used.view else { continue };
        let name = &used.message.name;
        let r#type = with_lifetime(&used.message, name, Direction::View, "'_");
        _ = writeln!(code, "({name:?}, |bytes, version| show::<klamm::wire::{module}::{type}>(bytes, version)),");
    }
    code + "];\n"
}
