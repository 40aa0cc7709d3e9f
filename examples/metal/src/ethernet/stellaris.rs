//! The controller of lm3s6965evb.

use core::ops::Range;

use super::{BEFORE, read_words, write_words};
use crate::board::{read, write};

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

pub fn start([a, b, c, d, e, f]: [u8; 6]) {
    write(ADDRESS[0], u32::from_le_bytes([a, b, c, d]));
    write(ADDRESS[1], u32::from_le_bytes([e, f, 0, 0]));
    write(THRESHOLD, 0x3f); // only when it is asked to
    write(SENDING, 0x17); // both ways at once, with padding and checksums
    write(RECEIVING, 0x10); // empty
    write(RECEIVING, 0x01);
}

pub fn mask() {
    write(INTERRUPTS, 0);
}

pub fn unmask() {
    write(STATUS, 0x7f);
    write(INTERRUPTS, 1);
}

pub fn has_frame() -> bool {
    read(FRAMES) != 0
}

/// Takes the next frame out of the controller; where it lies.
pub fn take(into: &mut [u8]) -> Range<usize> {
    // The first word begins with the length, which counts itself and the checksum.
    let first = read(DATA);
    let whole = first as usize & 0xffff;
    let (head, rest) = into.split_at_mut(4);
    head.copy_from_slice(&first.to_le_bytes());
    read_words(DATA, whole.div_ceil(4).saturating_sub(1), rest);
    BEFORE..whole.saturating_sub(4)
}

/// Sends the frame of `len` bytes that stands behind the room for its length.
pub fn send(frame: &mut [u8], len: usize) {
    // Here the length is that of the data, without the header of 14 bytes.
    frame[..BEFORE].copy_from_slice(&(len as u16 - 14).to_le_bytes());
    write_words(DATA, &frame[..(BEFORE + len).next_multiple_of(4)]);
    write(REQUEST, 1);
}
