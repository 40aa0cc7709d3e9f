//! The scripted broker, for clients in other processes.

use std::{
    io::{BufRead, stdin},
    net::TcpListener,
    process::ExitCode,
    time::Instant,
};

use klamm_hostile::{Outcome, Script, front, scripts, stall, who::Who};

const USAGE: &str = "\
Usage: klamm-hostile list
       klamm-hostile SCRIPT [--listen ADDRESS:PORT] [--advertise HOST:PORT]
       klamm-hostile judge PART PARTS [nobody]
A broker that lies, for tests.

  list     the scripts, with what a client is to be asked for and what it must come to
  SCRIPT   plays it until it is killed; prints where (127.0.0.1 and a free port, unless told otherwise). Clients are told the
           advertised address, where they reach it by another one
  judge    plays this part of the scripts that are not encrypted, one after the other; with `nobody`, of those of them in which
           the client does not say who it is. For each it prints a line
           `NAME BOOTSTRAP DOES WHO BESIDE VERDICT`, reads lines as klamm_hostile::Outcome has them up to one that is a dot, and
           prints `ok`, what is wrong, or `again` where this machine stood still meanwhile";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["list"] => {
            scripts::all().for_each(|s| println!("{}\t{:?}\t{:?}\t{:?}", s.name, s.does, s.who, s.verdict));
            Ok(())
        }
        ["judge", part, parts] => judge(part, parts, |_| true),
        ["judge", part, parts, "nobody"] => judge(part, parts, |script| script.who == Who::Nobody),
        [name, ref options @ ..] => play(name, options),
        [] => Err("nothing to do".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("klamm-hostile: {why}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn play(name: &str, mut options: &[&str]) -> Result<(), String> {
    let script = scripts::named(name).ok_or_else(|| format!("there is no script {name:?}"))?;
    let (mut listen, mut advertised) = ("127.0.0.1:0", None);
    while let [name, value, rest @ ..] = options {
        match *name {
            "--listen" => listen = value,
            "--advertise" => {
                let (host, port) = value.rsplit_once(':').ok_or("an address is HOST:PORT")?;
                advertised = Some((host.to_owned(), port.parse().map_err(|_| format!("{port} is no port"))?));
            }
            other => return Err(format!("{other} is unknown")),
        }
        options = rest;
    }
    let listener = TcpListener::bind(listen).map_err(|error| format!("{listen}: {error}"))?;
    let front = front(script, listener, advertised);
    println!("{}", front.bootstrap);
    loop {
        std::thread::park();
    }
}

fn judge(part: &str, parts: &str, is_wanted: impl Fn(&Script) -> bool) -> Result<(), String> {
    let number = |text: &str| text.parse::<usize>().map_err(|_| format!("{text} is no number"));
    let plain = scripts::all().filter(|script| !script.encrypted && is_wanted(script));
    for script in plain.skip(number(part)?).step_by(number(parts)?.max(1)) {
        loop {
            stall::begin();
            match judged(script) {
                Ok(()) => println!("ok"),
                Err(_) if stall::happened() => {
                    println!("again");
                    continue;
                }
                Err(why) => println!("{why}"),
            }
            break;
        }
    }
    Ok(())
}

fn judged(script: &'static Script) -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let front = front(script, listener, None);
    let Script { name, does, who, beside, verdict, .. } = script;
    println!("{name} {} {does:?} {who:?} {beside} {verdict:?}", front.bootstrap);
    let begun = Instant::now();
    let lines = stdin().lock().lines().map_while(Result::ok).take_while(|line| line != ".");
    let outcome = Outcome::of_lines(lines);
    script.judge(&outcome, &front.seen, begun.elapsed()).map_err(|why| format!("{why}: {outcome:?}"))
}
