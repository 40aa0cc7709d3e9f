//! The generated code that is checked in is what the schemas that are checked in generate.

use std::fs;
use std::path::Path;

#[test]
fn the_checked_in_code_is_fresh() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../..");
    let files = klamm_codegen::checked_in(here).unwrap();
    for (path, code) in &files {
        let there = fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(there == *code, "{} is stale: cargo run -p klamm-codegen", path.display());
    }
    let found = klamm_codegen::found(&root).unwrap();
    let stray: Vec<_> = found.iter().filter(|path| !files.contains_key(*path)).collect();
    assert!(stray.is_empty(), "not generated any more: {stray:?}");
}
