//! One authentication: messages in, messages out, whatever the mechanism.

use alloc::{boxed::Box, vec::Vec};

use super::{
    Message, Nonces, Sasl, SaslFault,
    keys::{Keys, Prf, Salt},
    scram::{self, Challenge, First},
};

/// What is to be done after a broker's message.
pub(crate) enum Next {
    /// Keys are needed: see [`Exchange::wants`].
    Keys(Exchange),
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
}

impl Exchange {
    /// Begins, with the client's first message.
    pub(crate) fn begin(sasl: &Sasl, nonces: &mut Nonces) -> (Exchange, Message) {
        match sasl {
            Sasl::Plain { user, password } => {
                // Sized first: a vector that grows leaves copies behind.
                let len = user.len().saturating_add(password.bytes().len()).saturating_add(2);
                let mut message = Message::new(Vec::with_capacity(len));
                for part in [user.as_bytes(), password.bytes()] {
                    message.push(0);
                    message.extend_from_slice(part);
                }
                (Exchange::Plain, message)
            }
            Sasl::Scram { user, .. } => {
                let first = First::new(user, &nonces.draw());
                let message = first.message();
                (Exchange::ScramFirst(first), message)
            }
        }
    }

    /// Takes the broker's answer to the last message.
    ///
    /// # Errors
    /// Whatever is wrong with it. The exchange is of no more use then.
    pub(crate) fn on_answer(self, answer: &[u8]) -> Result<Next, SaslFault> {
        match self {
            Exchange::Plain => Ok(Next::Done),
            Exchange::ScramFirst(first) => Ok(Next::Keys(Exchange::ScramKeys(first.on_answer(answer)?))),
            Exchange::ScramKeys(_) => Err(SaslFault::Malformed { what: "not asked for" }),
            Exchange::ScramLast(expected) => {
                scram::check_signature(answer, *expected)?;
                Ok(Next::Done)
            }
        }
    }

    /// What the keys that it waits for depend on.
    pub(crate) fn wants(&self) -> Option<&Salt> {
        match self {
            Exchange::ScramKeys(challenge) => Some(&challenge.salt),
            _ => None,
        }
    }

    /// Goes on with these keys, if it waits for them.
    pub(crate) fn sign(&mut self, keys: &Keys) -> Option<Message> {
        let Exchange::ScramKeys(challenge) = self else { return None };
        let (message, expected) = challenge.sign(keys);
        *self = Exchange::ScramLast(Box::new(expected));
        Some(message)
    }
}
