//! All scripts, by what they lie about.

mod answers;
mod batches;
mod cluster;
mod frames;
mod greeting;
mod sasl;
mod tls;

pub(crate) use tls::ELSEWHERE;

use crate::script::Script;

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Script> {
    [
        frames::SCRIPTS,
        greeting::SCRIPTS,
        cluster::SCRIPTS,
        answers::SCRIPTS,
        batches::SCRIPTS,
        sasl::SCRIPTS,
        tls::SCRIPTS,
    ]
    .into_iter()
    .flatten()
}

/// The one of this name.
pub fn named(name: &str) -> Option<&'static Script> {
    all().find(|script| script.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_script_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = all().map(|script| script.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(
            names.iter().all(|name| name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-'))
        );
    }
}
