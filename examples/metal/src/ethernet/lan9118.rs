//! The controller of mps2-an385, a LAN9118.

use core::ops::Range;

use super::{BEFORE, read_words, write_words};
use crate::board::{read, write};

const BASE: usize = 0x4020_0000;
/// Its registers: data and status of both directions; what interrupts, on which condition, and its acknowledgement; control of
/// sending; a reset; how much has come; the way to the registers of the MAC.
const INCOMING: usize = BASE;
const OUTGOING: usize = BASE + 0x20;
const INCOMING_STATUS: usize = BASE + 0x40;
const OUTGOING_STATUS: usize = BASE + 0x48;
const INTERRUPT_CONTROL: usize = BASE + 0x54;
const STATUS: usize = BASE + 0x58;
const INTERRUPTS: usize = BASE + 0x5c;
const LEVELS: usize = BASE + 0x68;
const SENDING: usize = BASE + 0x70;
const RESET: usize = BASE + 0x74;
const COUNTS: usize = BASE + 0x7c;
const MAC_COMMAND: usize = BASE + 0xa4;
const MAC_DATA: usize = BASE + 0xa8;

/// The interrupt's number.
pub const INTERRUPT: i16 = 13;

fn write_mac(register: u32, value: u32) {
    write(MAC_DATA, value);
    write(MAC_COMMAND, 0x8000_0000 | register);
}

pub fn start([a, b, c, d, e, f]: [u8; 6]) {
    write(RESET, 1);
    write_mac(3, u32::from_le_bytes([a, b, c, d]));
    write_mac(2, u32::from_le_bytes([e, f, 0, 0]));
    write(LEVELS, 0); // one frame is enough
    write(INTERRUPT_CONTROL, 0x111);
    write(SENDING, 2);
    write_mac(1, 0x0010_000c); // both ways at once
}

pub fn mask() {
    write(INTERRUPTS, 0);
}

pub fn unmask() {
    write(STATUS, !0);
    write(INTERRUPTS, 8);
}

pub fn has_frame() -> bool {
    read(COUNTS) >> 16 & 0xff != 0
}

/// Takes the next frame out of the controller; where it lies.
pub fn take(into: &mut [u8]) -> Range<usize> {
    let whole = (read(INCOMING_STATUS) >> 16 & 0x3fff) as usize;
    read_words(INCOMING, whole.div_ceil(4), into);
    0..whole.saturating_sub(4) // without the checksum
}

/// Sends the frame of `len` bytes that stands behind some room.
pub fn send(frame: &mut [u8], len: usize) {
    write(OUTGOING, 0x3000 | len as u32); // its first and last piece at once
    write(OUTGOING, len as u32);
    write_words(OUTGOING, &frame[BEFORE..BEFORE + len.next_multiple_of(4)]);
    read(OUTGOING_STATUS);
}
