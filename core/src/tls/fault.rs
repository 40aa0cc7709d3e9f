//! What rustls says, by cause.

use alloc::{format, string::String};

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use super::Known;
use crate::{Phase, TlsFault, TransportError};

/// A certificate may have a thousand names, and an error need not.
const TEXT_MAX: usize = 512;

pub(super) fn failed(error: &Error, known: Known, has_certificate: bool) -> TransportError {
    let fault = cause(error, known, has_certificate);
    // A refusal that comes when the client's part is over is one of the handshake all the same.
    let phase = match error {
        Error::AlertReceived(_) if fault != TlsFault::Protocol => Phase::Tls,
        _ => known.phase(),
    };
    let mut text = format!("{fault} ({error})");
    shorten(&mut text);
    TransportError::of_tls(phase, fault, text)
}

fn shorten(text: &mut String) {
    if text.len() > TEXT_MAX {
        let end = (0..=TEXT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

fn cause(error: &Error, known: Known, has_certificate: bool) -> TlsFault {
    match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::AlertReceived(alert) => of_alert(*alert, has_certificate),
        Error::FailedToGetCurrentTime => TlsFault::NoClock,
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) if !known.heard => TlsFault::NotTls,
        Error::InvalidMessage(
            InvalidMessage::HandshakePayloadTooLarge | InvalidMessage::CertificatePayloadTooLarge,
        ) => TlsFault::TooLarge,
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => TlsFault::Incompatible,
        Error::NoCertificatesPresented => TlsFault::BadCertificate,
        _ => TlsFault::Protocol,
    }
}

fn of_certificate(error: &CertificateError) -> TlsFault {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotValidYet,
        // A CA of the same name has signed it, with another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsFault::HostMismatch,
        _ => TlsFault::BadCertificate,
    }
}

fn of_alert(alert: AlertDescription, has_certificate: bool) -> TlsFault {
    let code = u8::from(alert);
    match alert {
        AlertDescription::CertificateRequired => TlsFault::ClientCertificateRequired,
        // Brokers of before that alert say so of the certificate that they did not get.
        AlertDescription::BadCertificate | AlertDescription::NoCertificate if !has_certificate => {
            TlsFault::ClientCertificateRequired
        }
        AlertDescription::BadCertificate
        | AlertDescription::NoCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA => TlsFault::ClientCertificateRefused(code),
        AlertDescription::BadRecordMac | AlertDescription::RecordOverflow => TlsFault::Protocol,
        AlertDescription::ProtocolVersion => TlsFault::Incompatible,
        _ => TlsFault::HandshakeAlert(code),
    }
}
