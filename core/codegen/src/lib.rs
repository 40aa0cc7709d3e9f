//! Writes klamm's messages from Kafka's schema files: a view or an encoder each, with the version as an argument.

mod defaults;
mod encoder;
mod names;
mod output;
pub mod reference;
mod samples;
mod schema;
mod structs;
mod versions;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use output::{MARK, Output};
use schema::Message;
use serde::Deserialize;

pub use output::Target;

/// What can be done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// It is written.
    Encoder,
    /// It is read.
    View,
}

/// An API of a client's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Who speaks it, in a word.
    pub r#for: String,
    /// The numbers of the proposals that it comes from.
    pub kips: Vec<u16>,
    /// Whether the in-memory cluster answers it, or soon will: it then gets the broker's role.
    #[serde(default)]
    pub broker: bool,
    /// The newest version that is for clients, if the schema has newer ones.
    pub newest: Option<i16>,
}

/// `apis.toml`: what is generated.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The APIs by their names.
    pub apis: BTreeMap<String, Api>,
    /// Other messages, and what is done with them.
    pub messages: BTreeMap<String, BTreeSet<Direction>>,
    /// What the release has and no client speaks, with the reason.
    pub left_out: BTreeMap<String, String>,
}

impl Selection {
    /// Every name of the release must be here, once; nothing else may. `release`: a name a line, after a line of its own.
    fn check(&self, release: &str) -> Result<(), String> {
        let released: BTreeSet<&str> = release.lines().skip(1).collect();
        let here = || self.apis.keys().chain(self.messages.keys()).chain(self.left_out.keys()).map(String::as_str);
        let mut once = BTreeSet::new();
        let twice: Vec<&str> = here().filter(|name| !once.insert(*name)).collect();
        let silent: Vec<&&str> = released.difference(&once).collect();
        let unknown: Vec<&&str> = once.difference(&released).collect();
        match (twice.is_empty(), silent.is_empty(), unknown.is_empty()) {
            (true, true, true) => Ok(()),
            _ => {
                Err(format!("apis.toml: twice {twice:?}; says nothing of {silent:?}; not of the release: {unknown:?}"))
            }
        }
    }
}

/// Where the code goes.
#[derive(Clone, Copy, Debug)]
pub struct Targets {
    /// The client's role, other messages, and the table of APIs.
    pub client: Target,
    /// The broker's role.
    pub broker: Target,
    /// Test code for what can be both written and read.
    pub samples: Target,
}

const HARNESS: Target = Target { folder: "", path: "", wire: "klamm::wire", api: "" };

/// The code that the schemas in `schema/` are for.
pub const WORKSPACE: Targets = Targets {
    client: Target { folder: "core/src/wire/gen", path: "klamm::wire", wire: "crate::wire", api: "crate::wire::api" },
    broker: Target {
        folder: "tests/broker/src/gen",
        path: "klamm_broker::r#gen",
        wire: "klamm::wire",
        api: "klamm::wire::api",
    },
    samples: Target { folder: "core/codegen/tests/wire/samples", ..HARNESS },
};

/// The code of made-up schemas, which have every feature that a schema can have.
pub const MADE_UP: Targets = Targets {
    client: Target {
        folder: "core/codegen/tests/wire/made_up/client",
        path: "crate::made_up::client",
        wire: "klamm::wire",
        api: "crate::made_up::client::api",
    },
    broker: Target {
        folder: "core/codegen/tests/wire/made_up/broker",
        path: "crate::made_up::broker",
        wire: "klamm::wire",
        api: "crate::made_up::client::api",
    },
    samples: Target { folder: "core/codegen/tests/wire/made_up/samples", ..HARNESS },
};

/// The generated files by their paths from the workspace's root. `schema` gives the text of a schema file.
pub fn generate(
    selection: &Selection,
    targets: &Targets,
    schema: impl Fn(&str) -> Result<String, String>,
) -> Result<BTreeMap<PathBuf, String>, String> {
    let load = |name: &str, newest| {
        let message = Message::parse(&schema(name)?, newest).map_err(|error| format!("{name}.json: {error}"))?;
        if message.name == name { Ok(message) } else { Err(format!("{name}.json: is named {}", message.name)) }
    };
    let mut all = Generated::new(targets);
    for (name, api) in &selection.apis {
        let [request, response] = ["Request", "Response"].map(|kind| load(&format!("{name}{kind}"), api.newest));
        let (mut request, response) = (request?, response?);
        request.kips.extend(response.kips.iter().chain(&api.kips));
        if (request.valid, request.flexible) != (response.valid, response.flexible) {
            return Err(format!("{name}: request and response have different versions"));
        }
        all.api(request, response, api)?;
    }
    for (name, directions) in &selection.messages {
        all.message(load(name, None)?, directions)?;
    }
    all.finish()
}

