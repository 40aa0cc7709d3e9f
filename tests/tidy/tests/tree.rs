//! The house rules that a program can check. Each test lists every offence, with its line.

use klamm_tidy::{Source, files, git, root, sources, text};
use std::collections::BTreeSet;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

fn none(offences: Vec<String>) {
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}

/// Lines of `code` that hold `needle` where no word goes on.
fn lines_with(code: &str, needle: &str) -> Vec<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let starts_word = needle.starts_with(is_word);
    let ends_word = needle.ends_with(is_word);
    let whole = |at: usize| {
        !(starts_word && code[..at].ends_with(is_word) || ends_word && code[at + needle.len()..].starts_with(is_word))
    };
    let hits = code.match_indices(needle).filter(|(at, _)| whole(*at));
    hits.map(|(at, _)| code[..at].matches('\n').count() + 1).collect()
}

#[test]
fn files_and_functions_stay_short() {
    let mut offences = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            offences.push(format!("{}: {lines} lines, {FILE_LINES_MAX} are allowed", source.path));
        }
        for f in source.functions().into_iter().filter(|f| f.lines > FUNCTION_LINES_MAX) {
            offences.push(format!(
                "{}:{}: {} has {} lines, {FUNCTION_LINES_MAX} are allowed",
                source.path, f.line, f.name, f.lines
            ));
        }
    }
    none(offences);
}

/// What the core must not say: it has no clock, no threads and no hash maps with random order, and `std` only where
/// the feature of that name gives it.
const BANNED_IN_CORE: [&str; 7] =
    ["std::", "HashMap", "HashSet", "Instant::now", "SystemTime", "thread::", "RandomState"];

/// (path, what, why it may): exceptions to [`BANNED_IN_CORE`], of which there should be few.
const ALLOWED_IN_CORE: [(&str, &str, &str); 0] = [];

#[test]
fn the_core_stays_sans_io() {
    let mut offences = Vec::new();
    let mut used = BTreeSet::new();
    for (source, test_only, std_only) in core_sources() {
        if test_only {
            continue;
        }
        let product = source.code_without(is_test);
        let bare = if std_only { String::new() } else { source.code_without(|c| is_test(c) || is_std(c)) };
        for needle in BANNED_IN_CORE {
            let lines = lines_with(if needle == "std::" { &bare } else { &product }, needle);
            match ALLOWED_IN_CORE.iter().position(|(path, what, _)| *path == source.path && *what == needle) {
                Some(entry) if !lines.is_empty() => drop(used.insert(entry)),
                _ => offences.extend(lines.iter().map(|line| format!("{}:{line}: {needle}", source.path))),
            }
        }
    }
    let unused = (0..ALLOWED_IN_CORE.len()).filter(|entry| !used.contains(entry));
    offences.extend(unused.map(|entry| format!("the exception {:?} is not needed any more", ALLOWED_IN_CORE[entry])));
    none(offences);
}

fn is_test(condition: &str) -> bool {
    condition == "test" || condition.starts_with("all(test")
}

fn is_std(condition: &str) -> bool {
    condition.contains("feature = \"std\"") && !condition.contains("not(")
}

/// The core's sources, with whether a file is there for tests only, or under the feature `std` only.
fn core_sources() -> Vec<(Source, bool, bool)> {
    let all: Vec<Source> = sources().into_iter().filter(|source| source.path.starts_with("core/src/")).collect();
    let declared = |chosen: fn(&str) -> bool| -> BTreeSet<String> {
        let of = |source: &Source| {
            let folder = module_folder(&source.path);
            source.file_modules(chosen).into_iter().map(move |name| format!("{folder}/{name}")).collect::<Vec<_>>()
        };
        all.iter().flat_map(of).collect()
    };
    let (tests, std_only) = (declared(is_test), declared(is_std));
    let within = |path: &str, modules: &BTreeSet<String>| {
        modules.iter().any(|module| path == format!("{module}.rs") || path.starts_with(&format!("{module}/")))
    };
    let marked = |source: Source| {
        let (test, std) = (within(&source.path, &tests), within(&source.path, &std_only));
        (source, test, std)
    };
    all.into_iter().map(marked).collect()
}

/// Where the files of a source's modules lie.
fn module_folder(path: &str) -> String {
    let (folder, file) = path.rsplit_once('/').expect("below core/src");
    if matches!(file, "lib.rs" | "main.rs" | "mod.rs") { folder.into() } else { path.trim_end_matches(".rs").into() }
}

