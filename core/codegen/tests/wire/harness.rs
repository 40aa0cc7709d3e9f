//! What every message must withstand: a round trip, tags that nobody knows, a cut at every byte, any bytes at all.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use klamm::wire::frame::{read_request_header, read_response_header, request_frame, response_frame};
use klamm::wire::{Api, Array, Counter, Decode, Encode, Field, Frame, Put, Reader, Uuid, View, WireError, Writer};
use klamm::wire::{Split, decode_body};

/// External bytes are all this one.
pub(crate) const EXTERNAL: u8 = 0xee;

const CORRELATION_ID: i32 = -7;

/// Where samples come from: bytes that proptest chose, and zeros after them.
pub(crate) struct Source<'b> {
    choices: &'b [u8],
    /// What to fill fields with that the version does not have and that may be ignored; otherwise they keep their
    /// defaults.
    ignored: Option<&'b [u8]>,
}

impl<'b> Source<'b> {
    pub(crate) fn new(choices: &'b [u8]) -> Self {
        Self { choices, ignored: None }
    }

    /// One that gives the same values, and others for fields that are to be ignored.
    pub(crate) fn overfull(choices: &'b [u8]) -> Self {
        Self { choices, ignored: Some(choices) }
    }

    pub(crate) fn ignored<T: Sample>(&mut self, version: i16, default: T) -> T {
        let Some(choices) = self.ignored else { return default };
        let mut source = Source::new(choices);
        let value = source.any(version);
        self.ignored = Some(source.choices);
        value
    }

    pub(crate) fn any<T: Sample>(&mut self, version: i16) -> T {
        T::sample(self, version)
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.choices.split_first() else { return 0 };
        self.choices = rest;
        *first
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        [(); N].map(|()| self.byte())
    }

    /// Lengths are short, so that most choices go into values.
    fn len(&mut self) -> usize {
        usize::from(self.byte() % 4)
    }
}

/// A value of any content.
///
/// What it borrows is leaked: a test's process is short, and lifetimes would only get into the way.
pub(crate) trait Sample: Sized {
    fn sample(s: &mut Source<'_>, version: i16) -> Self;
}

/// Whether a view says the same as an encoder.
pub(crate) trait Same<V> {
    fn same(&self, view: &V) -> bool;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Sample for $type {
            fn sample(s: &mut Source<'_>, _version: i16) -> Self {
                // Small numbers and the defaults, −1 above all, are worth more than chance gives them.
                match s.byte() {
                    0..=63 => 0,
                    64..=95 => <$type>::MAX,
                    96..=127 => <$type>::MIN,
                    128..=159 => (<$type>::MIN).wrapping_sub(1).wrapping_add(<$type>::MAX / 2),
                    160..=191 => (0 as $type).wrapping_sub(1),
                    _ => <$type>::from_be_bytes(s.bytes()),
                }
            }
        }
        impl Same<$type> for $type {
            fn same(&self, view: &$type) -> bool {
                self == view
            }
        }
    )*};
}

numbers!(i8, i16, i32, i64, u16, u32);

impl Sample for f64 {
    fn sample(s: &mut Source<'_>, _version: i16) -> Self {
        i16::from_be_bytes(s.bytes()).into()
    }
}

impl Sample for bool {
    fn sample(s: &mut Source<'_>, _version: i16) -> Self {
        s.byte() % 2 == 1
    }
}

impl Sample for Uuid {
    fn sample(s: &mut Source<'_>, _version: i16) -> Self {
        Uuid(if bool::sample(s, 0) { s.bytes() } else { [0; 16] })
    }
}

impl Sample for &'static str {
    fn sample(s: &mut Source<'_>, _version: i16) -> Self {
        let text: String = (0..s.len()).map(|_| ['a', 'ß', '€', '😀'][s.len()]).collect();
        text.leak()
    }
}

impl Sample for &'static [u8] {
    fn sample(s: &mut Source<'_>, _version: i16) -> Self {
        let bytes: Vec<u8> = (0..s.len()).map(|_| s.byte()).collect();
        bytes.leak()
    }
}

impl<T: Sample> Sample for &'static [T] {
    fn sample(s: &mut Source<'_>, version: i16) -> Self {
        let elements: Vec<T> = (0..s.len()).map(|_| s.any(version)).collect();
        elements.leak()
    }
}

