//! One Rust source: its text, and the same text with everything blank that is no code.

/// A source and the views that the rules need of it. All views have the same length and lines as the text.
pub struct Source {
    /// From the project's root.
    pub path: String,
    /// As it is.
    pub text: String,
    /// Comments and the contents of strings and characters are blank.
    pub code: String,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its `fn`, from 1.
    pub line: usize,
    /// Lines from `fn` to the closing brace, both counted.
    pub lines: usize,
    /// It has an attribute like `#[test]` or `#[tokio::test]`.
    pub is_test: bool,
}

impl Source {
    /// Takes a source apart.
    pub fn new(path: String, text: String) -> Source {
        let code = blank_non_code(&text);
        Source { path, text, code }
    }

    /// The code without items under a `cfg` attribute that `left_out` chooses by its condition's text.
    pub fn code_without(&self, left_out: impl Fn(&str) -> bool) -> String {
        let mut code = self.code.clone().into_bytes();
        for (start, condition) in self.cfgs() {
            if left_out(condition) {
                let end = item_end(self.code.as_bytes(), start);
                code[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
            }
        }
        String::from_utf8(code).expect("only whole items were blanked")
    }

    /// Modules in files of their own (`mod name;`) under a `cfg` that `chosen` chooses.
    pub fn file_modules(&self, chosen: impl Fn(&str) -> bool) -> Vec<String> {
        let mut names = Vec::new();
        for (start, _) in self.cfgs().into_iter().filter(|(_, condition)| chosen(condition)) {
            let item = &self.code[start..item_end(self.code.as_bytes(), start)];
            let declaration = item.rsplit(']').next().unwrap_or("").trim();
            let name = declaration.strip_suffix(';').and_then(|declaration| declaration.split_once("mod "));
            names.extend(name.map(|(_, name)| name.trim().to_owned()));
        }
        names
    }

    /// Where each `#[cfg(…)]` starts, and its condition.
    fn cfgs(&self) -> Vec<(usize, &str)> {
        let found = self.code.match_indices("#[cfg(").map(|(start, head)| {
            let open = start + head.len();
            let length = self.code[open..].find(")]").unwrap_or(0);
            (start, &self.text[open..open + length])
        });
        found.collect()
    }

    /// Every function that has a body.
    pub fn functions(&self) -> Vec<Function> {
        let code = self.code.as_bytes();
        let mut found = Vec::new();
        for at in words(&self.code, "fn") {
            let name: String = self.code[at + 2..].trim_start().chars().take_while(|c| is_word(*c)).collect();
            if name.is_empty() {
                continue; // a function's type
            }
            let Some(open) = body_start(code, at) else { continue };
            let end = block_end(code, open);
            found.push(Function {
                name,
                line: line_of(&self.code, at),
                lines: self.code[at..end].matches('\n').count() + 1,
                is_test: self.has_test_attribute(at),
            });
        }
        found
    }

    fn has_test_attribute(&self, at: usize) -> bool {
        let before = &self.code[..at];
        let from = before.rfind(['}', ';', '{']).map_or(0, |end| end + 1);
        before[from..].split("#[").skip(1).any(|attribute| {
            let path: String = attribute.chars().take_while(|c| is_word(*c) || *c == ':').collect();
            path.rsplit("::").next() == Some("test")
        })
    }
}

/// The line, from 1, of a byte of the text.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands as a whole word.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let whole = move |at: &usize| !code[..*at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word);
    code.match_indices(word).map(|(at, _)| at).filter(whole)
}

/// The brace that opens the body of the function at `at`; `None` when a `;` ends it first.
fn body_start(code: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, byte) in code.iter().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' if depth == 0 => return Some(i),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Behind the brace that closes the block opened at `open`.
fn block_end(code: &[u8], open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, byte) in code.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    code.len()
}

/// Behind the item, field, variant or statement whose first attribute starts at `start`.
fn item_end(code: &[u8], start: usize) -> usize {
    let ends_at_comma = !is_item(&code[start..]);
    let mut depth = 0_usize;
    for (i, byte) in code.iter().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' if depth > 0 => depth -= 1,
            b'{' if depth == 0 => return block_end(code, i),
            b';' if depth == 0 => return i + 1,
            b',' if depth == 0 && ends_at_comma => return i + 1,
            b'}' if depth == 0 => return i,
            _ => {}
        }
    }
    code.len()
}

/// Whether an item or a statement stands behind the attributes, and not a field or a variant, which end at a comma.
fn is_item(code: &[u8]) -> bool {
    let mut rest = String::from_utf8_lossy(code).into_owned();
    while let Some(attribute) = rest.trim_start().strip_prefix("#[") {
        let end = attribute.find(']').map_or(attribute.len(), |end| end + 1);
        rest = attribute[end..].to_owned();
    }
    let rest = rest.trim_start();
    let rest = rest.strip_prefix("pub").map_or(rest, |rest| rest.trim_start());
    let rest =
        if rest.starts_with('(') { rest.split_once(')').map_or("", |(_, rest)| rest.trim_start()) } else { rest };
    let word: String = rest.chars().take_while(|c| is_word(*c)).collect();
    let items = "async const enum extern fn impl let mod static struct trait type unsafe use";
    items.split(' ').any(|item| item == word)
}

