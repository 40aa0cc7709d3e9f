//! Every script with every budget, against tokio: the verdict that the script names, in time; no more live bytes than the
//! memory plan says; nobody who tries without a pause; no password where it must not be; and a sound broker beside it that
//! notices nothing. `cargo test -p klamm-hostile -- NAME…` takes those whose names have one of these in them.

use std::{
    io::Write,
    net::TcpListener,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Child, Command, ExitCode, Stdio},
    sync::{Arc, Mutex},
    time::Instant,
};

use klamm_bench::{
    counting::{Counting, uncounted},
    gauge::{BUDGETS, Gauge, case},
};
use klamm_hostile::{
    Outcome, Script, Verdict, WITHIN, certificates, front, scripts, stall,
    work::{WATCHED, beside, config, told, why, work},
};
use klamm_tokio::{Config, Error, Event, tls};
use tokio::time::timeout;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Programs that share the scripts: most of the time they wait, and each counts its own memory.
const PARTS: usize = 6;
const PART: &str = "KLAMM_HOSTILE_PART";

fn main() -> ExitCode {
    match std::env::var(PART).ok().and_then(|part| part.parse().ok()) {
        Some(part) => run(part),
        None => share_out(),
    }
}

fn share_out() -> ExitCode {
    let this = std::env::current_exe().expect("this program has a path");
    let part = |part: usize| {
        let program = Command::new(&this)
            .args(std::env::args_os().skip(1))
            .env(PART, part.to_string())
            .stdout(Stdio::piped())
            .spawn();
        program.expect("it starts again")
    };
    let parts: Vec<Child> = (0..PARTS).map(part).collect();
    let mut code = ExitCode::SUCCESS;
    for part in parts {
        let done = part.wait_with_output().expect("it ends");
        std::io::stdout().write_all(&done.stdout).expect("somebody reads");
        if !done.status.success() {
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn run(part: usize) -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |s: &&Script| wanted.is_empty() || wanted.iter().any(|name| s.name.contains(name.as_str()));
    let (mut passed, mut failed) = (0, 0);
    for script in scripts::all().filter(is_wanted).skip(part).step_by(PARTS) {
        for total in BUDGETS {
            let begun = Instant::now();
            let done = loop {
                stall::begin();
                let done = catch_unwind(AssertUnwindSafe(|| try_out(script, total)));
                if done.is_ok() || !stall::happened() {
                    break done;
                }
                println!("    once more: this machine stood still");
            };
            let word = if done.is_ok() { "ok" } else { "FAILED" };
            println!("test {} {} KiB ... {word}, {} ms", script.name, total >> 10, begun.elapsed().as_millis());
            if done.is_ok() { passed += 1 } else { failed += 1 }
        }
    }
    println!("test result: {}. {passed} passed; {failed} failed; 0 ignored", if failed == 0 { "ok" } else { "FAILED" });
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the client was told on the way.
type Log = Arc<Mutex<String>>;

fn settings(script: &Script, bootstrap: &str, total: usize, log: &Log) -> Config {
    let log = Arc::clone(log);
    let observer = move |event: &Event<'_>| {
        uncounted(|| {
            let Some(why) = why(event) else { return };
            *log.lock().expect("no panic") += &(why + "\n");
        });
    };
    let mut config = script.who.signs(config(bootstrap)).observer(Arc::new(observer));
    config.single_connection = total < 1 << 20;
    if !script.encrypted {
        return config.memory_total(total);
    }
    // TLS has no room in less.
    let total = total.max(512 << 10);
    config = config.tls(tls::builder().ca_pem(&certificates().ca).build().expect("settings"));
    config.memory_total(total)
}

fn try_out(script: &'static Script, total: usize) {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
    let front = front(script, listener, None);
    let log = Log::default();
    let config = settings(script, &front.bootstrap, total, &log);
    let begun = Instant::now();
    let (outcome, beside) = case(script.name, &config, async |gauge| play(script, &config, gauge).await);
    let took = begun.elapsed();
    let log = log.lock().expect("no panic").clone();
    let outcome = Outcome { log, beside: beside.err().map(|error| error.to_string()), ..outcome };
    println!("    {} requests and connections; {outcome:?}", front.seen.knocks());
    script.judge(&outcome, &front.seen, took).unwrap_or_else(|why| panic!("{why}"));
}

async fn play(script: &Script, config: &Config, gauge: &mut Gauge) -> (Outcome, Result<(), Error>) {
    let client = match klamm_tokio::connect_with(config.clone()).await {
        Ok(client) => client,
        Err(error) => return (of(Err(error)), Ok(())),
    };
    let watched = if matches!(script.verdict, Verdict::Tries(_)) { WATCHED } else { WITHIN };
    let sound = async { if script.beside { beside(&client).await } else { Ok(()) } };
    let done = tokio::join!(async { timeout(watched, work(&client, script.does)).await }, sound);
    gauge.look(&client);
    (done.0.map_or_else(|_| Outcome::default(), of), done.1)
}

fn of(done: Result<&'static str, Error>) -> Outcome {
    match done {
        Ok(word) => Outcome { kind: Some(word.to_owned()), works: true, ..Outcome::default() },
        Err(error) => Outcome { kind: Some(told(&error)), words: format!("{error:?}"), ..Outcome::default() },
    }
}