/// The length of a records field.
impl Sample for usize {
    fn sample(s: &mut Source<'_>, _version: i16) -> Self {
        s.len()
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(s: &mut Source<'_>, version: i16) -> Self {
        bool::sample(s, version).then(|| s.any(version))
    }
}

macro_rules! same {
    ($($type:ty),*) => {$(
        impl Same<$type> for $type {
            fn same(&self, view: &$type) -> bool {
                self == view
            }
        }
    )*};
}

same!(f64, bool, Uuid, &str, &[u8]);

impl<A: Same<B>, B> Same<Option<B>> for Option<A> {
    fn same(&self, view: &Option<B>) -> bool {
        match (self, view) {
            (Some(a), Some(b)) => a.same(b),
            (None, None) => true,
            _ => false,
        }
    }
}

impl<'v, A: Same<B>, B: View<'v>> Same<Array<'v, B>> for &[A] {
    fn same(&self, view: &Array<'v, B>) -> bool {
        self.len() == view.len() && view.iter().len() == view.len() && {
            let elements: Vec<B> = view.iter().collect();
            elements.len() == view.len() && self.iter().zip(&elements).all(|(a, b)| a.same(b))
        }
    }
}

impl Same<&[u8]> for usize {
    fn same(&self, view: &&[u8]) -> bool {
        view.len() == *self && view.iter().all(|byte| *byte == EXTERNAL)
    }
}

/// An encoder's records are an option even where they cannot be null.
impl Same<&[u8]> for Option<usize> {
    fn same(&self, view: &&[u8]) -> bool {
        self.is_some_and(|len| len.same(view))
    }
}

/// One message, with its types forgotten.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) api: Api,
    check: fn(&[u8], i16),
}

