//! Frames: a size, a header, a body.

use alloc::vec::Vec;

use super::put::Pass;
use super::response_header::ResponseHeader;
use super::{Api, Counter, Decode, Encode, Put, Reader, WireError, Writer, request_header};

/// A message ready to be sent, but for the bytes that come in from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The size of the frame, which counts external bytes too, then the header, then the body.
    pub bytes: Vec<u8>,
    /// Where external bytes come in, in order; one for each `records` field that is not null, even if it is empty.
    pub splits: Vec<Split>,
}

/// A place in a [`Frame`] where external bytes come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// How many of the frame's own bytes come before it.
    pub at: usize,
    /// How many external bytes come in.
    pub len: usize,
}

/// The header of a request as a broker reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// Which API is asked.
    pub api_key: i16,
    /// In which version; it may be one that we do not know.
    pub version: i16,
    /// What the answer has to repeat.
    pub correlation_id: i32,
    /// The name that the client gives itself.
    pub client_id: Option<&'a str>,
}

/// A request as it goes out.
///
/// Errors: those of [`Encode::encode`], [`WireError::TooLong`] beyond 2³¹ − 1 bytes, [`WireError::NoMemory`].
pub fn request_frame<R: Encode>(
    body: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<Frame, WireError> {
    request_frame_in(Frame::default(), body, version, correlation_id, client_id)
}

/// The same in the memory of a frame that nobody needs any more.
pub fn request_frame_in<R: Encode>(
    memory: Frame,
    body: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<Frame, WireError> {
    let head = request_header::RequestHeader {
        request_api_key: R::API.key,
        request_api_version: version,
        correlation_id,
        client_id,
    };
    let head_version = R::API.request_header_version(version);
    frame(memory, &|out| head.encode(out, head_version), &|out| body.encode(out, version))
}

/// A response as a broker sends it. Errors: those of [`request_frame`].
pub fn response_frame<R: Encode>(body: &R, version: i16, correlation_id: i32) -> Result<Frame, WireError> {
    let tagged = R::API.response_header_version(version) == 1;
    let head = |out: &mut Pass| {
        out.put(&correlation_id.to_be_bytes());
        if tagged {
            out.tag_count(0);
        }
        Ok(())
    };
    frame(Frame::default(), &head, &|out| body.encode(out, version))
}

/// What puts the header or the body of a frame.
type Puts<'a> = &'a dyn Fn(&mut Pass) -> Result<(), WireError>;

/// The same code for every message: a program has it once.
fn frame(memory: Frame, head: Puts<'_>, body: Puts<'_>) -> Result<Frame, WireError> {
    let mut pass = Pass::Count(Counter::default());
    let mut memory = Some(memory);
    loop {
        head(&mut pass)?;
        body(&mut pass)?;
        match pass {
            Pass::Count(counted) => pass = Pass::Write(begin(memory.take().unwrap_or_default(), counted)?),
            Pass::Write(Writer { bytes, splits }) => return Ok(Frame { bytes, splits }),
        }
    }
}

/// Memory for what was counted, with the frame's size in it.
fn begin(memory: Frame, mut counted: Counter) -> Result<Writer, WireError> {
    let size = i32::try_from(counted.total()).map_err(|_| WireError::TooLong { what: "a frame" })?;
    counted.put(&size.to_be_bytes());
    let mut writer = Writer::reserve_in(memory, &counted)?;
    writer.put(&size.to_be_bytes());
    Ok(writer)
}

/// Reads the header of a response to a request of this API and version, and gives its correlation id.
pub fn read_response_header(r: &mut Reader<'_>, api: Api, version: i16) -> Result<i32, WireError> {
    Ok(ResponseHeader::decode(r, api.response_header_version(version))?.correlation_id)
}

/// Reads the header of a request, which may be of a version that we do not know.
///
/// Errors: [`WireError::Unsupported`] for an API that we do not know, because then its header is not known either;
/// any other for malformed bytes.
pub fn read_request_header<'a>(r: &mut Reader<'a>) -> Result<RequestHeader<'a>, WireError> {
    let (api_key, version) = (r.i16()?, r.i16()?);
    let correlation_id = r.i32()?;
    let api = Api::find(api_key).ok_or(WireError::Unsupported { api: "an unknown API", version })?;
    // The client id keeps its old form in the flexible header, so that every broker can read it.
    let client_id = r.nullable_string()?;
    if api.is_flexible(version) {
        r.skip_tagged_fields()?;
    }
    Ok(RequestHeader { api_key, version, correlation_id, client_id })
}

impl Frame {
    /// The whole frame in one piece, with these external bytes; for tests and for a broker in memory.
    ///
    /// Errors: [`WireError::Length`] when they are not what the splits say; [`WireError::NoMemory`].
    pub fn join(&self, external: &[&[u8]]) -> Result<Vec<u8>, WireError> {
        const WHAT: &str = "an external part";
        let len = external.iter().fold(self.bytes.len(), |sum, part| sum.saturating_add(part.len()));
        let mut whole = Vec::new();
        whole.try_reserve_exact(len).map_err(|_| WireError::NoMemory { bytes: len })?;
        if external.len() != self.splits.len() {
            return Err(WireError::Length { what: "a list of external parts", len: external.len() as i64 });
        }
        let mut own = Reader::new(&self.bytes);
        for (split, part) in self.splits.iter().zip(external) {
            if split.len != part.len() {
                return Err(WireError::Length { what: WHAT, len: part.len() as i64 });
            }
            let done = self.bytes.len().saturating_sub(own.remaining());
            whole.extend_from_slice(own.take(split.at.saturating_sub(done))?);
            whole.extend_from_slice(part);
        }
        whole.extend_from_slice(own.rest());
        Ok(whole)
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
