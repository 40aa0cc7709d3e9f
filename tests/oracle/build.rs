//! Writes the table of all generated code, by the names of the messages.

use std::path::Path;
use std::{env, fs};

fn main() {
    let codegen = Path::new("../../core/codegen");
    for changed in ["apis.toml", "schema"] {
        println!("cargo::rerun-if-changed={}", codegen.join(changed).display());
    }
    let reference = klamm_codegen::reference::Reference::load(codegen).unwrap_or_else(|error| panic!("{error}"));
    let folder = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&folder).join("dispatch.rs"), reference.dispatch()).expect("OUT_DIR can be written");
}
