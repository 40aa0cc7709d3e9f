//! Frames out of a stream that is cut anywhere.

use alloc::vec::Vec;

use super::Choices;
use crate::{
    Budget, Class, Memory,
    cluster::stage_bytes,
    link::{Assembly, Incoming, Room},
    sync::Arc,
};

/// The most that the frames of one run have together.
const STREAM_MAX: usize = 64 << 10;

/// The first bytes choose the size of the read-ahead and up to 16 frames, with whether there is room for each; the others
/// how many bytes come at a time. Each frame must come out as it went in.
pub fn assembly(data: &[u8]) {
    let mut choices = Choices(data);
    let memory = Memory::of((1 + usize::from(choices.byte())) << 14);
    let budget = Budget::new(memory);
    let (mut frames, mut stream) = (Vec::new(), Vec::new());
    for number in 0..choices.byte() % 17 {
        let size = choices.number();
        let (len, has_room) = (size >> 1, size & 1 == 0);
        if stream.len() + len <= STREAM_MAX {
            stream.extend((len as u32).to_be_bytes());
            stream.extend((0..len).map(|i| (i as u8).wrapping_mul(31) ^ number));
            frames.push((len, has_room));
        }
    }
    let mut assembly = Assembly::new(stage_bytes(memory.control_bytes));
    let (mut done, mut came, mut seen) = (0, 0, 0);
    while came < stream.len() {
        let buffer = assembly.buffer();
        assert!(!buffer.is_empty(), "there is always room for more");
        let chosen = if choices.are_over() { usize::MAX } else { choices.number() + 1 };
        let count = chosen.min(buffer.len()).min(stream.len() - came);
        buffer[..count].copy_from_slice(&stream[came..came + count]);
        came += count;
        assembly.received(count);
        while let Some(incoming) = next(&mut assembly, &budget, frames.get(done).copied()) {
            let len = frames[done].0;
            compare(&mut assembly, incoming, &stream[seen + 4..seen + 4 + len]);
            (done, seen) = (done + 1, seen + 4 + len);
        }
        assembly.compact();
    }
    assert_eq!(done, frames.len(), "every frame has come out");
    assert_eq!(budget.leased(Class::Fetch), 0);
}

/// What the machine does with what has come.
fn next(assembly: &mut Assembly, budget: &Arc<Budget>, frame: Option<(usize, bool)>) -> Option<Incoming> {
    if let Some(announced) = assembly.announced() {
        let (len, has_room) = frame.expect("a frame is announced");
        assert_eq!(announced as usize, len);
        if !assembly.fits_stage(len) {
            let buffer = if has_room { budget.fetch_buf(Class::Fetch, len) } else { None };
            assembly.begin(len, buffer.map_or(Room::None, Room::Buffer));
        }
    }
    assembly.next()
}

fn compare(assembly: &mut Assembly, incoming: Incoming, frame: &[u8]) {
    match incoming {
        Incoming::Staged { start, end } => {
            let stage = assembly.lend();
            assert_eq!(&stage[start..end], frame);
            assembly.give_back(stage);
        }
        Incoming::Leased(buffer) => assert_eq!(buffer.as_ref(), frame),
        Incoming::Refused { start, end, len } => {
            let stage = assembly.lend();
            assert_eq!(len, frame.len());
            assert_eq!(&stage[start..end], &frame[..end - start], "the head of what was thrown away");
            assert!(end - start >= 64, "enough to tell what it answers");
            assembly.give_back(stage);
        }
    }
}
