//! OAUTHBEARER: a token that somebody else has given (RFC 7628, KIP-255), with extensions (KIP-342).

use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, future::Future, pin::Pin};

use super::{
    Message, Sasl, SaslFault, Secret,
    exchange::{Exchange, Mechanism, Next, Nonce},
};

/// The most bytes of a token and its extensions.
pub(super) const TOKEN_MAX: usize = 8_000;

/// What parts of a message end with.
const END: u8 = 1;

/// A token, as an OAuth 2 server gives it, and what a broker is told beside it.
#[derive(Clone)]
pub struct Token {
    token: Secret,
    extensions: Vec<(String, String)>,
}

impl Token {
    /// A token: a JWT, mostly. With its extensions it may have 8,000 bytes.
    pub fn new(token: impl Into<Secret>) -> Self {
        Token { token: token.into(), extensions: Vec::new() }
    }

    /// Tells the broker something besides (KIP-342): `logicalCluster` and `identityPoolId` on Confluent Cloud, say.
    #[must_use]
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extensions.push((name.into(), value.into()));
        self
    }

    /// What cannot be said to a broker (RFC 7628, section 3.1).
    fn wrong(&self) -> Option<&'static str> {
        let parts =
            self.extensions.iter().map(|(name, value)| name.len().saturating_add(value.len()).saturating_add(2));
        let len = parts.fold(self.token.bytes().len(), usize::saturating_add);
        let is_token = |c: &u8| c.is_ascii_alphanumeric() || b"-._~+/=".contains(c);
        let is_value = |c: u8| c.is_ascii_graphic() || b" \t\r\n".contains(&c);
        if self.token.bytes().is_empty() || !self.token.bytes().iter().all(is_token) {
            return Some("the token is not one: it is empty, or has characters that no token has");
        }
        for (name, value) in &self.extensions {
            if name.is_empty() || !name.bytes().all(|c| c.is_ascii_alphabetic()) || name == "auth" {
                return Some("an extension's name is not made of letters, or is auth");
            }
            if !value.bytes().all(is_value) {
                return Some("an extension's value has characters that cannot be said");
            }
        }
        (len > TOKEN_MAX).then_some("the token and its extensions have more than 8,000 bytes")
    }

    fn message(&self) -> Message {
        // Sized first: a vector that grows leaves copies behind.
        let mut message = Message::new(Vec::with_capacity(TOKEN_MAX.saturating_add(64)));
        message.extend_from_slice(b"n,,\x01auth=Bearer ");
        message.extend_from_slice(self.token.bytes());
        message.push(END);
        for (name, value) in &self.extensions {
            for part in [name.as_bytes(), b"=", value.as_bytes(), &[END]] {
                message.extend_from_slice(part);
            }
        }
        message.push(END);
        message
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

/// Why there is no token. It is asked for again as long as a connection may take, unless it is a [`TokenRefused`].
pub type TokenError = Box<dyn core::error::Error + Send + Sync>;

/// Why there is no token, and why asking again does not help: the client's secret is wrong, say. Whoever waits for the connection
/// is told at once, with [`SaslFault::TokenRefused`], as of a password that the broker refuses.
///
/// ```
/// use klamm::sasl::{Token, TokenError, TokenRefused};
/// async fn token() -> Result<Token, TokenError> {
///     Err(TokenRefused::new("invalid_client").into())
/// }
/// ```
#[derive(Debug)]
pub struct TokenRefused(TokenError);

impl TokenRefused {
    /// With this reason, whose text goes into the fault: it must have no secret in it.
    pub fn new(why: impl Into<TokenError>) -> TokenRefused {
        TokenRefused(why.into())
    }

    /// The reason.
    pub fn why(&self) -> &TokenError {
        &self.0
    }
}

impl fmt::Display for TokenRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for TokenRefused {}

/// What a connection is told where there is no token.
pub(crate) fn fault_of(error: &TokenError) -> SaslFault {
    let why = error.to_string();
    if error.is::<TokenRefused>() { SaslFault::TokenRefused { why } } else { SaslFault::NoToken { why } }
}

/// A token that is being got.
pub type TokenFuture = Pin<Box<dyn Future<Output = Result<Token, TokenError>> + Send>>;

/// Where tokens come from. Closures that answer a future are such:
///
/// ```
/// use klamm::sasl::{Sasl, Token, TokenError};
/// async fn token() -> Result<Token, TokenError> {
///     // From a server, by an HTTP client of the program's choice.
///     Ok(Token::new("eyJhbGciOi…".replace('…', "")))
/// }
/// let sasl = Sasl::oauthbearer(token);
/// ```
pub trait TokenSource: Send + Sync {
    /// Begins to get a token that is good for some time yet. Asked before a connection's first request, and again before
    /// a session ends; connections that begin at the same time share one answer. A source that keeps a token until shortly
    /// before it expires spares its server. One that can have none for good answers a [`TokenRefused`].
    ///
    /// The driver polls the future, so it must not block. It is not asked twice at once, and is given up when the client
    /// ends; how long a connection waits for it is `connect_timeout_ms`, or `request_timeout_ms` when a session is renewed.
    fn token(&self) -> TokenFuture;
}

impl<F, T> TokenSource for F
where
    F: Fn() -> T + Send + Sync,
    T: Future<Output = Result<Token, TokenError>> + Send + 'static,
{
    fn token(&self) -> TokenFuture {
        Box::pin(self())
    }
}

/// An exchange by OAUTHBEARER.
pub(crate) enum Bearer {
    /// There is no token yet.
    Waits,
    /// The token was said.
    Said(Token),
    /// The broker has explained why it refuses, and was told that this was heard.
    Refused(Token),
}

impl Bearer {
    /// Whether a broker's words have the token in them.
    pub(super) fn is_in(&self, text: &str) -> bool {
        match self {
            Bearer::Waits => false,
            Bearer::Said(token) | Bearer::Refused(token) => token.token.is_in(text),
        }
    }
}

pub(super) struct OauthBearer;

impl Mechanism for OauthBearer {
    fn name(&self) -> &'static str {
        "OAUTHBEARER"
    }

    fn sends_password(&self) -> bool {
        true
    }

    fn begin(&self, _: &Sasl, _: &Nonce) -> (Exchange, Option<Message>) {
        (Exchange::Bearer(Bearer::Waits), None)
    }

    fn on_answer(&self, exchange: Exchange, answer: &[u8]) -> Result<Next, SaslFault> {
        match exchange {
            Exchange::Bearer(Bearer::Said(_)) if answer.is_empty() => Ok(Next::Done),
            // The broker says why, waits for this, and only then refuses (RFC 7628, section 3.2.3).
            Exchange::Bearer(Bearer::Said(token)) => {
                Ok(Next::Say(Exchange::Bearer(Bearer::Refused(token)), Message::new(Vec::from([END]))))
            }
            _ => Err(SaslFault::Malformed { what: "a token was refused and then taken" }),
        }
    }

    fn bear(&self, exchange: &mut Exchange, token: &Token) -> Result<Option<Message>, SaslFault> {
        let Exchange::Bearer(bearer @ Bearer::Waits) = exchange else { return Ok(None) };
        if let Some(why) = token.wrong() {
            return Err(SaslFault::NoToken { why: why.into() });
        }
        *bearer = Bearer::Said(token.clone());
        Ok(Some(token.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_and_its_extensions_as_rfc_7628_has_them() {
        let token = Token::new("ab.c-d_e~f+g/h==").extension("traceId", "123").extension("pool", "a b");
        assert_eq!(token.wrong(), None);
        assert_eq!(&**token.message(), b"n,,\x01auth=Bearer ab.c-d_e~f+g/h==\x01traceId=123\x01pool=a b\x01\x01");
        assert_eq!(alloc::format!("{token:?}"), "Token { .. }");
    }

    #[test]
    fn what_cannot_be_said_is_no_token() {
        let good = || Token::new("abc");
        for (wrong, word) in [
            (Token::new(""), "empty"),
            (Token::new("a b"), "characters"),
            (Token::new("a\x01b"), "characters"),
            (Token::new("é"), "characters"),
            (good().extension("auth", "x"), "auth"),
            (good().extension("", "x"), "letters"),
            (good().extension("a1", "x"), "letters"),
            (good().extension("a", "\x01"), "value"),
            (good().extension("a", "x".repeat(TOKEN_MAX)), "8,000"),
            (Token::new("x".repeat(TOKEN_MAX + 1)), "8,000"),
        ] {
            assert!(wrong.wrong().is_some_and(|why| why.contains(word)), "{word}");
        }
        assert_eq!(Token::new("x".repeat(TOKEN_MAX)).wrong(), None);
    }
}
