//! One value, on its way to a setting.

use alloc::{format, string::String};
use core::ops::RangeInclusive;

use super::Dialect;
use crate::Error;

/// The text of a value, and by which name it was given.
pub(super) struct Value<'a> {
    pub(super) name: &'static str,
    pub(super) text: &'a str,
    /// It is not the default.
    pub(super) given: bool,
    secret: bool,
}

impl<'a> Value<'a> {
    pub(super) fn given(name: &'static str, text: &'a str, secret: bool) -> Self {
        // A password may begin with a space.
        let text = if secret { text } else { text.trim() };
        Value { name, text, given: true, secret }
    }

    pub(super) fn default_of(name: &'static str, text: &'static str) -> Self {
        Value { name, text, given: false, secret: false }
    }

    /// An error that says what was wrong, and has the value if anybody may see it.
    pub(super) fn wrong(&self, why: impl AsRef<str>) -> Error {
        let why = why.as_ref();
        if self.secret {
            return Error::config(self.name, why);
        }
        let shown: String = self.text.chars().take(80).collect();
        Error::config(self.name, format!("{shown:?}: {why}"))
    }

    /// # Errors
    /// For what is no whole number within these bounds.
    pub(super) fn number(&self, bounds: RangeInclusive<i64>) -> Result<i64, Error> {
        let (least, most) = (bounds.start(), bounds.end());
        let number = self.text.parse::<i64>().ok().filter(|n| bounds.contains(n));
        number.ok_or_else(|| self.wrong(format!("must be a whole number from {least} to {most}")))
    }

    /// A number of 31 bits, as both clients have most of theirs.
    ///
    /// # Errors
    /// For what is none, or less than `least`.
    pub(super) fn at_least(&self, least: i32) -> Result<u32, Error> {
        let number = self.number(i64::from(least)..=i64::from(i32::MAX))?;
        u32::try_from(number).map_err(|_| self.wrong("must not be negative"))
    }

    /// # Errors
    /// For what is neither.
    pub(super) fn boolean(&self, dialect: Dialect) -> Result<bool, Error> {
        match (dialect, &*self.text.to_ascii_lowercase()) {
            (_, "true") | (Dialect::Librdkafka, "t" | "1") => Ok(true),
            (_, "false") | (Dialect::Librdkafka, "f" | "0") => Ok(false),
            _ => Err(self.wrong("must be true or false")),
        }
    }

    /// # Errors
    /// For what is none of the choices.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Error> {
        let found = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(self.text));
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: alloc::vec::Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.wrong(format!("must be one of {}", names.join(", ")))
        })
    }
}