/// What is generated so far.
struct Generated {
    client: Output,
    broker: Output,
    samples: Output,
    /// Requests of all APIs, and who speaks them.
    requests: Vec<(Message, String)>,
    /// Messages that are both written and read, with the modules of their encoders and views.
    both: Vec<(Message, String, String)>,
}

impl Generated {
    fn new(targets: &Targets) -> Self {
        let [client, broker, samples] = [targets.client, targets.broker, targets.samples].map(Output::new);
        Self { client, broker, samples, requests: Vec::new(), both: Vec::new() }
    }

    fn api(&mut self, request: Message, response: Message, api: &Api) -> Result<(), String> {
        let modules = [names::snake(&request.name), names::snake(&response.name)];
        self.client.add(&request, Direction::Encoder, modules[0].clone())?;
        self.client.add(&response, Direction::View, modules[1].clone())?;
        self.requests.push((request.clone(), api.r#for.clone()));
        if api.broker {
            self.broker.add(&request, Direction::View, modules[0].clone())?;
            self.broker.add(&response, Direction::Encoder, modules[1].clone())?;
            let [client, broker] = [self.client.target.path, self.broker.target.path];
            let path = |target: &str, module: usize| format!("{target}::{}", modules[module]);
            self.both.push((request, path(client, 0), path(broker, 0)));
            self.both.push((response, path(broker, 1), path(client, 1)));
        }
        Ok(())
    }

    fn message(&mut self, message: Message, directions: &BTreeSet<Direction>) -> Result<(), String> {
        let [encoder, view] = modules(&message, directions);
        if let Some(encoder) = &encoder {
            self.client.add(&message, Direction::Encoder, encoder.clone())?;
        }
        if let Some(view) = &view {
            self.client.add(&message, Direction::View, view.clone())?;
        }
        if let [Some(encoder), Some(view)] = [encoder, view] {
            let path = self.client.target.path;
            self.both.push((message, format!("{path}::{encoder}"), format!("{path}::{view}")));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<BTreeMap<PathBuf, String>, String> {
        for (message, encoder, view) in &self.both {
            self.samples.modules.insert(names::snake(&message.name), samples::module(message, encoder, view));
        }
        self.samples.modules.insert("mod".to_owned(), samples::root(&self.both));
        let table = output::api_table(&self.client.target, &mut self.requests)?;
        self.client.modules.insert("api".to_owned(), table);
        let mut files = BTreeMap::new();
        for mut output in [self.client, self.broker, self.samples] {
            let root = output.root();
            output.modules.entry("mod".to_owned()).or_insert(root);
            files.extend(output.finish()?);
        }
        Ok(files)
    }
}

/// The modules of a message's encoder and of its view, those of them that there are.
fn modules(message: &Message, directions: &BTreeSet<Direction>) -> [Option<String>; 2] {
    let module = names::snake(&message.name);
    // Both in one module would have the same names.
    let suffix = if directions.len() > 1 { "_encoder" } else { "" };
    let encoder = directions.contains(&Direction::Encoder).then(|| format!("{module}{suffix}"));
    [encoder, directions.contains(&Direction::View).then_some(module)]
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// What `apis.toml` in a folder selects.
fn selection(folder: &Path) -> Result<Selection, String> {
    let selection: Selection = toml::from_str(&read(&folder.join("apis.toml"))?).map_err(|error| error.to_string())?;
    selection.check(&read(&folder.join("schema/RELEASE"))?)?;
    Ok(selection)
}

/// The text of a schema beside it.
fn schema(folder: &Path, name: &str) -> Result<String, String> {
    read(&folder.join("schema").join(name).with_extension("json"))
}

/// What is checked in, generated anew: from the schemas of Kafka and from the made-up ones.
pub fn checked_in(codegen: &Path) -> Result<BTreeMap<PathBuf, String>, String> {
    let made_up = codegen.join("tests/wire/made_up");
    let mut files = BTreeMap::new();
    for (folder, targets) in [(codegen, &WORKSPACE), (made_up.as_path(), &MADE_UP)] {
        files.extend(generate(&selection(folder)?, targets, |name| schema(folder, name))?);
    }
    Ok(files)
}

/// The generated files that are there, by their paths from the workspace's root; known by their first line.
pub fn found(root: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let mut found = BTreeSet::new();
    for targets in [WORKSPACE, MADE_UP] {
        for target in [targets.client, targets.broker, targets.samples] {
            let Ok(entries) = fs::read_dir(root.join(target.folder)) else { continue };
            for entry in entries {
                let path = Path::new(target.folder).join(entry.map_err(|error| error.to_string())?.file_name());
                if fs::read_to_string(root.join(&path)).is_ok_and(|code| code.starts_with(MARK)) {
                    found.insert(path);
                }
            }
        }
    }
    Ok(found)
}
