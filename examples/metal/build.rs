//! Where the linker finds the board's memory: 256 KiB of flash and 64 KiB of RAM on lm3s6965evb, 4 MiB each on mps2-an385.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let (flash, ram) = if env::var_os("CARGO_FEATURE_MPS2").is_some() { ("4M", "4M") } else { ("256K", "64K") };
    let regions = format!("FLASH : ORIGIN = 0x00000000, LENGTH = {flash}\nRAM : ORIGIN = 0x20000000, LENGTH = {ram}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo gives it"));
    fs::write(out.join("memory.x"), format!("MEMORY {{\n{regions}\n}}\n")).expect("written");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg=-Tlink.x");
    // Functions that came out the same are there once.
    println!("cargo:rustc-link-arg=--icf=all");
}
