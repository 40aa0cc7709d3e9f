//! A WASI 0.2 command without std. Its first argument says what it does; `host.py` runs it and plays the other side.
#![no_std]

extern crate alloc;

mod by_hand;
mod with_client;

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use klamm_wasi::{Config, Endpoint, Reactor};
use wasip2::{
    cli::{environment::get_arguments, stdout::get_stdout},
    exports::cli::run::Guest as Run,
};

struct Guest;
wasip2::cli::command::export!(Guest);

impl Run for Guest {
    fn run() -> Result<(), ()> {
        let arguments = get_arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        act(arguments.get(1..).unwrap_or_default()).map_err(|why| say(&format!("failed: {why}")))
    }
}

fn act(arguments: &[&str]) -> Result<(), String> {
    match arguments {
        ["versions", address] => Reactor::run(by_hand::versions(&endpoint(address)?)),
        ["echo", address, bytes] => Reactor::run(by_hand::echo(&endpoint(address)?, number(bytes)?)),
        ["end", address] => Reactor::run(by_hand::end(&endpoint(address)?)),
        ["idle", address] => Reactor::run(by_hand::idle(&endpoint(address)?)),
        ["error", address] => Reactor::run(by_hand::error(&endpoint(address)?)),
        ["time"] => Reactor::run(by_hand::time()),
        ["share"] => by_hand::share(),
        others => with_client::act(others).unwrap_or_else(|| Err("see the source for its arguments".to_string())),
    }
}

fn endpoint(address: &str) -> Result<Endpoint, String> {
    let (host, port) = address.rsplit_once(':').ok_or("an address is HOST:PORT")?;
    Ok(Endpoint { host: host.into(), port: number(port)?, attempt: 0 })
}

fn config(address: &str) -> Result<Config, String> {
    Ok(Config::new(address))
}

fn number<N: core::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{text} is no number that fits here"))
}

fn say(line: &str) {
    let _ = get_stdout().blocking_write_and_flush(format!("{line}\n").as_bytes());
}
