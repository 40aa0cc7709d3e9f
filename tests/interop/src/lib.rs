//! One broker, several clients: Klamm, librdkafka, Java and rskafka write the same records, and each reads what the others wrote.
//!
//! All of them are turned into one form, a line a record with every field in it, so that equal lines mean equal records.

mod java;
mod klamm;
mod librdkafka;
mod rskafka;
mod specimen;

pub use java::{java_reads, java_reads_with, java_writes, java_writes_with};
pub use klamm::{Klamm, read_all as klamm_reads, write as klamm_writes};
pub use librdkafka::{librdkafka_reads, librdkafka_reads_with, librdkafka_writer, librdkafka_writes};
pub use rskafka::{rskafka_can, rskafka_reads, rskafka_writes};
pub use specimen::{Specimen, noise, specimens};

use std::fmt::Write as _;

/// In the order of the partitions that the tests give them.
pub const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// What a writer was told of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// Where it is.
    pub offset: i64,
    /// Its time; `None` where the client does not say.
    pub timestamp_ms: Option<i64>,
}

/// A record as a reader has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// `CreateTime` or `LogAppendTime`; `None` where the client does not say.
    pub kind: Option<String>,
    /// The time; −1: unknown.
    pub timestamp_ms: i64,
    /// Key, value and headers, as [`payload`] writes them.
    pub payload: String,
}

impl Seen {
    /// Every field but the kind of time, which not all clients tell.
    pub fn line(&self) -> String {
        format!("{} {} {} {}", self.partition, self.offset, self.timestamp_ms, self.payload)
    }
}

/// Bytes in hex after an `x`, so that null and empty differ.
pub fn hex(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".into() };
    bytes.iter().fold("x".into(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// Key, value, and each header as name=value, in hex and in their order: the form that the Java programs speak too.
pub fn payload<'a>(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
) -> String {
    let start = format!("{} {}", hex(key), hex(value));
    headers
        .into_iter()
        .fold(start, |text, (name, value)| format!("{text} {}={}", hex(Some(name.as_bytes())), hex(value)))
}

/// Both have the same lines in the same order.
///
/// # Panics
/// When they have not: with the first that differs, and not with all of them, which are thousands.
pub fn assert_same(what: &str, got: &[Seen], expected: &[String]) {
    let cut = |line: Option<&String>| line.map(|line| line.chars().take(300).collect::<String>());
    for i in 0..got.len().max(expected.len()) {
        let got = got.get(i).map(Seen::line);
        let (got, expected) = (got.as_ref(), expected.get(i));
        assert!(
            got == expected,
            "{what}, record {i}:\n     got {:?}\nexpected {:?}\n(partition, offset, time, key, value, headers)",
            cut(got),
            cut(expected),
        );
    }
}
