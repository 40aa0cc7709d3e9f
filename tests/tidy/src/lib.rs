//! Reads the project's own tree, so that its house rules are tests. The rules are in `tests/`; this crate finds files
//! and understands as much of Rust as the rules need.

mod source;

pub use source::{Function, Source};

use std::path::{Path, PathBuf};
use std::process::Command;

/// The project's root folder.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate lies two folders below the root").to_owned()
}

/// Every file of the project that is tracked or would be, as paths from the root.
pub fn files() -> Vec<String> {
    let listed = git(&["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).expect("git lists the files");
    let mut files: Vec<String> = listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    files.retain(|path| root().join(path).is_file()); // one that is deleted, but not yet for git
    files.sort();
    files.dedup();
    files
}

/// A file's text; `None` for what is not UTF-8.
pub fn text(path: &str) -> Option<String> {
    String::from_utf8(std::fs::read(root().join(path)).expect("a listed file can be read")).ok()
}

/// The Rust sources that people write: without those that the generator writes.
pub fn sources() -> Vec<Source> {
    let own = files().into_iter().filter(|path| path.ends_with(".rs") && !path.contains("/gen/"));
    own.map(|path| {
        let text = text(&path).unwrap_or_else(|| panic!("{path} is not UTF-8"));
        Source::new(path, text)
    })
    .collect()
}

/// Runs git in the root: its standard output, or what it complained about.
pub fn git(args: &[&str]) -> Result<String, String> {
    let output = Command::new("git").current_dir(root()).args(args).output().map_err(|error| error.to_string())?;
    let text = if output.status.success() { output.stdout } else { output.stderr };
    let text = String::from_utf8_lossy(&text).into_owned();
    if output.status.success() { Ok(text) } else { Err(text) }
}