impl Case {
    pub(crate) fn request<E, V>(name: &'static str) -> Self
    where
        E: Encode + Sample + Same<V> + Debug,
        V: Decode<'static> + Debug + PartialEq,
    {
        Self { name, api: E::API, check: check::<E, V, Request> }
    }

    pub(crate) fn response<E, V>(name: &'static str) -> Self
    where
        E: Encode + Sample + Same<V> + Debug,
        V: Decode<'static> + Debug + PartialEq,
    {
        Self { name, api: E::API, check: check::<E, V, Response> }
    }

    pub(crate) fn data<E, V>(name: &'static str) -> Self
    where
        E: Encode + Sample + Same<V> + Debug,
        V: Decode<'static> + Debug + PartialEq,
    {
        Self { name, api: E::API, check: check::<E, V, Data> }
    }

    /// Checks one sample in every version.
    pub(crate) fn check(&self, choices: &[u8]) {
        for version in self.api.min..=self.api.max_unstable {
            (self.check)(choices, version);
        }
    }
}

/// How a message is framed: `frame` gives the whole, `body` reads up to the body.
pub(crate) trait Framing {
    fn frame<E: Encode>(message: &E, version: i16) -> Result<Frame, WireError>;
    fn body(frame: &'static [u8], api: Api, version: i16, correlation_id: i32) -> Reader<'static>;
}

pub(crate) struct Request;
pub(crate) struct Response;
struct Data;

fn behind_size(frame: &'static [u8]) -> Reader<'static> {
    let mut r = Reader::new(frame);
    assert_eq!(r.i32().unwrap() as usize, r.remaining());
    r
}

impl Framing for Request {
    fn frame<E: Encode>(message: &E, version: i16) -> Result<Frame, WireError> {
        request_frame(message, version, CORRELATION_ID, Some("klämm"))
    }

    fn body(frame: &'static [u8], api: Api, version: i16, correlation_id: i32) -> Reader<'static> {
        let mut r = behind_size(frame);
        if klamm::wire::api::ALL.contains(&api) {
            let header = read_request_header(&mut r).unwrap();
            assert_eq!((header.api_key, header.version), (api.key, version));
            assert_eq!((header.correlation_id, header.client_id), (correlation_id, Some("klämm")));
        } else {
            // The header of a request that klamm does not know cannot be read.
            r.take(8 + 2 + "klämm".len()).unwrap();
            r.no_tags(api.is_flexible(version)).unwrap();
        }
        r
    }
}

impl Framing for Response {
    fn frame<E: Encode>(message: &E, version: i16) -> Result<Frame, WireError> {
        response_frame(message, version, CORRELATION_ID)
    }

    fn body(frame: &'static [u8], api: Api, version: i16, correlation_id: i32) -> Reader<'static> {
        let mut r = behind_size(frame);
        assert_eq!(read_response_header(&mut r, api, version), Ok(correlation_id));
        r
    }
}

impl Framing for Data {
    fn frame<E: Encode>(message: &E, version: i16) -> Result<Frame, WireError> {
        let mut counted = Counter::default();
        message.encode(&mut counted, version)?;
        let mut writer = Writer::reserve(&counted)?;
        message.encode(&mut writer, version)?;
        Ok(Frame { bytes: writer.bytes, splits: writer.splits })
    }

    fn body(frame: &'static [u8], _api: Api, _version: i16, _correlation_id: i32) -> Reader<'static> {
        Reader::new(frame)
    }
}

fn external(splits: &[Split]) -> Vec<Vec<u8>> {
    splits.iter().map(|split| vec![EXTERNAL; split.len]).collect()
}

fn check<E, V, F>(choices: &[u8], version: i16)
where
    E: Encode + Sample + Same<V> + Debug,
    V: Decode<'static> + Debug + PartialEq,
    F: Framing,
{
    let message: E = Source::new(choices).any(version);
    let frame = F::frame(&message, version).unwrap();
    assert_eq!(frame.bytes.capacity(), frame.bytes.len(), "sized exactly, and never grown");
    let parts = external(&frame.splits);
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let whole: &'static [u8] = frame.join(&parts).unwrap().leak();
    let mut r = F::body(whole, E::API, version, CORRELATION_ID);
    let body = r.rest();
    let view: V = decode_body(&mut r, version).unwrap();
    assert!(message.same(&view), "version {version}\nsent {message:?}\nread {view:?}");

    let overfull: E = Source::overfull(choices).any(version);
    let ignoring = F::frame(&overfull, version).unwrap();
    assert_eq!((ignoring.bytes, ignoring.splits), (frame.bytes, frame.splits), "version {version}: {overfull:?}");

    let mut tagged = UnknownTags::default();
    message.encode(&mut tagged, version).unwrap();
    assert_eq!(tagged.0.len() > body.len(), E::API.is_flexible(version));
    if E::API.is_flexible(version) {
        let again: V = decode_body(&mut Reader::new(tagged.0.leak()), version).unwrap();
        assert_eq!(view, again, "version {version}: an unknown tag made a difference");
    }
    for cut in (0..body.len()).step_by(1 + body.len() / 1000) {
        let decoded = decode_body::<V>(&mut Reader::new(&body[..cut]), version);
        assert!(decoded.is_err(), "version {version} cut at {cut}: {decoded:?}");
    }
    any_bytes::<V>(choices.to_vec(), version);
    let mut damaged = body.to_vec();
    for (i, choice) in choices.iter().enumerate().step_by(7) {
        if let Some(byte) = damaged.get_mut(usize::from(*choice) + i) {
            *byte ^= choices[i / 2] | 1;
        }
    }
    any_bytes::<V>(damaged, version);
}

/// `MIN_LEN` is neither more than the smallest value takes, or good arrays would be refused, nor less.
pub(crate) fn smallest<E: Field + Sample, V: View<'static>>(
    name: &str,
    versions: RangeInclusive<i16>,
    flexible_from: i16,
) {
    let len = |version: i16| {
        let mut counted = Counter::default();
        let smallest: E = Source::new(&[]).any(version);
        smallest.write(&mut counted, version, version >= flexible_from).unwrap();
        counted.total()
    };
    assert_eq!(versions.map(len).min(), Some(V::MIN_LEN), "{name}");
}

/// Whatever the bytes are: a view of them can be walked to its ends, or there is an error.
fn any_bytes<V: Decode<'static> + Debug>(bytes: Vec<u8>, version: i16) {
    if let Ok(view) = decode_body::<V>(&mut Reader::new(bytes.leak()), version) {
        assert!(!format!("{view:?}").is_empty());
    }
}

/// Adds tag 99 to every structure, however deep, and even where the known ones are.
#[derive(Default)]
struct UnknownTags(Vec<u8>);

impl Put for UnknownTags {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn external(&mut self, len: usize) {
        self.0.resize(self.0.len() + len, EXTERNAL);
    }

    fn tag_count(&mut self, count: u32) {
        self.unsigned_varint(count + 1);
        self.unsigned_varint(99);
        self.unsigned_varint(3);
        self.put(&[0xff; 3]);
    }

    fn tagged<T: Field>(&mut self, tag: u32, value: &T, version: i16) -> Result<(), WireError> {
        let mut inner = UnknownTags::default();
        value.write(&mut inner, version, true)?;
        self.unsigned_varint(tag);
        self.unsigned_varint(inner.0.len() as u32);
        self.put(&inner.0);
        Ok(())
    }
}
