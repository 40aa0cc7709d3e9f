//! Reading allocates nothing, whatever the bytes say; a frame is two allocations at most.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use klamm::wire::fetch_response::FetchResponse;
use klamm::wire::frame::{read_response_header, request_frame};
use klamm::wire::metadata_response::MetadataResponse;
use klamm::wire::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm::wire::{Reader, api, decode_body};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; the count is a cell of the thread without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.get();
    let result = work();
    (ALLOCATIONS.get() - before, result)
}

const FETCH: &[u8] = include_bytes!("../../../tests/golden/frames/FetchResponse-18.bin");
const METADATA: &[u8] = include_bytes!("../../../tests/golden/frames/MetadataResponse-13.bin");

#[test]
fn reading_a_response() {
    let (count, partitions) = allocations(|| {
        let mut r = Reader::new(&FETCH[4..]);
        read_response_header(&mut r, api::FETCH, 18).unwrap();
        let body: FetchResponse<'_> = decode_body(&mut r, 18).unwrap();
        body.responses.iter().flat_map(|topic| topic.partitions).filter(|p| p.records.is_some()).count()
    });
    assert_eq!((count, partitions), (0, 2));
}

/// Trap 11: counts and lengths that lie, at every place of a response, cost no memory.
#[test]
fn reading_what_lies() {
    for lie in [[0x7f, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x07], [0x80, 0, 0, 0]] {
        for at in 0..METADATA.len() - 12 {
            let mut bytes = METADATA.to_vec();
            bytes[8 + at..][..4].copy_from_slice(&lie);
            let (count, _) = allocations(|| {
                let mut r = Reader::new(&bytes[9..]);
                let body = decode_body::<MetadataResponse<'_>>(&mut r, 13);
                body.map(|body| body.topics.iter().map(|topic| topic.partitions.iter().count()).sum::<usize>())
            });
            assert_eq!(count, 0);
        }
    }
}

#[test]
fn writing_a_request() {
    let partitions = [0, 1, 2].map(|index| PartitionProduceData { index, records: Some(1 << 20) });
    let topics = [TopicProduceData { name: "orders", partition_data: &partitions, ..Default::default() }];
    let request = ProduceRequest { topic_data: &topics, ..Default::default() };
    let (count, frame) = allocations(|| request_frame(&request, 12, 1, Some("klamm")).unwrap());
    assert_eq!((count, frame.splits.len()), (2, 3));
}
