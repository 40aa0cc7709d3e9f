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
