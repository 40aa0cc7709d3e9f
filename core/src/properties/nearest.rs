//! What somebody may have meant.

use alloc::{format, string::String, vec::Vec};

use super::{Dialect, keys::KEYS};
use crate::Error;

/// Longer names are compared with nothing.
const NAME_MAX: usize = 64;

/// The error for a name that this dialect does not have.
pub(super) fn unknown(dialect: Dialect, name: &str) -> Error {
    let shown: String = name.chars().take(NAME_MAX).collect();
    let other = match dialect {
        Dialect::Java => Dialect::Librdkafka,
        Dialect::Librdkafka => Dialect::Java,
    };
    let elsewhere = KEYS.iter().find(|key| key.name_in(other, name).is_some());
    let twin = elsewhere.map(|key| key.twin).filter(|twin| !twin.is_empty());
    let whose = if elsewhere.is_some() { format!("is a name of {other}") } else { "is not known".into() };
    let why = match twin.or_else(|| nearest(dialect, name).map(|(nearest, _)| nearest)) {
        Some(nearest) => format!("{shown:?} {whose}; the nearest of {dialect} is {nearest}"),
        None => format!("{shown:?} {whose}, and nothing of {dialect} is near it"),
    };
    Error::config("properties", why)
}

/// The name that differs least, and by how many letters.
pub(super) fn nearest(dialect: Dialect, name: &str) -> Option<(&'static str, usize)> {
    if name.is_empty() || name.len() > NAME_MAX {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let all = KEYS.iter().filter(|key| key.default_in(dialect).is_some()).flat_map(|key| key.names(dialect));
    all.map(|known| (known, distance(known, &name))).min_by_key(|(_, distance)| *distance)
}

/// Letters to be put in, taken out or replaced (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (place, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let above = *place;
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = above;
            *place = left;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted() {
        for (a, b, expected) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_slip_leads_to_the_right_name() {
        for (dialect, name, expected) in [
            (Dialect::Java, "linger.mss", "linger.ms"),
            (Dialect::Java, "bootstrap.server", "bootstrap.servers"),
            (Dialect::Librdkafka, "Compression.Codecs", "compression.codec"),
            (Dialect::Librdkafka, "sasl.user", "sasl.username"),
        ] {
            assert_eq!(nearest(dialect, name).map(|(name, _)| name), Some(expected));
        }
        assert_eq!(nearest(Dialect::Java, &"x".repeat(1_000)), None);
    }
}
