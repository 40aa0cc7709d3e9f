//! Whether a client came to what its script says.

use std::time::Duration;

use crate::{
    front::Seen,
    script::{Script, Verdict},
};

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
        hold(!all_told.contains(crate::who::PASSWORD), "the password is in what is told")
    }
}

fn hold(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{scripts, who::PASSWORD};

    fn fails(kind: &str) -> Outcome {
        Outcome { kind: Some(kind.to_owned()), ..Outcome::default() }
    }

    fn told() -> Seen {
        let seen = Seen::default();
        seen.lied();
        seen
    }

    fn wrong(name: &str, outcome: &Outcome, seen: &Seen, took: Duration) -> Option<String> {
        scripts::named(name).expect("a script").judge(outcome, seen, took).err()
    }

    #[test]
    fn what_a_script_names_and_nothing_else() {
        let id = "id-wrong"; // Peer::Correlation
        assert_eq!(wrong(id, &fails("Peer::Correlation"), &told(), WITHIN), None);
        let works = Outcome { works: true, ..fails("connected") };
        for other in [&fails("Peer::Malformed"), &works, &Outcome::default()] {
            assert!(wrong(id, other, &told(), WITHIN).is_some_and(|why| why.starts_with("not ")), "{other:?}");
        }
        let goes_on = "id-of-a-fetch-wrong"; // Tries("correlation id")
        let log = "answered with correlation id 7".to_owned();
        assert_eq!(wrong(goes_on, &Outcome { log, ..Outcome::default() }, &told(), WITHIN), None);
        assert!(wrong(goes_on, &Outcome::default(), &told(), WITHIN).is_some());
        assert_eq!(wrong("byte-by-byte", &works, &told(), WITHIN), None);
        assert!(wrong("byte-by-byte", &fails("connected"), &told(), WITHIN).is_some());
    }

    #[test]
    fn what_is_wrong_whatever_it_came_to() {
        let (right, id) = (fails("Peer::Correlation"), "id-wrong");
        let beside = Outcome { beside: Some("late".into()), ..right.clone() };
        assert!(wrong(id, &beside, &told(), WITHIN).is_some());
        assert!(wrong(id, &right, &told(), WITHIN * 2).is_some());
        assert!(wrong(id, &right, &Seen::default(), WITHIN).is_some());
        let log = format!("who said {PASSWORD}?");
        assert!(wrong(id, &Outcome { log, ..right }, &told(), WITHIN).is_some());
    }

    #[test]
    fn a_component_prints_what_it_came_to() {
        let lines = ["fails Peer::Correlation", "words an id", "beside late", "log one", "log two"];
        let outcome = Outcome::of_lines(lines.into_iter().map(str::to_owned));
        assert_eq!((outcome.kind.as_deref(), outcome.works), (Some("Peer::Correlation"), false));
        assert_eq!((&*outcome.words, outcome.beside.as_deref(), &*outcome.log), ("an id", Some("late"), "one\ntwo\n"));
        let outcome = Outcome::of_lines(["works records".to_owned()].into_iter());
        assert_eq!((outcome.kind.as_deref(), outcome.works), (Some("records"), true));
    }
}
