//! Kafka's names and texts, made fit for Rust.

/// `TimeoutMs` as `timeout_ms`.
pub(crate) fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| chars[i]);
        let after_lower = before.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let ends_capitals = before.is_some_and(|b| b.is_ascii_uppercase())
            && chars.get(i + 1).is_some_and(|next| next.is_ascii_lowercase());
        if c.is_ascii_uppercase() && (after_lower || ends_capitals) {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The name of a field: in snake case, raw if it is a keyword.
pub(crate) fn field(name: &str) -> String {
    const KEYWORDS: [&str; 51] = [
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else", "enum",
        "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
        "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "super", "trait", "true", "try",
        "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "union", "safe",
    ];
    let name = snake(name);
    if KEYWORDS.contains(&name.as_str()) { format!("r#{name}") } else { name }
}

/// One line of documentation after this many columns of indentation: the whole text, or its first sentence, or as many
/// words as there is room for.
pub(crate) fn doc(indent: usize, about: &str) -> String {
    const COLUMNS: usize = 120;
    let room = COLUMNS - indent - "/// ".len();
    let words: Vec<String> = about.split_whitespace().map(escape).collect();
    let whole = words.join(" ");
    let fits = |text: &str| text.chars().count() <= room;
    if fits(&whole) {
        return whole;
    }
    if let Some(end) = whole.find(". ").filter(|end| fits(&whole[..=*end])) {
        return whole[..=end].to_owned();
    }
    let mut line = String::new();
    for word in words {
        if line.chars().count() + word.chars().count() + 2 > room {
            break;
        }
        line.push_str(&word);
        line.push(' ');
    }
    let line = line.trim_end().trim_end_matches([',', ':', ';', '.']);
    format!("{line}…")
}

/// What rustdoc would take for a link, a tag or emphasis.
fn escape(word: &str) -> String {
    let mut out = String::new();
    for c in word.chars() {
        if matches!(c, '[' | ']' | '<' | '>' | '*') {
            out.push('\\');
        }
        out.push(c);
    }
    // rustdoc wants an address marked as one.
    if let Some(at) = out.find("http://").or(out.find("https://")) {
        let end = out[at..].find([')', ',']).map_or(out.len(), |n| at + n);
        return format!("{}<{}>{}", &out[..at], &out[at..end], &out[end..]);
    }
    out
}

/// Whether this identifier occurs in Rust code as a word of its own.
pub(crate) fn uses(code: &str, identifier: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(identifier).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + identifier.len()..].chars().next();
        !before.is_some_and(|c| is_part(c) || c == '.') && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snake_case() {
        assert_eq!(snake("TimeoutMs"), "timeout_ms");
        assert_eq!(snake("timeoutMs"), "timeout_ms");
        assert_eq!(snake("ISRNodes"), "isr_nodes");
        assert_eq!(snake("Enable2Pc"), "enable2_pc");
        assert_eq!(field("Type"), "r#type");
    }

    #[test]
    fn documentation_stays_in_its_line() {
        assert_eq!(doc(0, "Two  blanks and a [link]."), "Two blanks and a \\[link\\].");
        let long = "word ".repeat(40);
        assert_eq!(doc(4, &format!("A sentence. {long}")), "A sentence.");
        assert_eq!(doc(4, &long).chars().count(), 110);
        assert!(doc(4, &long).ends_with("word…"));
        assert_eq!(doc(0, "See http://a.b)."), "See <http://a.b>).");
    }

    #[test]
    fn words_of_code() {
        assert!(uses("let x = v >= 3", "v") && !uses("let value = r.v", "v"));
    }
}
