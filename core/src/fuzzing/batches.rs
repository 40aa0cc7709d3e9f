//! Record batches as a fetch brings them.

use alloc::vec::Vec;
use core::hint::black_box;

use crate::record::{
    BATCH_HEADER_LEN, BatchHeader, BatchView, Batches, ControlType, Header, LOG_OVERHEAD, RecordParts, RecordView,
    TimestampType, encode_record, seal_crc,
};

/// The bytes are a records field. Every batch in it is read as far as it can be; what can be read is written again, and
/// must read the same.
pub fn batches(data: &[u8]) {
    let mut batches = Batches::new(data);
    let (mut whole, mut failed) = (0, false);
    for batch in batches.by_ref() {
        match batch {
            Ok(batch) => {
                whole += batch.bytes.len();
                one(&batch);
            }
            Err(_) => failed = true,
        }
    }
    assert_eq!(whole + batches.tail(), data.len());
    if let Some(needed) = batches.needed() {
        assert!(!failed && needed > batches.tail());
    }
}

fn one(batch: &BatchView<'_>) {
    black_box(batch.check_crc().is_ok());
    assert!(batch.next_offset() > batch.last_offset() && batch.last_offset() >= batch.header.base_offset);
    // What is compressed is not inflated here: that is for the codecs' targets. Its bytes may be records all the same.
    let Ok(records) = batch.records_of(batch.payload()) else { return };
    assert_eq!(records.len(), records.count(), "every record that was checked is given");
    for record in records {
        assert!((batch.header.base_offset..=batch.last_offset()).contains(&record.offset()));
        assert_eq!(record.headers().len(), record.headers().count(), "every header that was checked is given");
        if batch.is_control() {
            black_box(ControlType::of_key(record.key()));
        }
    }
    again(batch, records);
}

fn again(batch: &BatchView<'_>, records: crate::record::Records<'_>) {
    let mut payload = Vec::new();
    for record in records {
        let Some(headers) = headers(&record) else { return };
        let base = match batch.timestamp_type() {
            TimestampType::CreateTime => batch.header.base_timestamp,
            TimestampType::LogAppendTime => batch.header.max_timestamp,
        };
        let parts = RecordParts {
            timestamp_delta: record.timestamp().wrapping_sub(base),
            offset_delta: (record.offset() - batch.header.base_offset) as u32,
            key: record.key(),
            value: record.value(),
            headers: &headers,
        };
        encode_record(&mut payload, &parts);
    }
    let batch_length = (BATCH_HEADER_LEN - LOG_OVERHEAD + payload.len()) as i32;
    let header = BatchHeader { batch_length, attributes: batch.header.attributes.plain(), ..batch.header };
    let mut bytes = header.write();
    seal_crc(&mut bytes, core::iter::once(&payload[..]));
    let whole = [&bytes[..], &payload].concat();
    let mut second = Batches::new(&whole);
    let Some(Ok(second)) = second.next() else { panic!("what was written is a batch") };
    assert_eq!(second.check_crc(), Ok(()));
    let second = second.records().expect("what was written can be read");
    assert_eq!(records.len(), second.len());
    for (a, b) in records.zip(second) {
        let plain = |r: &RecordView<'_>| (r.offset(), r.timestamp());
        assert_eq!((plain(&a), a.key(), a.value()), (plain(&b), b.key(), b.value()));
        assert!(a.headers().eq(b.headers()));
    }
}

/// `None` if a name is not UTF-8, which an application cannot write.
fn headers<'a>(record: &RecordView<'a>) -> Option<Vec<Header<'a>>> {
    record.headers().map(|h| h.key().ok().map(|key| Header { key, value: h.value })).collect()
}
