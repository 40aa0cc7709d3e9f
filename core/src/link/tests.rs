use alloc::{vec, vec::Vec};

use super::*;
use crate::{
    budget::{Budget, Class, Memory},
    sync::Arc,
    wire::{
        api::{API_VERSIONS, METADATA},
        frame::{Split, request_frame},
        metadata_request::MetadataRequest,
    },
};

fn budget() -> Arc<Budget> {
    Budget::new(Memory::of(256 << 10))
}

fn frame(len: usize, fill: u8) -> Vec<u8> {
    let mut bytes = (len as i32).to_be_bytes().to_vec();
    bytes.resize(len + 4, fill);
    bytes
}

/// Feeds `bytes` in pieces; answers what came out: the first byte and the length of each frame, and whether it was
/// refused.
fn assemble(stage: usize, bytes: &[u8], piece: usize, room: usize) -> Vec<(u8, usize, bool)> {
    let budget = budget();
    let mut assembly = Assembly::new(stage);
    let mut out = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let buffer = assembly.buffer();
        assert!(!buffer.is_empty(), "a read always has somewhere to go");
        let n = rest.len().min(piece).min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        rest = &rest[n..];
        assembly.received(n);
        loop {
            if let Some(len) = assembly.announced().map(|l| l as usize)
                && !assembly.fits_stage(len)
            {
                let buffer = if len <= room { budget.fetch_buf(Class::Fetch, len) } else { None };
                assembly.begin(len, buffer.map_or(Room::None, Room::Buffer));
            }
            match assembly.next() {
                Some(Incoming::Staged { start, end }) => {
                    let stage = assembly.lend();
                    out.push((stage[start], end - start, false));
                    assembly.give_back(stage);
                }
                Some(Incoming::Leased(buffer)) => {
                    let bytes = buffer.as_ref();
                    assert!(bytes.iter().all(|b| *b == bytes[0]), "bytes of one frame only");
                    out.push((bytes[0], bytes.len(), false));
                }
                Some(Incoming::Refused { start, end, len }) => {
                    let stage = assembly.lend();
                    assert!(stage[start..end].iter().all(|b| *b == stage[start]), "the head of one frame only");
                    out.push((stage[start], len, true));
                    assembly.give_back(stage);
                }
                None => break,
            }
        }
        assembly.compact();
    }
    out
}

/// Small frames come out of the stage, large ones out of buffers, refused ones leave only their head, however the
/// bytes are cut.
#[test]
fn frames_are_the_same_however_the_bytes_are_cut() {
    let lens = [5, 60, 4, 252, 253, 1000, 9, 3000, 20_000, 7, 256, 20_001, 4, 30];
    let bytes: Vec<u8> = lens.iter().enumerate().flat_map(|(i, len)| frame(*len, i as u8 + 1)).collect();
    let expected: Vec<_> = lens.iter().enumerate().map(|(i, len)| (i as u8 + 1, *len, *len >= 20_000)).collect();
    for piece in [1, 2, 3, 5, 7, 64, 255, 256, 1000, 100_000] {
        assert_eq!(assemble(256, &bytes, piece, 19_999), expected, "pieces of {piece}");
    }
    for stage in [64, 300, 4096] {
        assert_eq!(assemble(stage, &bytes, 777, 19_999), expected, "a stage of {stage}");
    }
}

fn link() -> Link<u32> {
    let lease = budget().lease(Class::Control, 1).expect("room");
    Link::new(LinkId(0), 1, Use::Control, Instant::FAR, 256, lease)
}

fn queue(link: &mut Link<u32>, context: u32, answered: bool) {
    let frame = request_frame(&MetadataRequest::default(), 12, link.correlation_id(), Some("t")).expect("encodes");
    link.queue(Outgoing {
        api: METADATA,
        version: 12,
        frame: &frame,
        bodies: &mut core::iter::empty(),
        deadline: Instant::from_nanos(9),
        response_max: 100,
        answered,
        context,
    });
}

fn pending_bytes(link: &Link<u32>) -> Vec<u8> {
    let mut slices: [&[u8]; 16] = [&[]; 16];
    let n = link.transmit(&mut slices);
    slices[..n].concat()
}

/// Trap 9: answers come in the order of requests; anything else ends the link.
#[test]
fn only_the_oldest_request_can_be_answered() {
    let mut l = link();
    queue(&mut l, 7, true);
    queue(&mut l, 8, true);
    let wrong = [0, 0, 0, 1, 0];
    assert!(matches!(l.answered(&wrong), Err(PeerFault::Correlation { got: 1, expected: Some(0) })));
    let right = [0, 0, 0, 0, 0];
    assert_eq!(l.answered(&right).map(|(p, _)| p.context), Ok(7));
    assert!(matches!(l.answered(&right), Err(PeerFault::Correlation { got: 0, expected: Some(1) })));
    assert_eq!(l.answered(&wrong).map(|(p, _)| p.context), Ok(8));
    assert!(matches!(l.answered(&right), Err(PeerFault::Correlation { got: 0, expected: None })));
    assert!(matches!(l.answered(&[0, 0]), Err(PeerFault::Correlation { .. })), "too short for an id");
}

