//! One authentication: messages in, messages out, whatever the mechanism.

use alloc::{boxed::Box, vec::Vec};

use super::{
    Message, Sasl, SaslFault, Secret, Token,
    bearer::Bearer,
    keys::{Derivation, Keys, Prf, Salt},
    scram::{Challenge, First},
};

/// What is to be done after a broker's message.
pub(crate) enum Next {
    /// Keys are needed: see [`Exchange::wants`].
    Keys(Exchange),
    /// This is to be said.
    Say(Exchange, Message),
    /// Both sides are content.
    Done,
}

/// An authentication that is under way.
pub(crate) enum Exchange {
    /// PLAIN has said everything.
    Plain,
    ScramFirst(First),
    ScramKeys(Challenge),
    ScramLast(Box<Prf>),
    Bearer(Bearer),
}

impl Exchange {
    /// What the keys that it waits for depend on.
    pub(crate) fn wants(&self) -> Option<&Salt> {
        match self {
            Exchange::ScramKeys(challenge) => Some(&challenge.salt),
            _ => None,
        }
    }

    /// Whether it waits for a token.
    pub(crate) fn wants_token(&self) -> bool {
        matches!(self, Exchange::Bearer(Bearer::Waits))
    }

    /// Whether a broker's words have a secret of this exchange in them.
    pub(super) fn is_in(&self, text: &str) -> bool {
        matches!(self, Exchange::Bearer(bearer) if bearer.is_in(text))
    }
}

/// What nobody can foresee: the randomness that the client was given, and how often it was used before.
pub(crate) struct Nonce {
    pub(crate) seed: [u8; 32],
    pub(crate) drawn: u64,
}

/// What a mechanism does.
pub(super) trait Mechanism: Sync {
    fn name(&self) -> &'static str;

    fn sends_password(&self) -> bool {
        false
    }

    fn begin(&self, sasl: &Sasl, nonce: &Nonce) -> (Exchange, Option<Message>);

    fn on_answer(&self, exchange: Exchange, answer: &[u8]) -> Result<Next, SaslFault>;

    fn derive(&self, _: &Secret, _: &Salt) -> Option<Derivation> {
        None
    }

    fn step(&self, _: &mut Derivation, _: u32) -> Option<Keys> {
        None
    }

    fn sign(&self, _: &mut Exchange, _: &Keys) -> Option<Message> {
        None
    }

    fn bear(&self, _: &mut Exchange, _: &Token) -> Result<Option<Message>, SaslFault> {
        Ok(None)
    }
}

/// PLAIN.
pub(super) struct Plain;

impl Mechanism for Plain {
    fn name(&self) -> &'static str {
        "PLAIN"
    }

    fn sends_password(&self) -> bool {
        true
    }

    fn begin(&self, sasl: &Sasl, _: &Nonce) -> (Exchange, Option<Message>) {
        // Sized first: a vector that grows leaves copies behind.
        let len = sasl.user.len().saturating_add(sasl.password.bytes().len()).saturating_add(2);
        let mut message = Message::new(Vec::with_capacity(len));
        for part in [sasl.user.as_bytes(), sasl.password.bytes()] {
            message.push(0);
            message.extend_from_slice(part);
        }
        (Exchange::Plain, Some(message))
    }

    fn on_answer(&self, _: Exchange, _: &[u8]) -> Result<Next, SaslFault> {
        Ok(Next::Done)
    }
}
