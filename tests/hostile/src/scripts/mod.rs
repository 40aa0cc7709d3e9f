//! All scripts, by what they lie about.

mod frames;

use crate::script::Script;

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Script> {
    [frames::SCRIPTS].into_iter().flatten()
}

/// The one of this name.
pub fn named(name: &str) -> Option<&'static Script> {
    all().find(|script| script.name == name)
}
