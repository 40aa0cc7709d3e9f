//! The one file that knows rustls' unbuffered API, which is gone in 0.24.

use alloc::{sync::Arc, vec::Vec};

use rustls::{
    ClientConfig, Error,
    client::UnbufferedClientConnection,
    pki_types::ServerName,
    unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus},
};

/// The most plaintext of a record (RFC 8446, 5.1).
const PIECE_MAX: usize = 16 << 10;

/// A record's header.
pub(super) const HEADER: usize = 5;

/// What came of a step.
pub(super) enum Step {
    /// So many bytes are to be sent.
    Wrote(usize),
    /// There are bytes to be sent, for which there is no room.
    NoRoom,
    /// Something changed; more may.
    Again,
    /// A record's content was handed on.
    Read,
    /// The handshake waits for the peer.
    Blocked,
    /// The handshake is over, and nothing is to be done.
    Idle,
    /// The peer has said goodbye.
    PeerClosed,
}

/// One connection's TLS, without any buffers.
pub(super) struct Engine {
    connection: UnbufferedClientConnection,
    piece: usize,
}

impl Engine {
    pub(super) fn new(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Engine, Error> {
        let piece = config.max_fragment_size.map_or(PIECE_MAX, |size| size.saturating_sub(HEADER));
        let connection = UnbufferedClientConnection::new(config, name)?;
        Ok(Engine { connection, piece: piece.min(PIECE_MAX) })
    }

    /// The most plaintext that one record carries.
    pub(super) fn piece(&self) -> usize {
        self.piece
    }

    /// Does one thing with these bytes of the peer, of which at most one whole record is new, and says how many of them are
    /// of no more use. What is to be sent is put into `outgoing`; what the peer says is told to `told`.
    pub(super) fn step(
        &mut self,
        incoming: &mut [u8],
        outgoing: &mut [u8],
        told: &mut dyn FnMut(&[u8]),
    ) -> (usize, Result<Step, Error>) {
        let UnbufferedStatus { mut discard, state, .. } = self.connection.process_tls_records(incoming);
        let step = match state {
            Ok(ConnectionState::EncodeTlsData(mut data)) => match data.encode(outgoing) {
                Ok(count) => Ok(Step::Wrote(count)),
                Err(EncodeError::InsufficientSize(_)) => Ok(Step::NoRoom),
                Err(EncodeError::AlreadyEncoded) => Ok(Step::Again),
            },
            // It will be sent, in its order: that is all that rustls wants to know.
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                Ok(Step::Again)
            }
            Ok(ConnectionState::ReadTraffic(mut data)) => {
                let mut read = Ok(Step::Read);
                while let Some(record) = data.next_record() {
                    match record {
                        Ok(record) => {
                            discard = discard.saturating_add(record.discard);
                            told(record.payload);
                        }
                        Err(error) => read = Err(error),
                    }
                }
                read
            }
            Ok(ConnectionState::BlockedHandshake) => Ok(Step::Blocked),
            Ok(ConnectionState::WriteTraffic(_)) => Ok(Step::Idle),
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Ok(Step::PeerClosed),
            // Early data is for servers, and other states do not exist yet.
            Ok(_) => Err(Error::HandshakeNotComplete),
            Err(error) => Err(error),
        };
        (discard, step)
    }

    /// Puts a record with all of `plain`, which is a [`piece`](Engine::piece) at most, into `outgoing`; `None` if the
    /// engine is not idle or there is no room.
    pub(super) fn encrypt(
        &mut self,
        incoming: &mut [u8],
        plain: &[u8],
        outgoing: &mut [u8],
    ) -> Result<Option<usize>, Error> {
        match self.connection.process_tls_records(incoming).state? {
            ConnectionState::WriteTraffic(mut writer) => written(writer.encrypt(plain, outgoing)),
            _ => Ok(None),
        }
    }

    /// Puts TLS's goodbye into `outgoing`; `None` as for [`encrypt`](Engine::encrypt).
    pub(super) fn say_goodbye(&mut self, incoming: &mut [u8], outgoing: &mut [u8]) -> Result<Option<usize>, Error> {
        match self.connection.process_tls_records(incoming).state? {
            ConnectionState::WriteTraffic(mut writer) => written(writer.queue_close_notify(outgoing)),
            _ => Ok(None),
        }
    }
}

fn written(result: Result<usize, EncryptError>) -> Result<Option<usize>, Error> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(EncryptError::InsufficientSize(_)) => Ok(None),
        Err(EncryptError::EncryptExhausted) => Err(Error::EncryptError),
    }
}

/// Where the record ends that begins at `from`, if all of it is here; or its header, if that is of no record of TLS, for
/// rustls to say what is wrong with it.
pub(super) fn next_record(bytes: &[u8], from: usize) -> Option<usize> {
    let body = from.checked_add(HEADER)?;
    let [kind, major, _, high, low] = *bytes.get(from..body)?.first_chunk::<HEADER>()?;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if !(20..=24).contains(&kind) || major != 3 || len > RECORD_BODY_MAX {
        return Some(body);
    }
    let end = body.checked_add(len)?;
    (end <= bytes.len()).then_some(end)
}

/// The most that follows a record's header (RFC 5246, 6.2.3).
pub(super) const RECORD_BODY_MAX: usize = PIECE_MAX + 2_048;

/// The most bytes that a record of ours has, with a key update before it.
pub(super) const RECORD_OUT_MAX: usize = PIECE_MAX + 256;

/// The first bytes of these slices, up to so many, as one: as they lie, where the first has enough of them.
pub(super) fn gather<'a>(bufs: &[&'a [u8]], skip: usize, most: usize, copy: &'a mut Vec<u8>) -> &'a [u8] {
    let mut skip = skip;
    copy.clear();
    for (at, buf) in bufs.iter().enumerate() {
        let Some(rest) = buf.get(skip..).filter(|rest| !rest.is_empty()) else {
            skip = skip.saturating_sub(buf.len());
            continue;
        };
        skip = 0;
        let is_last = bufs.get(at + 1..).is_none_or(|later| later.iter().all(|b| b.is_empty()));
        if copy.is_empty() && (rest.len() >= most / 2 || is_last) {
            return rest.get(..most.min(rest.len())).unwrap_or_default();
        }
        let count = rest.len().min(most.saturating_sub(copy.len()));
        copy.extend_from_slice(rest.get(..count).unwrap_or_default());
        if copy.len() == most {
            break;
        }
    }
    copy
}
