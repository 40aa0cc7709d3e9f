//! The Stellaris' Ethernet controller, as smoltcp's device.

use core::task::Waker;

use alloc::vec;
use core::cell::Cell;
use critical_section::Mutex;
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

const BASE: usize = 0x4004_8000;
/// Its registers: what has happened, and its acknowledgement; what interrupts; control of receiving and sending; the data of
/// both; the address; from how much on a frame is sent unasked; how many frames are there; the request to send.
const STATUS: usize = BASE;
const INTERRUPTS: usize = BASE + 0x04;
const RECEIVING: usize = BASE + 0x08;
const SENDING: usize = BASE + 0x0c;
const DATA: usize = BASE + 0x10;
const ADDRESS: [usize; 2] = [BASE + 0x14, BASE + 0x18];
const THRESHOLD: usize = BASE + 0x1c;
const FRAMES: usize = BASE + 0x34;
const REQUEST: usize = BASE + 0x38;

/// The interrupt's number.
pub const INTERRUPT: i16 = 42;
/// A frame with its header, and without its checksum.
pub const FRAME_BYTES: usize = 1_514;

static WAITING: Mutex<Cell<Option<Waker>>> = Mutex::new(Cell::new(None));

fn read(register: usize) -> u32 {
    // SAFETY: one of the registers above, which are words.
    unsafe { (register as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: as in `read`; this file alone writes to them.
    unsafe { (register as *mut u32).write_volatile(value) }
}

/// The controller's interrupt: a frame is there.
pub fn interrupt() {
    write(INTERRUPTS, 0);
    critical_section::with(|cs| WAITING.borrow(cs).take().map(Waker::wake));
}

#[derive(Clone, Copy)]
struct Number;

// SAFETY: it is that of a device that exists, and does not change.
unsafe impl cortex_m::interrupt::InterruptNumber for Number {
    fn number(self) -> u16 {
        INTERRUPT as u16
    }
}

/// The controller, with a frame of each direction. Two bytes are before each, and up to two after: the controller has a
/// length there, and takes words.
pub struct Ethernet {
    incoming: &'static mut [u8],
    outgoing: &'static mut [u8],
}

impl Ethernet {
    /// Turns it on.
    pub fn new(address: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = address;
        write(ADDRESS[0], u32::from_le_bytes([a, b, c, d]));
        write(ADDRESS[1], u32::from_le_bytes([e, f, 0, 0]));
        write(THRESHOLD, 0x3f); // only when it is asked to
        write(SENDING, 0x17); // both ways at once, with padding and checksums
        write(RECEIVING, 0x10); // empty
        write(RECEIVING, 0x01);
        // SAFETY: nothing relies on this interrupt being off.
        unsafe { cortex_m::peripheral::NVIC::unmask(Number) };
        Ethernet { incoming: vec![0; FRAME_BYTES + 6].leak(), outgoing: vec![0; FRAME_BYTES + 4].leak() }
    }

    /// Wakes when a frame is there.
    pub fn listen(&self, waker: &Waker) {
        critical_section::with(|cs| WAITING.borrow(cs).set(Some(waker.clone())));
        write(STATUS, 0x7f);
        write(INTERRUPTS, 1);
        if read(FRAMES) != 0 {
            interrupt();
        }
    }

    /// Takes the next frame out of the controller; how long it is.
    fn take(&mut self) -> Option<usize> {
        if read(FRAMES) == 0 {
            return None;
        }
        // The first word begins with the length, which counts itself and the checksum.
        let first = read(DATA);
        let whole = first as usize & 0xffff;
        let mut words = self.incoming.chunks_exact_mut(4);
        words.next()?.copy_from_slice(&first.to_le_bytes());
        for _ in 1..whole.div_ceil(4) {
            let word = read(DATA);
            if let Some(place) = words.next() {
                place.copy_from_slice(&word.to_le_bytes());
            }
        }
        Some(whole.saturating_sub(6).min(FRAME_BYTES))
    }
}

impl Device for Ethernet {
    type RxToken<'a> = Incoming<'a>;
    type TxToken<'a> = Outgoing<'a>;

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES;
        capabilities
    }

    fn receive(&mut self, _: Instant) -> Option<(Incoming<'_>, Outgoing<'_>)> {
        let len = self.take()?;
        Some((Incoming(&self.incoming[2..2 + len]), Outgoing(self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing(self.outgoing))
    }
}

/// A frame that has come.
pub struct Incoming<'a>(&'a [u8]);

impl RxToken for Incoming<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for a frame to be sent.
pub struct Outgoing<'a>(&'a mut [u8]);

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let result = f(&mut self.0[2..2 + len]);
        // Here the length is that of the data, without the header of 14 bytes.
        self.0[..2].copy_from_slice(&(len as u16 - 14).to_le_bytes());
        for word in self.0[..(2 + len).next_multiple_of(4)].chunks_exact(4) {
            write(DATA, u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        }
        write(REQUEST, 1);
        result
    }
}
