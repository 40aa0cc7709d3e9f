//! The text of a `.properties` file, as Java reads it.

use alloc::{format, string::String, vec::Vec};
use core::iter::Peekable;

use crate::Error;

/// The pairs of a `.properties` file: comments behind `#` and `!`, `=`, `:` or a space between name and value, backslashes at the
/// ends of lines that go on, `\n`, `\u00e4` and the like. (librdkafka has no files of its own; programs on it mostly have this
/// form, too.)
///
/// # Errors
/// [`Error::Config`] with the number of the line for an escape that is none; nothing of the line itself, which may be secret.
pub fn pairs_of_text(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let mut whole = String::from(line.trim_start_matches(BLANKS));
        if whole.is_empty() || whole.starts_with(['#', '!']) {
            continue;
        }
        while goes_on(&whole) {
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.push_str(next.trim_start_matches(BLANKS));
        }
        let wrong = || Error::config("properties", format!("line {}: an escape that is none", at + 1));
        pairs.push(pair(&whole).ok_or_else(wrong)?);
    }
    Ok(pairs)
}

const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

/// An odd number of backslashes at the end: the last is no character that was escaped.
fn goes_on(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn pair(line: &str) -> Option<(String, String)> {
    let mut rest = line.chars().peekable();
    let mut name = String::new();
    while let Some(c) = rest.next_if(|c| !BLANKS.contains(c) && !matches!(c, '=' | ':')) {
        name.push(unescaped(c, &mut rest)?);
    }
    let skip = |rest: &mut Peekable<core::str::Chars<'_>>| while rest.next_if(|c| BLANKS.contains(c)).is_some() {};
    skip(&mut rest);
    if rest.next_if(|c| matches!(c, '=' | ':')).is_some() {
        skip(&mut rest);
    }
    let mut value = String::new();
    while let Some(c) = rest.next() {
        value.push(unescaped(c, &mut rest)?);
    }
    Some((name, value))
}

fn unescaped(c: char, rest: &mut Peekable<core::str::Chars<'_>>) -> Option<char> {
    if c != '\\' {
        return Some(c);
    }
    Some(match rest.next()? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'f' => '\u{c}',
        'u' => {
            let first = unit(rest)?;
            if !(0xd800..0xdc00).contains(&first) {
                return char::from_u32(first);
            }
            // What is beyond 16 bits is two escapes, as it is two characters in Java.
            rest.next_if_eq(&'\\')?;
            rest.next_if_eq(&'u')?;
            let second = unit(rest)?.checked_sub(0xdc00)?;
            char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second)?
        }
        other => other,
    })
}

fn unit(rest: &mut Peekable<core::str::Chars<'_>>) -> Option<u32> {
    (0..4).try_fold(0, |unit, _| Some(unit << 4 | rest.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `java.util.Properties` describes it.
    #[test]
    fn a_file_is_read_as_java_reads_it() {
        let text = "# a comment\n  ! another\n\nTruth = Beauty\n  Truth:Beauty\nTruth\t\tBeauty\n\
                    fruits   apple, banana, \\\n      pear, \\\n      mango\nempty\n\
                    a\\:b\\=c\\ d = x\\u00e4\\ud83d\\ude00\\n\\q\nends=two\\\\\nnext: y=z \nlast=\\";
        let expected = [
            ("Truth", "Beauty"),
            ("Truth", "Beauty"),
            ("Truth", "Beauty"),
            ("fruits", "apple, banana, pear, mango"),
            ("empty", ""),
            ("a:b=c d", "xä😀\nq"),
            ("ends", "two\\"),
            ("next", "y=z "),
            ("last", ""),
        ];
        let pairs = pairs_of_text(text).expect("sound");
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, expected);
    }

    #[test]
    fn an_escape_that_is_none_is_told_by_its_line() {
        for wrong in ["a=\\u12", "a=\\u12x4", "a=\\ud83d", "a=\\ud83dx", "a=\\ud83d\\u0041", "a=\\udc00"] {
            let text = format!("# one\n{wrong}");
            let Err(Error::Config { why, .. }) = pairs_of_text(&text) else { panic!("{wrong}") };
            assert_eq!(why, "line 2: an escape that is none");
        }
    }
}
