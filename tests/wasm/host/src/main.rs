//! Runs a component as a command with everything granted: a process of its own, so that a test can freeze it.
//!
//!     klamm-wasm-host COMPONENT ARGUMENTS...

use std::io::Write as _;

use klamm_wasm_host::{ALL, Guest};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = arguments.split_first().expect("COMPONENT ARGUMENTS...");
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let running = Guest::compile(name).start(ALL, &rest, &[]);
    let mut told = 0;
    while !running.is_finished() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let printed = running.printed();
        print!("{}", &printed[told..]);
        std::io::stdout().flush().expect("somebody reads");
        told = printed.len();
    }
    let ran = running.ended().await;
    print!("{}", &ran.out[told..]);
    eprint!("{}", ran.err);
    std::process::exit(i32::from(!ran.ok));
}
