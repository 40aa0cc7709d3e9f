//! The codecs against other implementations of them.

use std::io::Read;

use klamm::Codec;
use klamm::compress::{BuiltIn, CodecError, Codecs, Full, Room, Sink, inflated_hint};

/// The most that an input may become.
const LIMIT: usize = 1 << 20;
/// What zstd's decoder wants beyond the content.
const SLACK: usize = 64;

/// A room of at most so many bytes, which sees growth that nobody asked for.
struct Limited {
    out: Vec<u8>,
    granted: usize,
    limit: usize,
}

impl Room for Limited {
    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    fn want(&mut self, more: usize) -> Result<(), Full> {
        assert!(self.out.capacity() <= self.granted, "the output grew by itself");
        if self.out.len().saturating_add(more) > self.limit {
            return Err(Full { limit: self.limit });
        }
        self.out.reserve_exact(more);
        self.granted = self.granted.max(self.out.capacity());
        Ok(())
    }
}

struct Collected(Vec<u8>);

impl Sink for Collected {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// What ours makes of it, twice by the same decoder: nothing may be left of the first time.
fn ours(codec: Codec, src: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    // Whatever it says of itself, it can be no more than what so many bytes could become: zstd's runs are the longest.
    let hint = inflated_hint(codec, src);
    assert!(hint.is_none_or(|hint| hint <= (src.len() << 19) + SLACK), "{hint:?}");
    let mut decoder = BuiltIn.decompressor(codec, 8 << 20).expect("a codec of this build");
    let mut inflate = || {
        let mut room = Limited { out: Vec::new(), granted: 0, limit };
        let result = decoder.decompress(src, &mut room);
        assert!(room.out.capacity() <= room.granted && room.out.len() <= limit, "the output grew by itself");
        result.map(|()| room.out)
    };
    let first = inflate();
    assert_eq!(first, inflate(), "the decoder remembers what it did before");
    match &first {
        Ok(_) => {}
        Err(CodecError::Corrupt(of)) => assert_eq!(*of, codec),
        Err(CodecError::LimitExceeded { codec: of, limit: at }) => assert_eq!((*of, *at), (codec, limit)),
        Err(CodecError::Window { codec: of, .. }) => assert_eq!((*of, codec), (codec, Codec::Zstd)),
        Err(other) => panic!("{other}"),
    }
    first
}

/// Records that a producer of ours has packed, or left as they are.
pub(crate) fn inflated(codec: Codec, payload: &[u8]) -> Vec<u8> {
    if codec == Codec::None { payload.to_vec() } else { ours(codec, payload, LIMIT).expect("what ours has packed") }
}

/// At most [`LIMIT`] bytes of a stream; `None` if it is no stream of theirs, or a longer one.
fn theirs(stream: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    stream.take(LIMIT as u64 + 1).read_to_end(&mut out).ok()?;
    (out.len() <= LIMIT).then_some(out)
}

/// What they inflate, ours does; and what both do comes to the same.
fn agree(codec: Codec, src: &[u8], theirs: Option<Vec<u8>>) {
    let ours = ours(codec, src, LIMIT + SLACK);
    if let Some(theirs) = theirs {
        let ours = ours.unwrap_or_else(|error| panic!("theirs has {} bytes, and ours says: {error}", theirs.len()));
        assert!(ours == theirs, "{} bytes, and theirs are {}", ours.len(), theirs.len());
    }
}

/// Against flate2. Bytes behind the last member are an error for ours, and sometimes for theirs.
pub fn gzip(data: &[u8]) {
    let mut decoder = flate2::bufread::MultiGzDecoder::new(data);
    let out = theirs(&mut decoder).filter(|_| decoder.into_inner().is_empty());
    agree(Codec::Gzip, data, out);
}

/// Against the `snap` crate's blocks, raw and framed as Java does it.
pub fn snappy(data: &[u8]) {
    agree(Codec::Snappy, data, snap(data));
}

fn snap(data: &[u8]) -> Option<Vec<u8>> {
    const XERIAL: &[u8] = b"\x82SNAPPY\0";
    let raw = |block: &[u8]| {
        let len = snap::raw::decompress_len(block).ok().filter(|len| *len <= LIMIT)?;
        let mut out = vec![0; len];
        snap::raw::Decoder::new().decompress(block, &mut out).ok().map(|_| out)
    };
    let Some(mut rest) = data.strip_prefix(XERIAL).and_then(|rest| rest.get(8..)) else { return raw(data) };
    let mut out = Vec::new();
    while let Some((len, blocks)) = rest.split_first_chunk::<4>() {
        let (block, after) = blocks.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        out.extend(raw(block)?);
        rest = after;
        if out.len() > LIMIT {
            return None;
        }
    }
    rest.is_empty().then_some(out)
}

/// Against lz4_flex's frames.
pub fn lz4(data: &[u8]) {
    agree(Codec::Lz4, data, flex(data));
}

/// What lz4_flex makes of all frames, if they are whole: it takes the end of the input for a frame's end.
fn flex(data: &[u8]) -> Option<Vec<u8>> {
    let mut rest = data;
    while !rest.is_empty() {
        rest = behind_frame(rest)?;
    }
    let mut decoder = lz4_flex::frame::FrameDecoder::new(data);
    let mut out = Vec::new();
    // An empty block looks like the end of its frame to it, but it goes on when it is asked again.
    while !decoder.get_ref().is_empty() {
        out.extend(theirs(&mut decoder)?);
        if out.len() > LIMIT {
            return None;
        }
    }
    (!data.is_empty()).then_some(out)
}

/// What follows a frame with an end mark, by its lengths alone.
fn behind_frame(frame: &[u8]) -> Option<&[u8]> {
    let (&flags, rest) = frame.strip_prefix(b"\x04\x22\x4d\x18")?.split_first()?;
    let mut rest = rest.get(2 + if flags & 8 == 0 { 0 } else { 8 }..)?;
    loop {
        let (size, block) = rest.split_first_chunk::<4>()?;
        let size = u32::from_le_bytes(*size);
        if size == 0 {
            return block.get(if flags & 4 == 0 { 0 } else { 4 }..);
        }
        rest = block.get((size & !(1 << 31)) as usize + if flags & 16 == 0 { 0 } else { 4 }..)?;
    }
}

/// Against the C library: its stream, whose window has a limit, and its one call, which does not let an empty last block
/// hide that a frame is shorter than it says.
pub fn zstd(data: &[u8]) {
    let mut decoder = zstd::Decoder::new(data).expect("a decoder");
    decoder.window_log_max(23).expect("8 MiB");
    let out = theirs(decoder).filter(|_| !data.is_empty());
    let out = out.filter(|out| zstd::bulk::decompress(data, out.len().max(1)).is_ok_and(|again| again == *out));
    agree(Codec::Zstd, data, out);
}

/// What every codec packs at every level, in pieces, it inflates again. The first bytes choose.
pub fn round_trip(data: &[u8]) {
    let [codec, level, piece, rest @ ..] = data else { return };
    let (codec, least, levels) = match codec % 4 {
        0 => (Codec::Gzip, -1, 11),
        1 => (Codec::Snappy, 0, 1),
        2 => (Codec::Lz4, 1, 17),
        _ => (Codec::Zstd, -7, 12),
    };
    let level = least + i32::from(*level) % levels;
    let mut encoder = BuiltIn.compressor(codec, Some(level)).expect("a level of this codec");
    // Inputs of the fuzzer are small: repeated, some reach a second block.
    let content = &rest.repeat(1 + usize::from(*piece >> 5) * 8)[..];
    let mut packed = Collected(Vec::new());
    encoder.compress(&mut content.chunks(1 + usize::from(*piece) * 7), &mut packed).expect("it has no limit");
    let inflated = ours(codec, &packed.0, content.len() + SLACK);
    assert!(inflated.as_deref() == Ok(content), "{codec} at level {level}: {} bytes", content.len());
    let second = match codec {
        Codec::Gzip => theirs(flate2::bufread::MultiGzDecoder::new(&packed.0[..])),
        Codec::Snappy => snap(&packed.0),
        Codec::Lz4 => flex(&packed.0),
        _ => theirs(zstd::Decoder::new(&packed.0[..]).expect("a decoder")),
    };
    assert!(second.as_deref() == Some(content), "{codec} at level {level} for others");
}
