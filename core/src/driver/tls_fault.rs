//! What went wrong with TLS, by cause. It needs no TLS itself, so that programs without the feature name it all the same.

/// Why a broker and a client did not come to terms over TLS, or why what they had agreed on ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFault {
    /// What answered does not speak TLS, or hung up on it without a word: a plaintext port, usually.
    #[error("the peer does not speak TLS; is this a plaintext port?")]
    NotTls,
    /// No CA that the client trusts has signed the broker's certificate.
    #[error("the broker's certificate is not signed by a trusted CA")]
    UnknownIssuer,
    /// The broker's certificate was valid once.
    #[error("the broker's certificate has expired")]
    Expired,
    /// The broker's certificate will be valid later; or this host's clock is wrong.
    #[error("the broker's certificate is not valid yet")]
    NotValidYet,
    /// The broker's certificate is for other names than the one that the cluster advertises for it.
    #[error("the broker's certificate is for another host")]
    HostMismatch,
    /// The broker's certificate cannot be believed for another reason.
    #[error("the broker's certificate is not acceptable")]
    BadCertificate,
    /// The broker's address is no name that a certificate could be for.
    #[error("no certificate can be for this host's name")]
    HostName,
    /// Whether a certificate is valid cannot be told, because the transport does not know the time.
    #[error("a certificate's validity cannot be checked without a clock")]
    NoClock,
    /// The broker wants a certificate of the client, which has none.
    #[error("the broker wants a client certificate")]
    ClientCertificateRequired,
    /// The broker does not accept the client's certificate; the alert's code (RFC 8446, 6.2).
    #[error("the broker refused the client's certificate (alert {0})")]
    ClientCertificateRefused(u8),
    /// The broker refused for another reason; the alert's code (RFC 8446, 6.2).
    #[error("the broker refused (alert {0})")]
    HandshakeAlert(u8),
    /// No version, cipher or extension that both sides speak.
    #[error("broker and client have no version or cipher in common")]
    Incompatible,
    /// The broker's part of the handshake is larger than the client takes.
    #[error("the broker's part of the handshake is too large")]
    TooLarge,
    /// The connection ended without TLS's own goodbye: somebody on the way may have cut it.
    #[error("the connection was cut off")]
    Truncated,
    /// The peer broke TLS, or what it sent was damaged on the way.
    #[error("the peer broke TLS's rules")]
    Protocol,
}

impl TlsFault {
    /// Whether the same try may succeed later, with nothing changed.
    pub fn is_retriable(self) -> bool {
        match self {
            TlsFault::Truncated | TlsFault::Protocol => true,
            // A broker's own trouble, or somebody who stopped it.
            TlsFault::HandshakeAlert(code) => matches!(code, 80 | 90),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let passes = [TlsFault::Truncated, TlsFault::Protocol, TlsFault::HandshakeAlert(80)];
        assert!(passes.iter().all(|fault| fault.is_retriable()));
        let stays = [TlsFault::NotTls, TlsFault::Expired, TlsFault::HandshakeAlert(40), TlsFault::NoClock];
        assert!(!stays.iter().any(|fault| fault.is_retriable()));
    }
}
