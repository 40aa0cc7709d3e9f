//! The one file that knows rustls' unbuffered API, which is gone in 0.24.

use alloc::{vec, vec::Vec};

use rustls::{
    ClientConfig, Error,
    client::UnbufferedClientConnection,
    pki_types::ServerName,
    unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus},
};

use super::{
    Known,
    fault::failed,
    records::{HEADER, PIECE_MAX},
};
use crate::{TransportError, sync::Arc};

/// What came of a step.
pub(super) enum Step {
    /// So many bytes are to be sent.
    Wrote(usize),
    /// These are to be sent, and there was no room for them: rustls gives them once.
    Spilled(Vec<u8>),
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

/// One connection's TLS, without any buffers. Reached through this table only, so that a program that makes no settings of TLS
/// has none of rustls in it.
pub(super) trait Engine: Send {
    /// The most plaintext that one record carries.
    fn piece(&self) -> usize;

    /// Does one thing with these bytes of the peer, of which at most one whole record is new, and says how many of them are
    /// of no more use. What is to be sent is put into `outgoing`; what the peer says is told to `told`.
    fn step(
        &mut self,
        known: Known,
        incoming: &mut [u8],
        outgoing: &mut [u8],
        told: &mut dyn FnMut(&[u8]),
    ) -> (usize, Result<Step, TransportError>);

    /// Puts a record with all of `plain`, which is a [`piece`](Engine::piece) at most, into `outgoing`; `None` if the
    /// engine is not idle or there is no room.
    fn encrypt(
        &mut self,
        known: Known,
        incoming: &mut [u8],
        plain: &[u8],
        outgoing: &mut [u8],
    ) -> Result<Option<usize>, TransportError>;

    /// Puts TLS's goodbye into `outgoing`; `None` as for [`encrypt`](Engine::encrypt).
    fn say_goodbye(&mut self, incoming: &mut [u8], outgoing: &mut [u8]) -> Option<usize>;
}

pub(super) struct Rustls {
    connection: UnbufferedClientConnection,
    piece: usize,
    has_certificate: bool,
}

impl Rustls {
    pub(super) fn new(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Rustls, TransportError> {
        let piece = config.max_fragment_size.map_or(PIECE_MAX, |size| size.saturating_sub(HEADER)).min(PIECE_MAX);
        let has_certificate = config.client_auth_cert_resolver.has_certs();
        match UnbufferedClientConnection::new(config, name) {
            Ok(connection) => Ok(Rustls { connection, piece, has_certificate }),
            Err(error) => Err(failed(&error, Known::default(), has_certificate)),
        }
    }

    fn one_step(
        &mut self,
        incoming: &mut [u8],
        outgoing: &mut [u8],
        told: &mut dyn FnMut(&[u8]),
    ) -> (usize, Result<Step, Error>) {
        let UnbufferedStatus { mut discard, state, .. } = self.connection.process_tls_records(incoming);
        let step = match state {
            Ok(ConnectionState::EncodeTlsData(mut data)) => match data.encode(outgoing) {
                Ok(count) => Ok(Step::Wrote(count)),
                Err(EncodeError::InsufficientSize(size)) => {
                    let mut spilled = vec![0; size.required_size];
                    data.encode(&mut spilled).map(|_| Step::Spilled(spilled)).map_err(|_| Error::EncryptError)
                }
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
}

impl Engine for Rustls {
    fn piece(&self) -> usize {
        self.piece
    }

    fn step(
        &mut self,
        known: Known,
        incoming: &mut [u8],
        outgoing: &mut [u8],
        told: &mut dyn FnMut(&[u8]),
    ) -> (usize, Result<Step, TransportError>) {
        let (discard, step) = self.one_step(incoming, outgoing, told);
        (discard, step.map_err(|error| failed(&error, known, self.has_certificate)))
    }

    fn encrypt(
        &mut self,
        known: Known,
        incoming: &mut [u8],
        plain: &[u8],
        outgoing: &mut [u8],
    ) -> Result<Option<usize>, TransportError> {
        let sealed = match self.connection.process_tls_records(incoming).state {
            Ok(ConnectionState::WriteTraffic(mut writer)) => written(writer.encrypt(plain, outgoing)),
            Ok(_) => Ok(None),
            Err(error) => Err(error),
        };
        sealed.map_err(|error| failed(&error, known, self.has_certificate))
    }

    fn say_goodbye(&mut self, incoming: &mut [u8], outgoing: &mut [u8]) -> Option<usize> {
        match self.connection.process_tls_records(incoming).state {
            Ok(ConnectionState::WriteTraffic(mut writer)) => writer.queue_close_notify(outgoing).ok(),
            _ => None,
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
