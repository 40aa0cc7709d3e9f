//! A script: what a broker says, and what a client must make of it.

use std::io;

use crate::{line::Line, turn::Turn, who::Who, work::Does};

/// What a broker says, what the client is asked meanwhile, and what it must make of it.
#[derive(Debug)]
pub struct Script {
    /// Its name, for command lines.
    pub name: &'static str,
    /// What the client is asked for.
    pub does: Does,
    /// What the broker does.
    pub plays: Plays,
    /// What the client must come to.
    pub verdict: Verdict,
    /// Who the client says it is.
    pub who: Who,
    /// Whether the client encrypts.
    pub encrypted: bool,
    /// Whether the client works with broker 2 meanwhile, which must succeed.
    pub beside: bool,
    /// Requests and connections that the broker gets at most: beyond that, somebody tries without a pause.
    pub most: usize,
}

/// What the broker does.
#[derive(Clone, Copy, Debug)]
pub enum Plays {
    /// This with each connection, from its first byte on.
    Line(fn(&mut Line) -> io::Result<()>),
    /// This with each request.
    Turns(fn(&mut Turn<'_>) -> io::Result<()>),
    /// The same, encrypted.
    Encrypted(fn(&mut Turn<'_>) -> io::Result<()>),
}

/// What a client must come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It does what it was asked for all the same.
    Works,
    /// This error, or one of these, separated by ` | `, as [`told`](crate::work::told) begins; or what it was asked for, where
    /// large budgets have room for what small ones refuse.
    Fails(&'static str),
    /// It goes on trying, with pauses, and its observer is told why, in words that have these in them.
    Tries(&'static str),
}

/// Requests and connections of a client that pauses between its tries.
const MOST: usize = 80;

impl Script {
    const fn new(name: &'static str, does: Does, plays: Plays, verdict: Verdict) -> Script {
        let encrypted = matches!(plays, Plays::Encrypted(_));
        Script { name, does, plays, verdict, who: Who::Nobody, encrypted, beside: false, most: MOST }
    }

    /// One that begins with a connection's first byte.
    pub const fn line(
        name: &'static str,
        does: Does,
        plays: fn(&mut Line) -> io::Result<()>,
        verdict: Verdict,
    ) -> Script {
        Script::new(name, does, Plays::Line(plays), verdict)
    }

    /// One that answers requests.
    pub const fn turns(
        name: &'static str,
        does: Does,
        plays: fn(&mut Turn<'_>) -> io::Result<()>,
        verdict: Verdict,
    ) -> Script {
        Script::new(name, does, Plays::Turns(plays), verdict)
    }

    /// One that answers requests, encrypted.
    pub const fn secure(
        name: &'static str,
        does: Does,
        plays: fn(&mut Turn<'_>) -> io::Result<()>,
        verdict: Verdict,
    ) -> Script {
        Script::new(name, does, Plays::Encrypted(plays), verdict)
    }

    /// The client works with broker 2 meanwhile.
    pub const fn beside(mut self) -> Script {
        self.beside = true;
        self
    }

    /// The client says who it is.
    pub const fn by(mut self, who: Who) -> Script {
        self.who = who;
        self
    }

    /// The client encrypts, whatever the broker does.
    pub const fn encrypted(mut self) -> Script {
        self.encrypted = true;
        self
    }

    /// The broker may get so many requests and connections.
    pub const fn most(mut self, most: usize) -> Script {
        self.most = most;
        self
    }
}