#[test]
fn libraries_do_not_print() {
    let mut offences = Vec::new();
    for source in sources() {
        let library = ["core/", "transport-"].iter().any(|folder| source.path.starts_with(folder));
        let program = ["/main.rs", "/build.rs"].iter().any(|end| source.path.ends_with(end))
            || ["/bin/", "/tests/", "/examples/", "/benches/"].iter().any(|part| source.path.contains(part));
        if !library || program || source.path.ends_with("/tests.rs") {
            continue;
        }
        let code = source.code_without(is_test);
        for needle in ["println!", "print!", "eprintln!", "eprint!", "dbg!"] {
            offences.extend(lines_with(&code, needle).iter().map(|line| format!("{}:{line}: {needle}", source.path)));
        }
    }
    none(offences);
}

#[test]
fn nothing_is_left_for_later() {
    let mut offences = Vec::new();
    for source in sources() {
        for needle in ["#[ignore", "todo!", "unimplemented!", "allow(dead_code", "expect(dead_code"] {
            let lines = lines_with(&source.code, needle);
            offences.extend(lines.iter().map(|line| format!("{}:{line}: {needle}", source.path)));
        }
        for needle in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")] {
            let lines = lines_with(&source.text, needle);
            offences.extend(lines.iter().map(|line| format!("{}:{line}: {needle}", source.path)));
        }
    }
    none(offences);
}

/// A path of one machine, or the host of one company's mirror, helps nobody else.
#[test]
fn nothing_names_one_machine() {
    let mut offences = Vec::new();
    let ours = |path: &String| !path.contains("LICENSE") && !path.ends_with("NOTICE");
    for path in files().into_iter().filter(ours) {
        let Some(text) = text(&path) else { continue };
        for (i, line) in text.lines().enumerate() {
            let folders = ["home", "root", "work", "Users"].map(|name| format!("/{name}/"));
            let private = folders.iter().any(|folder| {
                line.match_indices(folder.as_str()).any(|(at, _)| !line[..at].ends_with(is_path_character))
            });
            if private || line.contains(concat!("../", "shared")) {
                offences.push(format!("{path}:{}: a path of one machine: {}", i + 1, line.trim()));
            }
            let strange = hosts(line).into_iter().filter(|host| !KNOWN_HOSTS.contains(host));
            offences.extend(strange.map(|host| format!("{path}:{}: the host {host} is not in KNOWN_HOSTS", i + 1)));
        }
    }
    none(offences);
}

/// Where this project may point to.
const KNOWN_HOSTS: [&str; 17] = [
    "", // a scheme that is spoken of
    "127.0.0.1",
    "a.b", // any
    "crates.io",
    "cwiki.apache.org",
    "doc.rust-lang.org",
    "docs.rs",
    "example.com",
    "github.com",
    "issues.apache.org",
    "kafka.apache.org",
    "keepachangelog.com",
    "localhost",
    "rustup.rs",
    "semver.org",
    "www.apache.org",
    "www.rfc-editor.org",
];

fn is_path_character(c: char) -> bool {
    c.is_alphanumeric() || "._-~}*>)".contains(c)
}

fn hosts(line: &str) -> Vec<&str> {
    let after = ["http://", "https://"].into_iter().flat_map(|scheme| line.match_indices(scheme));
    let host = |(at, scheme): (usize, &str)| {
        let rest = &line[at + scheme.len()..];
        &rest[..rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-')).unwrap_or(rest.len())]
    };
    after.map(host).map(|host| host.trim_end_matches('.')).collect()
}

#[test]
fn every_trap_has_its_test() {
    let Some(table) = files().iter().find(|path| *path == "tests/TRAPS.md").and_then(|path| text(path)) else {
        println!("tests/TRAPS.md is not there yet");
        return;
    };
    let sources = sources();
    let mut offences = Vec::new();
    let mut listed = BTreeSet::new();
    for (i, line) in table.lines().enumerate() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [trap, words, tests] = cells[..] else { continue };
        let traps = numbers(trap);
        if traps.is_empty() {
            continue; // the head of the table
        }
        listed.extend(traps);
        if words.is_empty() || tests.is_empty() {
            offences.push(format!("tests/TRAPS.md:{}: trap {trap} lacks its words or its test", i + 1));
        }
        offences.extend(missing_tests(tests, &sources).map(|what| format!("tests/TRAPS.md:{}: {what}", i + 1)));
    }
    assert!(!listed.is_empty(), "tests/TRAPS.md has no row `| number | words | path.rs: test |`");
    for source in &sources {
        for (i, line) in source.text.lines().enumerate() {
            let strange = traps_named(line).into_iter().filter(|trap| !listed.contains(trap));
            offences
                .extend(strange.map(|trap| format!("{}:{}: trap {trap} is not in tests/TRAPS.md", source.path, i + 1)));
        }
    }
    none(offences);
}

