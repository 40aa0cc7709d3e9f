//! Ranges of versions as the schemas write them.

/// An unbroken range of versions, both ends included; empty if `lo > hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Versions {
    /// The oldest.
    pub(crate) lo: i16,
    /// The newest.
    pub(crate) hi: i16,
}

impl Versions {
    /// No version at all.
    pub(crate) const NONE: Versions = Versions { lo: 0, hi: -1 };

    /// Reads `none`, `3`, `3-5` or `3+`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse().map_err(|_| format!("`{text}` is no version"));
        match text.trim() {
            "none" => Ok(Self::NONE),
            text => match (text.strip_suffix('+'), text.split_once('-')) {
                (Some(lo), _) => Ok(Self { lo: number(lo)?, hi: i16::MAX }),
                (None, Some((lo, hi))) => Ok(Self { lo: number(lo)?, hi: number(hi)? }),
                (None, None) => Ok(Self { lo: number(text)?, hi: number(text)? }),
            },
        }
    }

    /// Whether there is no version in it.
    pub(crate) fn is_empty(self) -> bool {
        self.lo > self.hi
    }

    /// Whether this version is in it.
    pub(crate) fn contains(self, version: i16) -> bool {
        (self.lo..=self.hi).contains(&version)
    }

    /// The versions in both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { lo: self.lo.max(other.lo), hi: self.hi.min(other.hi) }
    }

    /// Whether every version of this is in the other.
    pub(crate) fn within(self, other: Self) -> bool {
        self.is_empty() || (other.lo <= self.lo && self.hi <= other.hi)
    }

    /// The Rust expression that says whether `v`, which is known to be in `among`, is in this.
    pub(crate) fn test(self, among: Self) -> Test {
        let both = self.and(among);
        if both.is_empty() {
            return Test::Never;
        }
        match (both.lo > among.lo, both.hi < among.hi) {
            (false, false) => Test::Always,
            (true, false) => Test::If(format!("v >= {}", both.lo)),
            (false, true) => Test::If(format!("v <= {}", both.hi)),
            (true, true) if both.lo == both.hi => Test::If(format!("v == {}", both.lo)),
            (true, true) => Test::If(format!("({}..={}).contains(&v)", both.lo, both.hi)),
        }
    }
}

/// A condition on the version `v`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// True in every version.
    Always,
    /// False in every version.
    Never,
    /// As this expression says.
    If(String),
}

impl Test {
    /// The condition as an expression.
    pub(crate) fn expression(&self) -> String {
        match self {
            Test::Always => "true".to_owned(),
            Test::Never => "false".to_owned(),
            Test::If(condition) => condition.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Versions {
        Versions::parse(text).unwrap()
    }

    #[test]
    fn every_form() {
        assert_eq!(parse("3"), Versions { lo: 3, hi: 3 });
        assert_eq!(parse("3-5"), Versions { lo: 3, hi: 5 });
        assert_eq!(parse("3+"), Versions { lo: 3, hi: i16::MAX });
        assert!(parse("none").is_empty());
        assert!(Versions::parse("x").is_err() && Versions::parse("-1").is_err());
    }

    #[test]
    fn conditions_say_no_more_than_they_must() {
        let among = parse("2-7");
        assert_eq!(parse("0+").test(among), Test::Always);
        assert_eq!(parse("8+").test(among), Test::Never);
        assert_eq!(parse("none").test(among), Test::Never);
        assert_eq!(parse("3+").test(among).expression(), "v >= 3");
        assert_eq!(parse("0-5").test(among).expression(), "v <= 5");
        assert_eq!(parse("3-5").test(among).expression(), "(3..=5).contains(&v)");
        assert_eq!(parse("4").test(among).expression(), "v == 4");
    }
}
