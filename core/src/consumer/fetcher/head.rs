//! What the beginning of an answer tells when the rest of it was thrown away: where its first batch ends. A batch may have
//! any number of records, and whoever must pass one that never fits knows only the first of their offsets.

use crate::wire::{Reader, WireError};

/// The first batch of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FirstBatch {
    pub(super) partition: i32,
    /// After its last record.
    pub(super) next_offset: i64,
}

/// Reads as far as the first batch's header, if that much is there.
pub(super) fn first_batch(mut head: Reader<'_>, version: i16) -> Option<FirstBatch> {
    let partition = as_far_as_records(&mut head, version).ok()?;
    Some(FirstBatch { partition, next_offset: batch_end(head).ok()? })
}

/// Where the batch ends whose header this is, or begins with.
pub(super) fn batch_end(mut header: Reader<'_>) -> Result<i64, WireError> {
    let base = header.i64()?;
    header.take(BEFORE_THE_DELTA)?;
    Ok(base.saturating_add(i64::from(header.i32()?)).saturating_add(1))
}

/// Length, leader epoch, format, CRC and attributes.
const BEFORE_THE_DELTA: usize = 4 + 4 + 1 + 4 + 2;

/// [`FetchResponse`](crate::wire::fetch_response::FetchResponse) up to the records of its first partition; the partition.
fn as_far_as_records(r: &mut Reader<'_>, version: i16) -> Result<i32, WireError> {
    let flexible = version >= 12;
    r.i32()?; // throttled
    if version >= 7 {
        r.i16()?; // error
        r.i32()?; // session
    }
    length(r, flexible)?;
    if version >= 13 {
        r.uuid()?;
    } else {
        r.read_string(flexible)?;
    }
    length(r, flexible)?;
    let partition = r.i32()?;
    r.i16()?; // error
    r.i64()?; // high watermark
    r.i64()?; // last stable offset
    if version >= 5 {
        r.i64()?; // where the log begins
    }
    // Two numbers for each aborted transaction, and no tagged field that anybody knows.
    let aborted = length(r, flexible)?;
    r.take(aborted.saturating_mul(16 + usize::from(flexible)))?;
    if version >= 11 {
        r.i32()?; // another replica
    }
    length(r, flexible)?;
    Ok(partition)
}

/// How long the list or the bytes are that come next; 0 where there are none at all.
fn length(r: &mut Reader<'_>, flexible: bool) -> Result<usize, WireError> {
    Ok(if flexible { r.unsigned_varint()?.saturating_sub(1) as usize } else { usize::try_from(r.i32()?).unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        broker_role::fetch_response as broker,
        record::{Attributes, BATCH_HEADER_LEN, BatchHeader},
        wire::{Encode, Uuid, Writer},
    };

    /// Of a batch of seven records from here on.
    fn header(base_offset: i64) -> [u8; BATCH_HEADER_LEN] {
        let (producer_id, producer_epoch, base_sequence) = (-1, -1, -1);
        let (batch_length, partition_leader_epoch, magic, crc) = (4_988, 0, 2, 0);
        let (attributes, base_timestamp, max_timestamp) = (Attributes::default(), -1, -1);
        BatchHeader {
            base_offset,
            batch_length,
            partition_leader_epoch,
            magic,
            crc,
            attributes,
            last_offset_delta: 6,
            base_timestamp,
            max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence,
            record_count: 7,
        }
        .write()
    }

    /// In every version, with aborted transactions and without, the end is found in the first bytes, and in fewer nothing is.
    #[test]
    fn the_end_of_the_first_batch_is_found() {
        for version in 4..=18 {
            for aborted in [None, Some(&[][..]), Some(&[broker::AbortedTransaction::default(); 2][..])] {
                let partitions = [broker::PartitionData {
                    partition_index: 3,
                    aborted_transactions: aborted,
                    records: Some(100_000),
                    ..broker::PartitionData::default()
                }];
                let topic = if version <= 12 { "t" } else { "" };
                let topic_id = if version <= 12 { Uuid::ZERO } else { Uuid([7; 16]) };
                let responses = [broker::FetchableTopicResponse { topic, topic_id, partitions: &partitions }];
                let answer = broker::FetchResponse { responses: &responses, ..broker::FetchResponse::default() };
                let mut bytes = Writer::default();
                answer.encode(&mut bytes, version).expect("encodes");
                let mut head = bytes.bytes[..bytes.splits[0].at].to_vec();
                head.extend_from_slice(&header(40)[..27]);
                let found = first_batch(Reader::new(&head), version);
                assert_eq!(found, Some(FirstBatch { partition: 3, next_offset: 47 }), "version {version}");
                for less in 0..head.len() {
                    assert_eq!(first_batch(Reader::new(&head[..less]), version), None, "version {version}");
                }
            }
        }
    }

    #[test]
    fn an_end_beyond_all_numbers_is_the_last_one() {
        assert_eq!(batch_end(Reader::new(&header(i64::MAX))), Ok(i64::MAX));
    }
}
