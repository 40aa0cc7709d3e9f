//! The component whose size the README tells for TLS: what `producer` does, over TLS 1.3.
#![no_std]

extern crate alloc;

use alloc::format;

use klamm_wasi::{Codec, Config, Error, Record};
use wasip2::{
    cli::{environment::get_arguments, stderr::get_stderr},
    exports::cli::run::Guest as Run,
};

struct Guest;
wasip2::cli::command::export!(Guest);

impl Run for Guest {
    fn run() -> Result<(), ()> {
        let [_, bootstrap, ca_pem, value] = &get_arguments()[..] else { return Err(()) };
        let sent = hello(bootstrap, ca_pem, value);
        sent.map(drop).map_err(|error| drop(get_stderr().blocking_write_and_flush(format!("{error}\n").as_bytes())))
    }
}

/// One record, acknowledged by Kafka, within a megabyte of memory, of which TLS has its part; its offset.
fn hello(bootstrap: &str, ca_pem: &str, value: &str) -> Result<i64, Error> {
    let tls = klamm_edge_security::trusting(ca_pem)?;
    let mut config = Config::new(bootstrap).tls(tls);
    config.single_connection = true;
    let config = config.memory_total(1 << 20);
    klamm_wasi::block_on(config, async |client| {
        let producer = client.producer().compression(Codec::Lz4).batch_bytes(32 << 10).build()?;
        let meta = producer.send(Record::to("hello").key("42").value(value)).await?;
        Ok(meta.offset())
    })?
}
