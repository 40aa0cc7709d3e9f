//! Against Kafka's own classes: needs Java, and Kafka's jars, which `tests/kafka/cluster` fetches.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use klamm_codegen::reference::{Case, Reference};
use klamm_oracle::{compare, fills, reference};

/// How many values by chance each message has in each version, besides the chosen ones.
const CHANCE: u64 = 11;

/// What Kafka's classes answered to all cases.
struct Answers {
    /// The lines that say what the release has.
    release: Vec<String>,
    /// The others, a case a line.
    cases: Vec<String>,
}

fn answers() -> &'static Answers {
    static ANSWERS: OnceLock<Answers> = OnceLock::new();
    ANSWERS.get_or_init(|| {
        let (reference, fills) = (reference(), fills(CHANCE));
        let mut lines = String::new();
        for case in reference.cases(&fills) {
            _ = writeln!(lines, "{} {} {}", case.class(), case.version, case.json());
        }
        let folder = temporary("messages");
        let (asked, answered) = (folder.join("cases"), folder.join("answers"));
        fs::write(&asked, lines).expect("it can be written");
        java("oracle/Oracle.java", &[&asked, &answered]);
        let text = fs::read_to_string(&answered).expect("Java wrote it");
        fs::remove_dir_all(&folder).expect("the temporary folder can go");
        let (release, cases) = text.lines().map(str::to_owned).partition(|line| line.starts_with('#'));
        Answers { release, cases }
    })
}

fn temporary(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("klamm-oracle-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    folder
}

/// Runs a program with Kafka's classes, by its path from the folder of the tests.
fn java(program: &str, paths: &[&Path]) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut java = Command::new(tests.join("kafka/cluster"));
    java.args(["java", "--bootstrap", "none"]).arg(tests.join(program)).args(paths);
    let status = java.env("KLAMM_TOOL_LIMIT_S", "150").status().expect("tests/kafka/cluster runs");
    assert!(status.success(), "{program}: {status}");
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

/// Kafka's bytes are those of our encoders, and our views say of them what was to be said. Trap 5: also when unknown tagged
/// fields stand in every structure.
#[test]
fn every_message_in_every_version() {
    let (reference, fills, answers) = (reference(), fills(CHANCE), answers());
    let cases: Vec<Case<'_>> = reference.cases(&fills).collect();
    assert_eq!(cases.len(), answers.cases.len());
    let mut tagged = 0;
    for (case, line) in cases.iter().zip(&answers.cases) {
        let (plain, unknown) = line.split_once(' ').map_or((line.as_str(), None), |(a, b)| (a, Some(bytes(b))));
        let plain = bytes(plain);
        assert_eq!(unknown.is_some(), case.is_flexible(), "{} version {}", case.name(), case.version);
        assert_eq!(plain, case.bytes(false), "the reference: {} version {}", case.name(), case.version);
        tagged += usize::from(unknown.is_some() && case.is_read());
        compare(case, &plain, unknown.as_deref()).unwrap_or_else(|error| panic!("{error}"));
    }
    let versions: BTreeSet<(&str, i16)> = cases.iter().map(|case| (case.name(), case.version)).collect();
    println!(
        "note: {} messages in {} versions, {} values, {tagged} of them read again with unknown tags",
        reference.messages(),
        versions.len(),
        cases.len()
    );
}

/// The release's clients speak these APIs in these versions: none is missing, and no version of them.
#[test]
fn every_api_of_the_release() {
    let said = |prefix: &str| -> BTreeSet<String> {
        let lines = answers().release.iter().filter_map(|line| line.strip_prefix(prefix));
        lines.map(str::to_owned).collect()
    };
    let reference = reference();
    let release = said("#api ");
    for api in reference.apis() {
        // Its newer versions are for brokers.
        let newest = if api.name == "AddPartitionsToTxn" { 5 } else { api.newest };
        let line = format!("{} {} {} {newest}", api.key, api.name, api.oldest);
        assert!(release.contains(&line), "{line}: {release:?}");
    }
    assert!(release.len() > reference.apis().len());
    new_objects(&reference, &said("#new "));
}

/// The frames and batches that are checked in, the keys' hashes and the table of errors are what this release makes.
#[test]
fn golden_files_are_fresh() {
    for (program, name) in [("golden/Frames.java", "frames"), ("golden/Batches.java", "batches")] {
        let made = temporary(name);
        java(program, &[&made]);
        let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden").join(name);
        let names = |folder: &Path| -> BTreeSet<_> {
            fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect()
        };
        assert_eq!(names(&made), names(&checked_in));
        for name in names(&made) {
            let [new, old] = [&made, &checked_in].map(|folder| fs::read(folder.join(&name)).expect("a file"));
            assert!(new == old, "{} is stale; see {program}", name.display());
        }
        fs::remove_dir_all(&made).expect("the temporary folder can go");
    }
}

/// A field that a version does not have says what Kafka's field says then. Kafka has fields of versions besides which are
/// gone, or are for brokers.
fn new_objects(reference: &Reference, new: &BTreeSet<String>) {
    let ours = reference.defaults();
    for line in &ours {
        let class = line.split(' ').next().expect("a name");
        let theirs = new.iter().find(|other| other.split(' ').next() == Some(class));
        let theirs: BTreeSet<&str> = theirs.unwrap_or_else(|| panic!("no class {class}")).split(' ').collect();
        let wrong: Vec<&str> = line.split(' ').filter(|field| !theirs.contains(field)).collect();
        assert!(wrong.is_empty(), "{class}: {wrong:?} {theirs:?}");
    }
    assert!(ours.len() > 300, "{}", ours.len());
}