/// What is wrong with a cell `path.rs: test, other_test; other/path.rs: test`.
fn missing_tests<'a>(cell: &'a str, sources: &'a [Source]) -> impl Iterator<Item = String> + 'a {
    let mut path = "";
    let entries = cell.split([',', ';']).flat_map(|entry| entry.split("<br>"));
    let checked = entries.map(|entry| entry.trim().replace('`', "")).filter(|entry| !entry.is_empty());
    let entries: Vec<String> = checked.collect();
    let mut wrong = Vec::new();
    for entry in &entries {
        let (file, test) =
            entry.split_once(':').map_or((path, entry.as_str()), |(file, test)| (file.trim(), test.trim()));
        path = file;
        match sources.iter().find(|source| source.path == path) {
            None => wrong.push(format!("there is no file {path:?} for {test:?}")),
            Some(source) if !source.functions().iter().any(|f| f.is_test && f.name == test) => {
                wrong.push(format!("{path} has no test {test:?}"));
            }
            Some(_) => {}
        }
    }
    wrong.into_iter()
}

/// The numbers of a list such as `1, 3–5 and 8`.
fn numbers(list: &str) -> Vec<u32> {
    let list = list.replace('–', "-").replace(" and ", ",");
    let one = |part: &str| -> Option<Vec<u32>> {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some((from.trim().parse().ok()?..=to.trim().parse().ok()?).collect())
    };
    list.split(',').map_while(|part| one(part.trim())).flatten().collect()
}

/// The traps that a comment names: `Trap 19: …`, `traps 1, 2 and 5`.
fn traps_named(line: &str) -> Vec<u32> {
    let Some((_, comment)) = line.split_once("//") else { return Vec::new() };
    let after = ["Trap ", "trap ", "Traps ", "traps "].into_iter().flat_map(|word| comment.split(word).skip(1));
    after
        .flat_map(|rest| {
            let list = rest.replace(" and ", ", ");
            let end = list.find(|c: char| !(c.is_ascii_digit() || ", –-".contains(c))).unwrap_or(list.len());
            numbers(&list[..end])
        })
        .collect()
}

/// A planted defect that does not apply any more guards nothing. Whether its test catches it: `./tests/run plants`.
#[test]
fn planted_defects_apply_and_name_their_test() {
    let mut offences = Vec::new();
    for path in files().iter().filter(|path| path.starts_with("tests/plants/") && path.ends_with(".patch")) {
        let patch = text(path).unwrap_or_default();
        let head = patch.split("\ndiff --git ").next().unwrap_or("").split("\n--- ").next().unwrap_or("");
        if !head.lines().any(|line| line.strip_prefix("Caught by: ").is_some_and(|command| !command.trim().is_empty()))
        {
            offences.push(format!("{path}: no line `Caught by: COMMAND` before the diff"));
        }
        if let Err(error) = git(&["apply", "--check", path]) {
            offences.push(format!("{path}: {error}"));
        }
    }
    none(offences);
}

#[test]
fn the_rules_see_what_they_look_for() {
    assert_eq!(lines_with("a\nuse std::x; crate::mystd::y;", "std::"), [2]);
    assert_eq!(numbers("1, 3–5 and 8"), [1, 3, 4, 5, 8]);
    assert_eq!(traps_named("/// Trap 19: over 3 bytes. Also trap 7."), [19, 7]);
    assert_eq!(traps_named("// traps 1, 2 and 5 say so"), [1, 2, 5]);
    assert_eq!(hosts("see <https://docs.rs/x> or http://localhost:1/"), ["localhost", "docs.rs"]);
    assert!(root().join("Cargo.toml").is_file());
}
