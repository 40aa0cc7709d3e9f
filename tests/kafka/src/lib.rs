//! Real Apache Kafka brokers for tests: [`Cluster::start`] gives a running one, dropping it ends it.
//!
//! The work is done by the script `cluster` beside this crate, which also serves by hand. Everything here blocks.
//! The environment's `KLAMM_KAFKA_VERSION` chooses the release; `tests/kafka/left-out` lists the tests that make no sense
//! with some.
//! What a test cannot do without is asserted: a failure panics with what the script or Kafka's tool said.

mod certificates;
mod client;
mod ledger;
mod secrets;
mod spy;
mod token;

pub use certificates::Certificates;
pub use client::{connect, create, poll_until, read, read_all, read_until, within};
pub use ledger::{Ledger, Load, Reading};
pub use secrets::{Secrets, assert_tells_nothing, was_logged, watch_log};
pub use spy::{Api, Wire, connect_spied};
pub use token::{Issuer, unsigned_token};

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A listener that takes PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, and the user that it knows.
#[derive(Debug)]
pub struct Sasl {
    /// The addresses of all brokers.
    pub bootstrap: String,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: String,
}

/// Listeners that are encrypted, and who may see what is in them.
#[derive(Debug)]
pub struct Tls {
    /// A listener for everybody.
    pub bootstrap: String,
    /// One that wants SASL besides, as [`Cluster::sasl`] has it.
    pub sasl: String,
    /// One that wants a client's certificate.
    pub mutual: String,
    /// One whose certificate has expired.
    pub expired: String,
    /// One whose certificate is not valid yet.
    pub early: String,
    /// One whose certificate is for another host.
    pub elsewhere: String,
    /// What clients need.
    pub certificates: Certificates,
}

/// A running cluster of real brokers on loopback. Dropped, it is killed and its files are removed.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    bootstrap: String,
    sasl: Option<Sasl>,
    tls: Option<Tls>,
    /// Where the brokers' certificates are.
    certificates: Option<PathBuf>,
    brokers: usize,
    version: String,
}

impl Cluster {
    /// Whether this machine can run real brokers; otherwise what is missing and the line that would add it.
    pub fn available() -> Result<(), String> {
        run(script().arg("check"), &[]).map(drop)
    }

    /// Starts `brokers` (1 or 3) with these settings besides the harness's own, and waits until all of them know all.
    ///
    /// # Panics
    /// When they do not start: with the end of the broker's log.
    pub fn start(brokers: usize, settings: &[(&str, &str)]) -> Cluster {
        Self::start_with(&[], brokers, settings)
    }

    /// [`Cluster::start`] with brokers of this release, whatever the environment says.
    pub fn start_release(version: &str, brokers: usize, settings: &[(&str, &str)]) -> Cluster {
        Self::start_with(&["--version", version], brokers, settings)
    }

    /// One broker with the flags of Kafka's own start script, for measuring; it may live two hours.
    pub fn start_to_measure() -> Cluster {
        Self::start_with(&["--bench", "--ttl", "7200"], 1, &[])
    }

    /// [`Cluster::start`] with brokers that live so long if nobody ends them sooner.
    pub fn start_for(life: Duration, brokers: usize, settings: &[(&str, &str)]) -> Cluster {
        Self::start_with(&["--ttl", &life.as_secs().to_string()], brokers, settings)
    }

    /// [`Cluster::start`] with a listener besides that wants SASL: see [`Cluster::sasl`]. No log of this process may have the
    /// password from then on: see [`watch_log`].
    pub fn start_with_sasl(brokers: usize, settings: &[(&str, &str)]) -> Cluster {
        Self::start_with(&["--sasl"], brokers, settings)
    }

    /// [`Cluster::start_with_sasl`] whose OAUTHBEARER takes tokens that are signed with a key of this file (a JSON web key set),
    /// as KIP-768 has it, and no others.
    pub fn start_with_issuer(keys: &Path) -> Cluster {
        let url = format!("file://{}", keys.display());
        let jvm = format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={url}");
        let class = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler";
        let settings = [
            ("listener.name.sasl.oauthbearer.sasl.server.callback.handler.class", class),
            ("listener.name.sasl.sasl.oauthbearer.jwks.endpoint.url", &url),
        ];
        Self::start_with(&["--sasl", "--jvm", &jvm], 1, &settings)
    }

