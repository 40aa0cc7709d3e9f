//! What the device makes of brokers that lie: it plays the scripts of `tests/hostile` that QEMU's input names, and prints
//! what each came to, in lines that `klamm-hostile judge` reads.

// The very files that tokio's client works by.
#[cfg(feature = "mps2")]
#[path = "../../../tests/hostile/src/who.rs"]
mod who;
#[path = "../../../tests/hostile/src/work.rs"]
mod work;

use alloc::sync::Arc;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use cortex_m_semihosting::hprintln;
use klamm::{Client, Config, Error, Event};
use work::{Does, WATCHED};

use crate::clock::{self, Timer};
use crate::memory;
use crate::net::Net;
use crate::semihosting::{self, Input};
use crate::transport::Board;

/// A client's budget: that of the scenarios with real brokers.
const BUDGET: usize = 32 << 10;

/// Plays what the input names to its end, then ends the program: well, if every script was judged so, and no client held more than its
/// plan, with its sockets even, nor left more behind than the first one.
pub async fn run(net: Net) {
    let (mut played, mut wrong, mut kept) = (0_u32, 0_u32, None);
    let (input, mut buf) = (Input::new(), [0; 384]);
    while let Some((config, does, beside)) = script(input.line(&mut buf)) {
        let most = config.memory_plan().map_or(0, |plan| plan.total());
        let before = memory::begin();
        play(config, net, does, beside).await;
        let (held, now) = (memory::heap_peak() - before, memory::heap_used());
        // The list of sockets stays as long as it was.
        let first = *kept.get_or_insert(now);
        let much = held > most || now > first;
        let word = if much { "wrong: " } else { "" };
        hprintln!("log {}held {} of {}, and {} then, {} after the first\n.", word, held, most, now, first);
        let verdict = input.line(&mut buf);
        if verdict != "again" {
            played += 1;
            wrong += u32::from(verdict != "ok" || much);
        }
    }
    let (stack, of) = memory::stack_peak();
    hprintln!("stack {} of {}", stack, of);
    hprintln!("played {} {} wrong", played, wrong);
    semihosting::exit(played > 0 && wrong == 0);
}

/// What a line `NAME BOOTSTRAP DOES WHO BESIDE VERDICT` asks for. What the verdict is to be is the judge's business.
fn script(line: &str) -> Option<(Config, Does, bool)> {
    let mut words = line.split(' ').skip(1);
    let bootstrap = words.next()?;
    let does = Does::named(words.next()?)?;
    let config = signs(words.next()?, work::config(bootstrap))?;
    let mut config = config.client_id("metal").observer(Arc::new(|event: &Event<'_>| {
        if let Some(why) = work::why(event) {
            hprintln!("log {}", why);
        }
    }));
    config.single_connection = true;
    Some((config.memory_total(BUDGET), does, words.next()? == "true"))
}

/// The larger board's flash has room for mechanisms.
#[cfg(feature = "mps2")]
fn signs(who: &str, config: Config) -> Option<Config> {
    who::Who::named(who).map(|who| who.signs(config))
}

#[cfg(not(feature = "mps2"))]
fn signs(who: &str, config: Config) -> Option<Config> {
    (who == "Nobody").then_some(config)
}

/// Does it, and says what it came to. Client and driver are dropped then.
async fn play(config: Config, net: Net, does: Does, beside: bool) {
    let (client, driver) = match klamm::new(config, Board { link: net, timer: Timer::Driver }) {
        Ok(both) => both,
        Err(error) => return fails(&error),
    };
    driven(driver, async {
        match clock::within(2 * WATCHED, work::work(&client, does)).await {
            Some(Ok(word)) => hprintln!("works {}", word),
            Some(Err(error)) => fails(&error),
            None => {}
        }
        if beside {
            sound(&client).await;
        }
    })
    .await;
}

async fn sound(client: &Client) {
    if let Err(error) = work::beside(client).await {
        hprintln!("beside {}", error);
    }
}

fn fails(error: &Error) {
    hprintln!("fails {}\nwords {}", work::told(error), error);
}

/// The future's output, with a driver that is polled beside it.
async fn driven<T>(driver: impl Future<Output = ()>, future: impl Future<Output = T>) -> T {
    let (mut driver, mut future) = (pin!(driver), pin!(future));
    poll_fn(|cx| {
        // It ends when its client has gone, which the future has.
        let _: Poll<()> = driver.as_mut().poll(cx);
        future.as_mut().poll(cx)
    })
    .await
}
