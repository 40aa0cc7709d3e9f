//! Runs a component as a command with everything granted, in a process of its own, so that a test can freeze it; or measures.
//!
//!     klamm-wasm-host run COMPONENT ARGUMENTS...
//!     klamm-wasm-host figures                       what the README tells; the components must have been built

mod figures;

use std::io::Write as _;

use klamm_wasm_host::{ALL, Guest};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &arguments[..] {
        ["run", name, arguments @ ..] => run(name, arguments).await,
        ["figures"] => figures::all().await,
        _ => panic!("run COMPONENT ARGUMENTS..., or figures"),
    }
}

async fn run(name: &str, arguments: &[&str]) {
    let running = Guest::compile(name).start(ALL, arguments, &[]);
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
