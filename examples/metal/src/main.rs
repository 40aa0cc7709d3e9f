//! A Kafka client on a microcontroller: a Cortex-M3 with 64 KiB of RAM writes sensor readings to a cluster and reads them back.
//!
//! `./run` builds it and runs it in QEMU against a real broker. What a board of your own needs is `ethernet.rs`, `clock.rs` and
//! `semihosting.rs`; `transport.rs` and `net.rs` serve any board with smoltcp.
#![no_std]
#![no_main]

extern crate alloc;

mod application;
mod board;
mod clock;
#[cfg(not(feature = "uart"))]
mod ethernet;
mod executor;
#[cfg(feature = "hostile")]
mod hostile;
mod memory;
#[cfg(not(feature = "uart"))]
mod net;
mod semihosting;
mod transport;
#[cfg(feature = "uart")]
mod uart;

use alloc::boxed::Box;
use alloc::vec::Vec;

use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::hprintln;

use crate::application::Application;
use crate::clock::Timer;
use crate::executor::Task;
use crate::transport::Board;

/// Says nothing of what went wrong: a handler that looks at it keeps the words and places of all panics, 20 KB of flash.
#[cfg(not(feature = "panic-words"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    hprintln!("panicked; build with the feature panic-words to see where");
    semihosting::exit(false)
}

#[cfg(feature = "panic-words")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    semihosting::exit(false)
}

#[exception]
fn SysTick() {
    clock::tick();
}

#[exception]
unsafe fn DefaultHandler(number: i16) {
    match number {
        #[cfg(not(feature = "uart"))]
        ethernet::INTERRUPT => ethernet::interrupt(),
        #[cfg(feature = "uart")]
        uart::INTERRUPT => uart::interrupt(),
        other => panic!("interrupt {other}"),
    }
}

#[entry]
fn main() -> ! {
    memory::start();
    if let Some(board) = cortex_m::Peripherals::take() {
        clock::start(board.SYST);
    }
    executor::run(tasks())
}

#[cfg(not(feature = "uart"))]
fn seed() -> u64 {
    let mut seed = [0; 8];
    semihosting::random(&mut seed);
    u64::from_le_bytes(seed)
}

/// All that the device does. The tasks are in the heap, and made here, so that `main`, which never ends, has little on its stack.
#[inline(never)]
fn tasks() -> Vec<Task> {
    let mut buf = [0; 128];
    let mut words = semihosting::arguments(&mut buf).split(' ');
    let (Some(bootstrap), Some(scenario), Some(topic)) = (words.next(), words.next(), words.next()) else {
        panic!("BOOTSTRAP SCENARIO TOPIC")
    };
    let config = application::config(bootstrap, scenario);
    let mut tasks: Vec<Task> = Vec::new();
    #[cfg(feature = "uart")]
    let link = uart::Line::new();
    #[cfg(not(feature = "uart"))]
    let link = net::Net::new(seed());
    #[cfg(not(feature = "uart"))]
    tasks.push(Box::pin(link.run()));
    // The scenarios are not in that program then: flash has no room for both.
    #[cfg(feature = "hostile")]
    if cfg!(feature = "hostile") {
        tasks.push(Box::pin(hostile::run(link)));
        memory::seal(application::later_bytes(&config));
        return tasks;
    }
    let mut clients = Vec::new();
    let timers = [Timer::Driver, Timer::SecondDriver];
    for timer in timers.into_iter().take(if scenario == "two" { 2 } else { 1 }) {
        // A line is no `Copy`, the other is.
        match klamm::new(config.clone(), Board { link: Clone::clone(&link), timer }) {
            Ok((client, driver)) => {
                tasks.push(Box::pin(driver));
                clients.push(client);
            }
            Err(error) => {
                hprintln!("{}", error);
                semihosting::exit(false)
            }
        }
    }
    tasks.push(Box::pin(Application::new(clients, topic).run(scenario.into())));
    memory::seal(application::later_bytes(&config));
    tasks
}
