//! A record to be produced.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;

use crate::record::Header;

/// A key or value: borrowed, or owned where that is what the caller has. Either way it is copied once, into its batch.
#[derive(Clone, Debug)]
pub struct Payload<'a>(Inner<'a>);

#[derive(Clone, Debug)]
enum Inner<'a> {
    Borrowed(&'a [u8]),
    Owned(Bytes),
}

impl Payload<'_> {
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.0 {
            Inner::Borrowed(bytes) => bytes,
            Inner::Owned(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Payload(Inner::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Payload(Inner::Borrowed(bytes))
    }
}

impl<'a> From<&'a str> for Payload<'a> {
    fn from(text: &'a str) -> Self {
        Payload(Inner::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&'a String> for Payload<'a> {
    fn from(text: &'a String) -> Self {
        Payload(Inner::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&'a Vec<u8>> for Payload<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Payload(Inner::Borrowed(bytes))
    }
}

impl From<String> for Payload<'_> {
    fn from(text: String) -> Self {
        Payload(Inner::Owned(text.into_bytes().into()))
    }
}

impl From<Vec<u8>> for Payload<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Payload(Inner::Owned(bytes.into()))
    }
}

impl From<Bytes> for Payload<'_> {
    fn from(bytes: Bytes) -> Self {
        Payload(Inner::Owned(bytes))
    }
}

/// A record to be produced.
///
/// ```
/// use klamm::Record;
/// let record = Record::to("orders").key("42").value(r#"{"total": 7}"#).header("source", "web");
/// # let _ = record;
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a record does nothing until it is sent"]
pub struct Record<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Payload<'a>>,
    pub(crate) value: Option<Payload<'a>>,
    pub(crate) headers: Vec<Header<'a>>,
    pub(crate) timestamp_ms: Option<i64>,
}

impl<'a> Record<'a> {
    /// An empty record to a topic: no key, and a null value.
    #[inline]
    pub fn to(topic: &'a str) -> Self {
        Record { topic, partition: None, key: None, value: None, headers: Vec::new(), timestamp_ms: None }
    }

    /// An empty record for a [`PartitionClient`](crate::PartitionClient), which knows the topic.
    #[inline]
    pub fn new() -> Self {
        Record::to("")
    }

    /// The partition. Without it the key decides, as in Java's producer, and without a key records spread by bytes
    /// (KIP-794).
    #[inline(always)]
    pub fn partition(self, partition: i32) -> Self {
        Record { partition: Some(partition), ..self }
    }

    /// The key. Without this it is null, which is not the same as empty.
    #[inline(always)]
    pub fn key(self, key: impl Into<Payload<'a>>) -> Self {
        Record { key: Some(key.into()), ..self }
    }

    /// The value. Without this it is null: a tombstone in a compacted topic.
    #[inline(always)]
    pub fn value(self, value: impl Into<Payload<'a>>) -> Self {
        Record { value: Some(value.into()), ..self }
    }

    /// One more header. Order and duplicates are kept.
    pub fn header(self, key: &'a str, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.any_header(key, Some(value.as_ref()))
    }

    /// One more header whose value is null.
    pub fn null_header(self, key: &'a str) -> Self {
        self.any_header(key, None)
    }

    fn any_header(mut self, key: &'a str, value: Option<&'a [u8]>) -> Self {
        self.headers.push(Header { key, value });
        self
    }

    /// When it was made, in milliseconds since 1970-01-01 UTC. Without this the client's clock tells; without a clock
    /// it is −1.
    #[inline(always)]
    pub fn timestamp_ms(self, timestamp_ms: i64) -> Self {
        Record { timestamp_ms: Some(timestamp_ms), ..self }
    }

    /// The topic.
    pub fn topic(&self) -> &'a str {
        self.topic
    }
}
