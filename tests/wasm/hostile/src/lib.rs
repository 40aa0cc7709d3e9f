//! What a client in a component makes of `tests/hostile`'s scripts: it is told where, what it is to do and who it is, and prints
//! what it came to, in lines that `klamm-hostile judge` reads.
#![no_std]

extern crate alloc;

// The very files that tokio's client works by.
#[path = "../../../hostile/src/who.rs"]
mod who;
#[path = "../../../hostile/src/work.rs"]
mod work;

use alloc::{
    format,
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};
use core::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use klamm_wasi::{Client, Config, Error, Event, Reactor, Wasi};
use spin::Mutex;
use wasip2::{
    cli::{environment::get_arguments, stdout::get_stdout},
    clocks::monotonic_clock::subscribe_duration,
    exports::cli::run::Guest as Run,
};
use who::Who;
use work::{Does, WATCHED};

struct Guest;
wasip2::cli::command::export!(Guest);

impl Run for Guest {
    fn run() -> Result<(), ()> {
        let arguments = get_arguments();
        let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
        let [bootstrap, does, who, beside, budget] = arguments[..] else { return Err(()) };
        let (does, who) = (Does::named(does).ok_or(())?, Who::named(who).ok_or(())?);
        let log: Arc<Mutex<String>> = Arc::default();
        let observer = {
            let log = Arc::clone(&log);
            move |event: &Event<'_>| {
                if let Some(why) = work::why(event) {
                    *log.lock() += &format!("log {why}\n");
                }
            }
        };
        let config = who.signs(work::config(bootstrap)).observer(Arc::new(observer));
        let config = config.memory_total(budget.parse().map_err(drop)?);
        say(&play(config, does, beside == "true"));
        say(&log.lock());
        Ok(())
    }
}

/// Does it, with nothing but what the host wakes it for, and says what it came to.
fn play(config: Config, does: Does, beside: bool) -> String {
    let (client, driver) = match klamm_wasi::new(config, Wasi::new()) {
        Ok(both) => both,
        Err(error) => return fails(&error),
    };
    Reactor::run_beside(driver, async move {
        let done = watched(work::work(&client, does)).await;
        let sound = if beside { sound(&client).await } else { String::new() };
        match done {
            Some(Ok(word)) => format!("works {word}\n{sound}"),
            Some(Err(error)) => format!("{}{sound}", fails(&error)),
            None => sound,
        }
    })
}

async fn sound(client: &Client) -> String {
    work::beside(client).await.map_or_else(|error| format!("beside {error}\n"), |()| String::new())
}

fn fails(error: &Error) -> String {
    format!("fails {}\nwords {}\n", work::told(error), error.to_string().replace('\n', " "))
}

/// The future's output, unless it takes twice as long as anybody watches it.
async fn watched<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut end = pin!(Reactor::wait(subscribe_duration(2 * WATCHED.as_nanos() as u64)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => end.as_mut().poll(cx).map(|_| None),
    })
    .await
}

fn say(text: &str) {
    // The host takes 4 KiB at once.
    for part in text.as_bytes().chunks(4_096) {
        let _ = get_stdout().blocking_write_and_flush(part);
    }
}
