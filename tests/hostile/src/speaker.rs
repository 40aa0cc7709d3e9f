//! What a broker writes: sound messages, sound messages with something in them that is not, and bare bytes.

use klamm_tokio::wire::{Encode, Put};

/// Writes a message, and does to it what it was told.
#[derive(Clone, Debug, Default)]
pub struct Speaker {
    /// What was written.
    pub bytes: Vec<u8>,
    /// What stands in the records fields.
    pub records: Vec<u8>,
    /// Every structure gets a tagged field that nobody knows.
    pub unknown_tags: bool,
    /// This compact length or number, counted from 0, becomes another one.
    pub bomb: Option<(usize, u32)>,
    /// How many of those there were.
    pub varints: usize,
}

impl Speaker {
    /// The message in this version, behind `head`.
    pub fn message<R: Encode>(mut self, head: &[u8], message: &R, version: i16) -> Vec<u8> {
        self.bytes.extend_from_slice(head);
        message.encode(&mut self, version).expect("a message of this version");
        self.bytes
    }
}

/// A tag that no message has.
const UNKNOWN_TAG: u32 = 99;

impl Put for Speaker {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn external(&mut self, _len: usize) {
        self.bytes.extend_from_slice(&self.records);
    }

    fn unsigned_varint(&mut self, mut value: u32) {
        if let Some((nth, other)) = self.bomb
            && nth == self.varints
        {
            value = other;
        }
        self.varints += 1;
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn tag_count(&mut self, count: u32) {
        if !self.unknown_tags {
            return self.unsigned_varint(count);
        }
        // It comes first, which nobody minds: what a reader does not know it skips.
        self.unsigned_varint(count + 1);
        self.unsigned_varint(UNKNOWN_TAG);
        self.unsigned_varint(5);
        self.put(b"tags!");
    }
}

/// Bytes in Kafka's order.
#[derive(Debug)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// These bytes as they are.
    pub fn put(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// One byte.
    pub fn u8(self, n: u8) -> Self {
        self.put(&[n])
    }

    /// Two.
    pub fn i16(self, n: i16) -> Self {
        self.put(&n.to_be_bytes())
    }

    /// Four.
    pub fn i32(self, n: i32) -> Self {
        self.put(&n.to_be_bytes())
    }

    /// Eight.
    pub fn i64(self, n: i64) -> Self {
        self.put(&n.to_be_bytes())
    }

    /// A string with its length.
    pub fn str(self, text: &str) -> Self {
        self.i16(text.len() as i16).put(text.as_bytes())
    }
}
