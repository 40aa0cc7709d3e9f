//! The board's Ethernet controller, as smoltcp's device.

#[cfg_attr(not(feature = "mps2"), path = "stellaris.rs")]
#[cfg_attr(feature = "mps2", path = "lan9118.rs")]
mod controller;

use alloc::vec;
use core::task::Waker;

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

use crate::board::{self, Waiting, read, write};
pub use controller::INTERRUPT;

/// A frame with its header, and without its checksum.
const FRAME_BYTES: usize = 1_514;
/// Before each frame there is room for what a controller has there.
const BEFORE: usize = 2;

static WAITING: Waiting = Waiting::new();

/// The controller's interrupt: a frame is there.
pub fn interrupt() {
    controller::mask();
    WAITING.wake();
}

/// The controller, with a frame of each direction.
pub struct Ethernet {
    incoming: &'static mut [u8],
    outgoing: &'static mut [u8],
}

impl Ethernet {
    /// Turns it on.
    pub fn new(address: [u8; 6]) -> Self {
        controller::start(address);
        board::unmask(INTERRUPT);
        let frame = || vec![0; (BEFORE + FRAME_BYTES + 4).next_multiple_of(4)].leak();
        Ethernet { incoming: frame(), outgoing: frame() }
    }

    /// Wakes when a frame is there.
    pub fn listen(&self, waker: &Waker) {
        critical_section::with(|cs| WAITING.set(cs, waker));
        controller::unmask();
        if controller::has_frame() {
            interrupt();
        }
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
        if !controller::has_frame() {
            return None;
        }
        let frame = controller::take(self.incoming);
        Some((Incoming(self.incoming.get(frame).unwrap_or_default()), Outgoing(self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing(self.outgoing))
    }
}

/// Copies words out of a controller, as many as there are; what there is no place for is dropped.
fn read_words(register: usize, count: usize, into: &mut [u8]) {
    let mut words = into.chunks_exact_mut(4);
    for _ in 0..count {
        let word = read(register);
        if let Some(place) = words.next() {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }
}

/// Copies words into a controller; what is left of the last one is whatever stands there.
fn write_words(register: usize, from: &[u8]) {
    for word in from.chunks_exact(4) {
        write(register, u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
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
        let result = f(&mut self.0[BEFORE..BEFORE + len]);
        controller::send(self.0, len);
        result
    }
}
