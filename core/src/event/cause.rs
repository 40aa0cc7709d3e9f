//! Why something failed, without what a broker says in its own words.

use core::fmt;

use crate::{Error, ErrorCode, TransportError, error::Span};

/// Why something failed, as far as a log may have it.
///
/// A broker's code is in it and what was asked, but not the text that the broker adds: it may repeat a part of a record.
#[derive(Clone, Copy)]
pub struct Cause<'a>(Why<'a>);

#[derive(Clone, Copy)]
enum Why<'a> {
    Transport(&'a TransportError),
    Error(&'a Error),
}

impl<'a> Cause<'a> {
    /// The broker's code, if a broker refused.
    pub fn code(&self) -> Option<ErrorCode> {
        match self.0 {
            Why::Error(Error::Broker { code, .. }) => Some(*code),
            _ => None,
        }
    }
}

impl<'a> From<&'a Error> for Cause<'a> {
    fn from(error: &'a Error) -> Self {
        Cause(Why::Error(error))
    }
}

impl<'a> From<&'a TransportError> for Cause<'a> {
    fn from(error: &'a TransportError) -> Self {
        Cause(Why::Transport(error))
    }
}

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // What rustls says has names of the peer's certificate in it.
            Why::Transport(TransportError { phase, tls: Some(fault), .. }) => write!(f, "{phase} failed: {fault}"),
            Why::Transport(error) => error.fmt(f),
            Why::Error(Error::Broker { code, what, .. }) => write!(f, "{what}: {code}"),
            Why::Error(Error::TooLarge { what, because, .. }) => {
                write!(f, "{what} is too large: {}", Cause::from(&**because))
            }
            Why::Error(Error::Unanswered { what, because }) => {
                write!(f, "{what} got no answer, and has no more tries (retries): {}", Cause::from(&**because))
            }
            Why::Error(Error::TimedOut { what, after, knob, because: Some(because), .. }) => {
                write!(f, "{what} did not finish within {} ({knob}): {}", Span(after), Cause::from(&**because))
            }
            #[cfg(feature = "sasl")]
            Why::Error(Error::Authentication { address, mechanism, fault }) => {
                write!(f, "{address}: {mechanism}: ")?;
                fault.write_plain(f)
            }
            Why::Error(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Cause<'_> {
    /// In words, as they are made here: errors have texts of a transport's own in them.
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::Display2Format(self).format(f);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, TlsFault};
    use alloc::string::ToString;

    #[test]
    fn a_certificates_names_are_in_no_log() {
        let error = TransportError::of_tls(Phase::Tls, TlsFault::HostMismatch, "valid for secret.example");
        let said = Cause::from(&error).to_string();
        assert_eq!(said, "TLS handshake failed: the broker's certificate is for another host");
    }
}
