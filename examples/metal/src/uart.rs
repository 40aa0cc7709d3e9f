//! A serial line as a connection: the Stellaris' second UART, to whose other end QEMU ties one broker.
//!
//! A line knows of no connection. Nobody tells it that the broker closed, and what is written then is lost: only the
//! client's own timeouts tell. So a new connection begins with hanging up on the old one: a length that no broker takes, for which it closes,
//! and then silence.

use alloc::rc::Rc;
use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use embedded_io::ErrorKind;
use embedded_io_async::{ErrorType, Read, Write};
use klamm::{EmbeddedIo, Endpoint, Phase, TransportError};

use crate::board::{self, Waiting, read, write};
use crate::clock::{self, Timer};
use crate::transport::Link;

const BASE: usize = 0x4000_d000;
/// Its registers: a byte, of either direction; what there is room for; how fast; its form; whether it is on; what interrupts, what
/// has, and the acknowledgement.
const DATA: usize = BASE;
const FLAGS: usize = BASE + 0x18;
const RATE: usize = BASE + 0x24;
const FORM: usize = BASE + 0x2c;
const CONTROL: usize = BASE + 0x30;
const INTERRUPTS: usize = BASE + 0x38;
const RAISED: usize = BASE + 0x40;
const CLEAR: usize = BASE + 0x44;
/// Clocks of the UARTs.
const CLOCKS: usize = 0x400f_e104;

/// Bits of `FLAGS`.
const EMPTY: u32 = 0x10;
const FULL: u32 = 0x20;
/// Bits of the interrupts: something came, or did a while ago; there is room.
const CAME: u32 = 0x50;
const ROOM: u32 = 0x20;

/// The interrupt's number.
pub const INTERRUPT: i16 = 6;

/// How long nothing must come before a line counts as hung up. QEMU connects its end again after a second.
const QUIET: Duration = Duration::from_millis(1_500);

static WAITING: Waiting = Waiting::new();

/// The UART's interrupt. Reader and writer belong to one task, so one waker is enough.
pub fn interrupt() {
    write(INTERRUPTS, read(INTERRUPTS) & !read(RAISED));
    WAITING.wake();
}

fn wait_for(what: u32, waker: &Waker) {
    critical_section::with(|cs| {
        WAITING.set(cs, waker);
        write(INTERRUPTS, read(INTERRUPTS) | what);
    });
}

fn take_byte() -> Option<u8> {
    (read(FLAGS) & EMPTY == 0).then(|| read(DATA) as u8)
}

fn put_byte(byte: u8) -> bool {
    let room = read(FLAGS) & FULL == 0;
    if room {
        write(DATA, u32::from(byte));
    }
    room
}

/// The line, which one connection has at a time.
#[derive(Clone)]
pub struct Line {
    taken: Rc<Cell<bool>>,
    used: bool,
}

impl Line {
    /// Turns it on.
    pub fn new() -> Self {
        write(CLOCKS, read(CLOCKS) | 2);
        write(CONTROL, 0);
        write(RATE, 1);
        write(FORM, 0x70); // 8 bits, with queues
        write(CLEAR, 0x7ff);
        write(CONTROL, 0x301);
        board::unmask(INTERRUPT);
        Line { taken: Rc::default(), used: false }
    }
}

impl Link for Line {
    type Stream = EmbeddedIo<Half, Half>;
    type Connecting = HangUp;

    fn connect(&mut self, _: &Endpoint) -> HangUp {
        let free = !self.taken.replace(true);
        let left = if core::mem::replace(&mut self.used, true) { 4 } else { 0 };
        HangUp { half: free.then(|| Half { _line: Rc::new(Held(Rc::clone(&self.taken))) }), left, quiet: None }
    }
}

/// The line is given back when this is dropped.
struct Held(Rc<Cell<bool>>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// A connection that is being opened, by ending the one before.
pub struct HangUp {
    half: Option<Half>,
    /// Bytes that are still to be written for that.
    left: u8,
    /// When nothing has come for long enough.
    quiet: Option<u64>,
}

impl Future for HangUp {
    type Output = Result<EmbeddedIo<Half, Half>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(half) = self.half.clone() else {
            let (kind, words) = (ErrorKind::AddrInUse, "the line has a connection");
            return Poll::Ready(Err(TransportError::new(Phase::Connect, kind, words)));
        };
        while self.left > 0 && put_byte(0xff) {
            self.left -= 1;
        }
        while take_byte().is_some() {
            self.quiet = None;
        }
        wait_for(if self.left > 0 { CAME | ROOM } else { CAME }, cx.waker());
        let quiet = *self.quiet.get_or_insert_with(|| clock::nanos() + QUIET.as_nanos() as u64);
        match clock::poll(Timer::Network, quiet, cx) {
            Poll::Ready(()) if self.left == 0 => {
                self.half = None;
                Poll::Ready(Ok(EmbeddedIo::assert_cancel_safe(half.clone(), half)))
            }
            _ => Poll::Pending,
        }
    }
}

/// A direction of the line. A read or a write that is dropped has moved nothing.
#[derive(Clone)]
pub struct Half {
    /// Both directions dropped, the line is free.
    _line: Rc<Held>,
}

impl ErrorType for Half {
    type Error = ErrorKind;
}

impl Read for Half {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|cx| {
            let mut count = 0;
            while let Some(place) = buf.get_mut(count)
                && let Some(byte) = take_byte()
            {
                *place = byte;
                count += 1;
            }
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            wait_for(CAME, cx.waker());
            Poll::Pending
        })
        .await
    }
}

impl Write for Half {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        poll_fn(|cx| {
            let count = bytes.iter().take_while(|byte| put_byte(**byte)).count();
            if count > 0 || bytes.is_empty() {
                return Poll::Ready(Ok(count));
            }
            wait_for(ROOM, cx.waker());
            Poll::Pending
        })
        .await
    }

    /// What was written goes out without being asked to.
    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
