//! Where the linker finds the board's memory.

fn main() {
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rustc-link-search={}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rustc-link-arg=-Tlink.x");
    // Functions that came out the same are there once.
    println!("cargo:rustc-link-arg=--icf=all");
}
