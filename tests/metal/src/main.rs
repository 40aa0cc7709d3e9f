//! The core linked into a program for a microcontroller: no std, no threads, 64 KiB of heap.
//!
//! It is built and measured, not run: a whole client with producer and consumer over a socket of which the compiler does
//! not know what it does, so that everything stays which such a program has. (Of one that surely never connects it would
//! drop all that comes after.)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use core::future::{Future, Ready, ready};
use core::hint::black_box;
use core::mem::MaybeUninit;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use klamm::{ByteStream, Clock, Config, Endpoint, Instant, Record, StartAt, Transport, TransportError};

#[global_allocator]
static HEAP: embedded_alloc::LlffHeap = embedded_alloc::LlffHeap::empty();
const HEAP_BYTES: usize = 64 * 1024;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

/// A host whose network does what nobody knows.
struct Nowhere;

struct NoStream;

impl ByteStream for NoStream {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        black_box(buf);
        black_box(Poll::Pending)
    }
    fn poll_write(&mut self, _: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        black_box(bufs);
        black_box(Poll::Pending)
    }
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        black_box(Poll::Ready(Ok(())))
    }
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        black_box(Poll::Ready(Ok(())))
    }
}

/// A device without a clock: no wall time, and moments that only count.
struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(black_box(1))
    }
    fn unix_ms(&self) -> Option<i64> {
        None
    }
}

impl Transport for Nowhere {
    type Stream = NoStream;
    type Connecting = Ready<Result<NoStream, TransportError>>;

    fn connect(&mut self, _: &Endpoint) -> Self::Connecting {
        ready(black_box(Ok(NoStream)))
    }
    fn poll_sleep(&mut self, _: &mut Context<'_>, _: Instant) -> Poll<()> {
        black_box(Poll::Pending)
    }
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(NoClock)
    }
    fn entropy(&mut self, out: &mut [u8; 32]) {
        *out = black_box([7; 32]);
    }
}

async fn application(client: klamm::Client) -> Result<(), klamm::Error> {
    let producer = client.producer().batch_bytes(1_024).build()?;
    let _ = black_box(producer.send(Record::to("readings").key("1").value("20.5")).await?.offset());
    let mut consumer = client.consumer().topics(["commands"]).from(StartAt::Earliest).build()?;
    while let Some(records) = consumer.next().await? {
        for record in &records {
            black_box(record.value());
        }
    }
    Ok(())
}

fn config() -> Config {
    let mut config = Config::new(black_box("10.0.2.2:9092"));
    config.single_connection = true;
    config.memory_total(48 * 1024)
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut MEMORY: [MaybeUninit<u8>; HEAP_BYTES] = [MaybeUninit::uninit(); HEAP_BYTES];
    // SAFETY: done once, before anything allocates; `entry` gives the memory to this function alone.
    unsafe { HEAP.init(MEMORY.as_mut_ptr() as usize, HEAP_BYTES) }
    if let Ok((client, mut driver)) = klamm::new(config(), Nowhere) {
        let mut application = pin!(application(client));
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            let _ = black_box(driver.poll(&mut cx));
            let _ = black_box(application.as_mut().poll(&mut cx));
        }
    }
    loop {
        cortex_m::asm::wfi();
    }
}
