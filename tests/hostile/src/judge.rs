//! Whether a client came to what its script says.

use std::{fmt::Debug, time::Duration};

use crate::{front::Seen, script::Script, script::Verdict};

/// No verdict takes longer than this.
pub const WITHIN: Duration = Duration::from_millis(3_000);

/// What a client came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The kind of its error, or what it has done; nothing while it goes on trying.
    pub kind: Option<String>,
    /// Whether it has done what it was asked for.
    pub works: bool,
    /// Its error in words.
    pub words: String,
    /// What went wrong with broker 2, if anything did.
    pub beside: Option<String>,
    /// What its observer was told.
    pub log: String,
}

impl Outcome {
    /// Of what a client prints: lines that begin with `works`, `fails`, `words`, `beside` or `log`.
    pub fn of_lines(lines: impl Iterator<Item = String>) -> Outcome {
        let mut outcome = Outcome::default();
        for line in lines {
            let (name, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match name {
                "works" => (outcome.works, outcome.kind) = (true, Some(rest.to_owned())),
                "fails" => outcome.kind = Some(rest.to_owned()),
                "words" => outcome.words = rest.to_owned(),
                "beside" => outcome.beside = Some(rest.to_owned()),
                _ => outcome.log += &format!("{rest}\n"),
            }
        }
        outcome
    }
}

impl Script {
    /// Whether a client came to what this script says, in this time.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn judge(&self, outcome: &Outcome, seen: &Seen, took: Duration) -> Result<(), String> {
        let is_right = match (self.verdict, outcome.kind.as_deref()) {
            (Verdict::Works, _) => outcome.works,
            (Verdict::Fails(kinds), Some(kind)) => kinds.split(" | ").any(|wanted| kind.starts_with(wanted)),
            (Verdict::Tries(words), None) => outcome.log.contains(words),
            _ => false,
        };
        let all_told = format!("{outcome:?}");
        hold(is_right, &format!("not {:?}", self.verdict))?;
        hold(outcome.beside.is_none(), "broker 2 was held up")?;
        hold(took <= WITHIN, &format!("{took:?} are too long"))?;
        hold(seen.lies() > 0, "nobody was lied to")?;
        hold(seen.knocks() <= self.most, &format!("{} requests and connections: no pauses", seen.knocks()))?;
        hold(seen.leaks() == 0, "the password came where it must not")?;
        hold(!all_told.contains(crate::work::PASSWORD), "the password is in what is told")
    }
}

fn hold(holds: bool, otherwise: &(impl Debug + ToString + ?Sized)) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_string()) }
}
