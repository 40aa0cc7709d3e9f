//! The manual's table.

use alloc::{format, string::String, vec::Vec};

use super::{
    Dialect,
    keys::{KEYS, Key},
};

/// All names, with each dialect's defaults and what they do here, as Markdown: what
/// [the manual](crate::manual::from_properties) has.
pub fn table() -> String {
    let mut table = String::from("| name | Java | librdkafka | here |\n|---|---|---|---|\n");
    for key in KEYS {
        let [java, librdkafka] = [Dialect::Java, Dialect::Librdkafka].map(|dialect| default_of(key, dialect));
        // The names of one dialect only have a dash in the other's column.
        let dialect = if key.default_in(Dialect::Librdkafka).is_some() { Dialect::Librdkafka } else { Dialect::Java };
        let names: Vec<String> = key.names(dialect).map(|name| format!("`{name}`")).collect();
        table += &format!("| {} | {java} | {librdkafka} | {} |\n", names.join(", "), key.here);
    }
    table
}

fn default_of(key: &Key, dialect: Dialect) -> String {
    match key.default_in(dialect) {
        None => "–".into(),
        Some("") => "none".into(),
        Some(default) => default.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, fs};

    /// With `BLESS=1` the page is written anew.
    #[test]
    fn the_manual_has_this_table() {
        let page = "src/manual/properties_table.md";
        if env::var_os("BLESS").is_some() {
            fs::write(page, table()).expect("written");
        }
        assert_eq!(include_str!("../manual/properties_table.md"), table(), "BLESS=1 cargo test -p klamm the_manual");
    }
}
