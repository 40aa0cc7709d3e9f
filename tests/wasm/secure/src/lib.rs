//! What the tests' component does with the client, over TLS and with SASL as the environment says.
#![no_std]

extern crate alloc;

// The very code of the component without TLS.
#[path = "../../src/with_client.rs"]
mod with_client;

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use klamm_wasi::Config;
use wasip2::{
    cli::{
        environment::{get_arguments, get_environment},
        stdout::get_stdout,
    },
    exports::cli::run::Guest as Run,
};

struct Guest;
wasip2::cli::command::export!(Guest);

impl Run for Guest {
    fn run() -> Result<(), ()> {
        let arguments = get_arguments();
        let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
        let acted = with_client::act(&arguments).unwrap_or_else(|| Err("see the source for its arguments".to_string()));
        acted.map_err(|why| say(&format!("failed: {why}")))
    }
}

fn config(address: &str) -> Result<Config, String> {
    klamm_edge_security::secured(Config::new(address), &get_environment())
}

fn number<N: core::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{text} is no number that fits here"))
}

fn say(line: &str) {
    let _ = get_stdout().blocking_write_and_flush(format!("{line}\n").as_bytes());
}