/// Trap 9: after the largest correlation id comes zero.
#[test]
fn correlation_ids_wrap() {
    let mut l = link();
    l.next_correlation_id = i32::MAX;
    queue(&mut l, 1, true);
    assert_eq!(l.correlation_id(), 0);
}

/// Whether a request may have been acted on is decided by its last byte.
#[test]
fn a_request_counts_as_sent_with_its_last_byte() {
    let mut l = link();
    queue(&mut l, 1, true);
    let first = pending_bytes(&l).len();
    queue(&mut l, 2, true);
    let all = pending_bytes(&l).len();
    l.transmitted(first);
    l.transmitted(all - first - 1);
    let ends: Vec<(u32, bool)> = l.end().map(|u| (u.context, u.sent)).collect();
    assert_eq!(ends, [(1, true), (2, false)]);
}

/// Trap 12: a request without an answer holds no place among those that have one, and is done when it is written.
#[test]
fn an_unanswered_request_is_done_with_its_last_byte() {
    let mut l = link();
    queue(&mut l, 1, false);
    queue(&mut l, 2, true);
    assert_eq!(l.open_requests(), 2);
    let len = pending_bytes(&l).len() / 2;
    l.transmitted(len - 1);
    assert_eq!(l.next_done_unanswered(), None);
    l.transmitted(1);
    assert_eq!(l.next_done_unanswered(), Some(1));
    // Its correlation id was used up: the next answer carries the next one.
    assert_eq!(l.answered(&[0, 0, 0, 1, 0]).map(|(p, _)| p.context), Ok(2));
}

/// Trap 1: an ApiVersions answer has the old header in every version.
#[test]
fn the_greeting_has_the_old_header() {
    let mut l = link();
    let body = crate::wire::api_versions_request::ApiVersionsRequest::default();
    let frame = request_frame(&body, 3, 0, None).expect("encodes");
    l.queue(Outgoing {
        api: API_VERSIONS,
        version: 3,
        frame: &frame,
        bodies: &mut core::iter::empty(),
        deadline: Instant::FAR,
        response_max: 100,
        answered: true,
        context: 0,
    });
    let (_, rest) = l.answered(&[0, 0, 0, 0, 9, 9]).expect("matches");
    assert_eq!(rest.remaining(), 2, "no tag byte was taken for the header");
}

/// A batch goes out between the pieces of its frame, byte for byte, however little is taken at a time.
#[test]
fn bodies_stand_at_their_splits() {
    let budget = budget();
    let chunk = |fill: u8, len: usize| {
        let mut chunk = budget.chunk().expect("room");
        chunk.bytes_mut().extend_from_slice(&vec![fill; len]);
        chunk
    };
    let body = |fill: u8| Body {
        header: [fill; 61],
        batch: Arc::new(crate::producer::BatchBody::of(
            vec![chunk(fill + 1, 5), chunk(fill + 2, 3)],
            Default::default(),
        )),
    };
    let frame = Frame { bytes: vec![1; 10], splits: vec![Split { at: 4, len: 69 }, Split { at: 4, len: 69 }] };
    let mut expected = vec![1; 4];
    for fill in [20, 30] {
        expected.extend_from_slice(&[fill; 61]);
        expected.extend_from_slice(&[fill + 1; 5]);
        expected.extend_from_slice(&[fill + 2; 3]);
    }
    expected.extend_from_slice(&[1; 6]);
    for step in [1, 3, 60, 61, 62, 1000] {
        let mut outbox = Outbox::default();
        // What earlier frames left does not matter.
        outbox.push(&Frame { bytes: vec![7; 9], splits: vec![] }, core::iter::empty());
        outbox.advance(9);
        assert_eq!(outbox.push(&frame, [body(20), body(30)].into_iter()), 9 + expected.len() as u64);
        let mut got = Vec::new();
        while !outbox.is_empty() {
            let mut slices: [&[u8]; 3] = [&[]; 3];
            let n = outbox.slices(&mut slices);
            let offered = slices[..n].concat();
            let taken = offered.len().min(step);
            got.extend_from_slice(&offered[..taken]);
            outbox.advance(taken);
        }
        assert_eq!(got, expected, "steps of {step}");
    }
}

/// Frames that come faster than they are written stand one behind the other, and what is written makes room.
#[test]
fn frames_queue_up_without_growing_for_ever() {
    let mut outbox = Outbox::default();
    let (mut expected, mut got) = (Vec::new(), Vec::new());
    for round in 0..1_000usize {
        let frame = Frame { bytes: vec![round as u8; 1 + round % 50], splits: vec![] };
        expected.extend_from_slice(&frame.bytes);
        outbox.push(&frame, core::iter::empty());
        if round > 2 {
            let mut slices: [&[u8]; 4] = [&[]; 4];
            let n = outbox.slices(&mut slices);
            let offered = slices[..n].concat();
            let taken = offered.len().min(25);
            got.extend_from_slice(&offered[..taken]);
            outbox.advance(taken);
        }
        assert!(outbox.own_len() <= 2 * (expected.len() - got.len()) + 150, "round {round}");
    }
    while !outbox.is_empty() {
        let mut slices: [&[u8]; 4] = [&[]; 4];
        let n = outbox.slices(&mut slices);
        let offered = slices[..n].concat();
        got.extend_from_slice(&offered);
        outbox.advance(offered.len());
    }
    assert_eq!(got, expected);
}
