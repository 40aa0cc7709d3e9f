//! The component whose size the README tells: the lines that klamm-wasi's documentation begins with, and nothing else.
#![no_std]

extern crate alloc;

// The very file that the documentation shows.
#[path = "../../../../transport-wasi/src/hello.rs"]
mod hello;

use alloc::format;

use wasip2::{
    cli::{environment::get_arguments, stderr::get_stderr},
    exports::cli::run::Guest as Run,
};

struct Guest;
wasip2::cli::command::export!(Guest);

impl Run for Guest {
    fn run() -> Result<(), ()> {
        let [_, bootstrap, value] = &get_arguments()[..] else { return Err(()) };
        let sent = hello::hello(bootstrap, value);
        sent.map(drop).map_err(|error| drop(get_stderr().blocking_write_and_flush(format!("{error}\n").as_bytes())))
    }
}
