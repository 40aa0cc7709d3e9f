use klamm_wasi::{Codec, Config, Error, Record};

/// One record, acknowledged by Kafka, within a megabyte of memory; its offset.
pub fn hello(bootstrap: &str, value: &str) -> Result<i64, Error> {
    let config = Config::new(bootstrap).memory_total(1 << 20);
    klamm_wasi::block_on(config, async |client| {
        let producer = client.producer().compression(Codec::Lz4).batch_bytes(64 << 10).build()?;
        let meta = producer.send(Record::to("hello").key("42").value(value)).await?;
        Ok(meta.offset())
    })?
}
