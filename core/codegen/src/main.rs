//! Writes the generated code into the workspace: `cargo run -p klamm-codegen`.

use std::path::Path;
use std::{fs, process};

fn main() {
    if let Err(error) = run() {
        eprintln!("klamm-codegen: {error}");
        process::exit(1);
    }
}

fn run() -> Result<(), String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../..");
    let files = klamm_codegen::checked_in(here)?;
    let text = |error: std::io::Error| error.to_string();
    for path in klamm_codegen::found(&root)? {
        if !files.contains_key(&path) {
            fs::remove_file(root.join(path)).map_err(text)?;
        }
    }
    for (path, code) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&root)).map_err(text)?;
        if fs::read_to_string(&path).ok().as_ref() != Some(&code) {
            fs::write(path, code).map_err(text)?;
        }
    }
    Ok(())
}