    /// [`Cluster::start_with_sasl`] with encrypted listeners besides: see [`Cluster::tls`].
    pub fn start_with_tls(brokers: usize, settings: &[(&str, &str)]) -> Cluster {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("klamm-certificates-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        let certificates = Certificates::make(&dir);
        watch_log(|secrets| secrets.add_certificates(&certificates));
        let mut cluster = Self::start_with(&["--sasl", "--tls", &dir.display().to_string()], brokers, settings);
        let env = std::fs::read_to_string(cluster.dir.join("env")).expect("what the script said");
        let at = |name: &str| value(&env, &format!("KAFKA_BOOTSTRAP_{name}"));
        cluster.tls = Some(Tls {
            bootstrap: at("TLS"),
            sasl: at("SASL_TLS"),
            mutual: at("MTLS"),
            expired: at("EXPIRED"),
            early: at("EARLY"),
            elsewhere: at("ELSEWHERE"),
            certificates,
        });
        cluster.certificates = Some(dir);
        cluster
    }

    fn start_with(options: &[&str], brokers: usize, settings: &[(&str, &str)]) -> Cluster {
        let mut command = script();
        // The script's guard ends the brokers when this process is gone, however it went.
        command.args(["start", "--brokers", &brokers.to_string(), "--owner", &std::process::id().to_string()]);
        command.args(options);
        for (key, value) in settings {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        let env = run(&mut command, &[]).unwrap_or_else(|error| panic!("{error}"));
        let value = |key: &str| value(&env, key);
        let (bootstrap, version) = (value("KAFKA_BOOTSTRAP"), value("KAFKA_VERSION"));
        let sasl = options.contains(&"--sasl").then(|| Sasl {
            bootstrap: value("KAFKA_BOOTSTRAP_SASL"),
            user: value("KAFKA_USER"),
            password: value("KAFKA_PASSWORD"),
        });
        if let Some(Sasl { password, .. }) = &sasl {
            watch_log(|secrets| secrets.add("the password", password.as_bytes()));
        }
        let dir = value("KAFKA_DIR").into();
        Cluster { dir, bootstrap, sasl, tls: None, certificates: None, brokers, version }
    }

    /// The listener that wants SASL.
    ///
    /// # Panics
    /// Unless the cluster was started with it.
    pub fn sasl(&self) -> &Sasl {
        self.sasl.as_ref().expect("start_with_sasl")
    }

    /// The listeners that are encrypted.
    ///
    /// # Panics
    /// Unless the cluster was started with them.
    pub fn tls(&self) -> &Tls {
        self.tls.as_ref().expect("start_with_tls")
    }

    /// Whether the brokers are of this release or a later one.
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.version.split('.').map(|n| n.parse::<u32>().expect("a release's number"));
        (numbers.next(), numbers.next()) >= (Some(major), Some(minor))
    }

    /// The addresses of all brokers, `127.0.0.1:port`, separated by commas.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The address of one broker; ids count from 1.
    pub fn address(&self, id: usize) -> &str {
        self.bootstrap.split(',').nth(id - 1).expect("a broker's id")
    }

    /// How many brokers there are, dead ones included.
    pub fn brokers(&self) -> usize {
        self.brokers
    }

    /// The cluster's files: `node-N/server.log`, `node-N/data/TOPIC-PARTITION/`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// SIGKILL to one broker; returns when it is gone.
    pub fn kill(&self, id: usize) {
        self.control("kill", id);
    }

    /// SIGTERM to one broker, which hands its partitions over; returns when it is gone.
    pub fn terminate(&self, id: usize) {
        self.control("term", id);
    }

    /// Starts a dead broker again on its data; returns when it answers. After [`Cluster::kill`] that takes as long as
    /// the cluster needs to forget the broker's session, about 6 s.
    pub fn restart(&self, id: usize) {
        self.control("run", id);
    }

    /// SIGSTOP: the broker's connections stand, and nothing answers.
    pub fn pause(&self, id: usize) {
        self.control("pause", id);
    }

    /// SIGCONT.
    pub fn resume(&self, id: usize) {
        self.control("resume", id);
    }

    /// Runs one of Kafka's own tools (`topics`, `console-consumer`, `dump-log`, …) and returns its standard output.
    pub fn tool(&self, args: &[&str]) -> String {
        self.tool_with_input(args, &[])
    }

    /// [`Cluster::tool`] with this on standard input.
    pub fn tool_with_input(&self, args: &[&str], input: &[u8]) -> String {
        self.try_tool(args, input).unwrap_or_else(|error| panic!("{error}"))
    }

    /// [`Cluster::tool_with_input`] for a tool that may fail: then what it printed.
    pub fn try_tool(&self, args: &[&str], input: &[u8]) -> Result<String, String> {
        run(script().args(["tool", "--dir"]).arg(&self.dir).args(args), input)
    }

    /// Runs a program of `java/` beside this crate, which gets the bootstrap list as its first argument, and returns its
    /// standard output.
    pub fn java(&self, program: &str, args: &[&str]) -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("java").join(program);
        let mut command = script();
        command.args(["java", "--dir"]).arg(&self.dir).arg(file).args(args);
        run(&mut command, &[]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Creates a topic with Kafka's own tool.
    pub fn create_topic(&self, name: &str, partitions: usize, replication: usize) {
        self.create_topic_with(name, partitions, replication, &[]);
    }

    /// [`Cluster::create_topic`] with settings of the topic.
    pub fn create_topic_with(&self, name: &str, partitions: usize, replication: usize, settings: &[(&str, &str)]) {
        let (partitions, replication) = (partitions.to_string(), replication.to_string());
        let settings: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut args = vec!["topics", "--create", "--topic", name];
        args.extend(["--partitions", &partitions, "--replication-factor", &replication]);
        args.extend(settings.iter().flat_map(|setting| ["--config", setting]));
        self.tool(&args);
    }

    /// The partition's log as `dump-log` prints it, from the files of one broker: batches with their sequences, and records.
    pub fn dump_log(&self, id: usize, topic: &str, partition: i32) -> String {
        self.try_dump_log(id, topic, partition).unwrap_or_else(|error| panic!("{error}"))
    }

    /// [`Cluster::dump_log`] of a log from which the broker may take a file at the same time: then what the tool printed.
    pub fn try_dump_log(&self, id: usize, topic: &str, partition: i32) -> Result<String, String> {
        let folder = self.dir.join(format!("node-{id}/data/{topic}-{partition}"));
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<String> = entries
            .map(|entry| entry.expect("a readable folder").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .map(|path| path.display().to_string())
            .collect();
        files.sort();
        self.try_tool(&["dump-log", "--print-data-log", "--files", &files.join(",")], &[])
    }

    fn control(&self, action: &str, id: usize) {
        let id = id.to_string();
        let done = run(script().args([action, "--id", &id, "--dir"]).arg(&self.dir), &[]);
        done.unwrap_or_else(|error| panic!("{action} of broker {id}: {error}"));
    }

    fn print_logs(&self) {
        for id in 1..=self.brokers {
            let log = std::fs::read_to_string(self.dir.join(format!("node-{id}/server.log"))).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- end of broker {id}'s log\n{}", lines[lines.len().saturating_sub(15)..].join("\n"));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_logs();
        }
        if let Err(error) = run(script().args(["stop", "--force", "--wipe", "--dir"]).arg(&self.dir), &[]) {
            eprintln!("stopping the cluster: {error}");
        }
        if let Some(dir) = &self.certificates {
            drop(std::fs::remove_dir_all(dir));
        }
    }
}

/// What the script says of one thing.
fn value(env: &str, key: &str) -> String {
    let line = env.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("the script did not say {key}:\n{env}")).to_owned()
}

/// Runs one of Kafka's own tools against brokers that were not started here; its standard output.
///
/// # Panics
/// When the tool fails: with what it printed.
pub fn tool_against(bootstrap: &str, args: &[&str], input: &[u8]) -> String {
    let done = run(script().args(["tool", "--bootstrap", bootstrap]).args(args), input);
    done.unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a Java program of one file with Kafka's classes, which gets the bootstrap list (`none`, where it needs no broker) as its
/// first argument; its standard output.
///
/// # Panics
/// When the program fails: with what it printed.
pub fn java_against(bootstrap: &str, file: &Path, args: &[&str]) -> String {
    let done = run(script().args(["java", "--bootstrap", bootstrap]).arg(file).args(args), &[]);
    done.unwrap_or_else(|error| panic!("{error}"))
}

fn script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster"))
}

/// Runs to the end; standard output, or everything that was said when the status is not 0.
fn run(command: &mut Command, input: &[u8]) -> Result<String, String> {
    let mut finish = || -> std::io::Result<Output> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().expect("piped");
        let mut stderr = child.stderr.take().expect("piped");
        std::thread::scope(|scope| {
            // A tool may end before it has read everything: then its status tells more than the broken pipe.
            scope.spawn(move || drop(stdin.write_all(input)));
            let said = scope.spawn(move || {
                let mut said = Vec::new();
                stderr.read_to_end(&mut said).map(|_| said)
            });
            let mut output = child.wait_with_output()?;
            output.stderr = said.join().expect("reading does not panic")?;
            Ok(output)
        })
    };
    let output = finish().map_err(|error| format!("running {:?}: {error}", command.get_program()))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    Err(format!("`cluster {}` failed ({}):\n{stdout}{stderr}", args.join(" "), output.status))
}