/// The text with comments, and the contents of strings and characters, replaced by blanks.
fn blank_non_code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut i = 0;
    while i < bytes.len() {
        let rest = &bytes[i..];
        let (skip, length, tail) = if rest.starts_with(b"//") {
            (0, rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()), 0)
        } else if rest.starts_with(b"/*") {
            (0, block_comment(rest), 0)
        } else if let Some(parts) = raw_string(text, i) {
            parts
        } else if rest[0] == b'"' {
            (1, quoted(rest, b'"'), 1)
        } else if rest[0] == b'\'' && is_character(text, i) {
            (1, quoted(rest, b'\''), 1)
        } else {
            i += 1;
            continue;
        };
        let end = (i + length).min(bytes.len());
        let inner = (i + skip).min(end)..end.saturating_sub(tail).max((i + skip).min(end));
        out[inner].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        i = end;
    }
    String::from_utf8(out).expect("whole characters were blanked")
}

/// The length of a block comment, which may hold others.
fn block_comment(bytes: &[u8]) -> usize {
    let (mut depth, mut i) = (0_usize, 0);
    while i < bytes.len() {
        if bytes[i..].starts_with(b"/*") {
            (depth, i) = (depth + 1, i + 2);
        } else if bytes[i..].starts_with(b"*/") {
            (depth, i) = (depth - 1, i + 2);
            if depth == 0 {
                break;
            }
        } else {
            i += 1;
        }
    }
    i
}

/// `r"…"`, `br#"…"#` and the like: the lengths of the head with its quote, of the whole, and of the tail with its quote.
fn raw_string(text: &str, at: usize) -> Option<(usize, usize, usize)> {
    let rest = &text.as_bytes()[at..];
    let letters = rest.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    if !matches!(&rest[..letters], b"r" | b"br" | b"cr") || text[..at].ends_with(is_word) {
        return None;
    }
    let hashes = rest[letters..].iter().take_while(|b| **b == b'#').count();
    let head = letters + hashes + 1;
    if rest.get(head - 1) != Some(&b'"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let length = text[at + head..].find(&close).map_or(rest.len(), |end| head + end + close.len());
    Some((head, length, close.len()))
}

/// The length of what starts with a quote, up to the next one that no backslash hides.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut i = 1;
    while i < bytes.len() && bytes[i] != quote {
        i += if bytes[i] == b'\\' { 2 } else { 1 };
    }
    i + 1
}

/// Whether the apostrophe opens a character, and not a lifetime or a label.
fn is_character(text: &str, at: usize) -> bool {
    let mut rest = text[at + 1..].chars();
    match rest.next() {
        Some('\\') => true,
        Some(_) => rest.next() == Some('\''),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("x.rs".into(), text.into())
    }

    #[test]
    fn strings_and_comments_are_no_code() {
        let text = r####"a("b { \" }", r#"c " {"#, b'{', '\'', 'é', 'x: &'static str) // d {
/* e /* { */ { */ f; br"g{" h"####;
        let code = source(text).code;
        assert_eq!(code.len(), text.len());
        let kept = code.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(kept, r##"a(" ", r#" "#, b' ', ' ', ' ', 'x: &'static str) f; br" " h"##);
    }

    #[test]
    fn functions_are_measured() {
        let text = "#[test]\nfn a() {\n    '{';\n}\ntrait T {\n    fn b(x: [u8; 3]);\n}\npub fn c(f: fn(u8) -> u8) -> u8\nwhere\n{\n1 }\n";
        let found = source(text).functions();
        let a = Function { name: "a".into(), line: 2, lines: 3, is_test: true };
        let c = Function { name: "c".into(), line: 8, lines: 4, is_test: false };
        assert_eq!(found, [a, c]);
    }

    #[test]
    fn conditional_items_can_be_left_out() {
        let text = "use a;\n#[cfg(test)]\nmod tests { use b; }\n#[cfg(feature = \"std\")]\npub fn f() -> [u8; 2] {\n    c()\n}\n\
                    #[cfg(test)]\n#[path = \"x\"]\nmod more;\n#[cfg(test)]\n#[x]\npub(crate) type G<'a, T> = i;\nuse d;\nstruct S { #[cfg(test)] e: u8, f: u8 }\n";
        let source = source(text);
        let without = source.code_without(|condition| condition == "test" || condition.contains("\"std\""));
        assert_eq!(without.split_whitespace().collect::<Vec<_>>().join(" "), "use a; use d; struct S { f: u8 }");
        assert_eq!(without.lines().count(), text.lines().count());
        assert_eq!(source.file_modules(|condition| condition == "test"), ["more"]);
    }
}
