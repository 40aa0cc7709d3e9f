//! What a seed compresses, and which batches are too large: drawn apart from everything else, so that a seed's other
//! choices stay as they are.

use klamm::compress::{BuiltIn, Codec, Codecs};
use klamm::{Config, Memory};

use crate::plan::{ProducerPlan, TopicPlan};
use crate::rng::Rng;

/// What a record has beside its value, at most.
const BESIDE: usize = 200;

pub(crate) struct Packing {
    pub(crate) readers: usize,
    /// Some broker may be too old for zstd.
    pub(crate) old_brokers: bool,
}

impl Packing {
    pub(crate) fn draw(
        &self,
        rng: &mut Rng,
        clients: &[Config],
        topics: &mut [TopicPlan],
        producers: &mut [ProducerPlan],
    ) {
        let least = |of: fn(&Memory) -> usize| clients.iter().map(|c| of(&c.memory)).min().unwrap_or(0);
        let inflate = least(|m| m.inflate_bytes);
        let batch = producers.iter().map(|p| p.config.batch_bytes).max().unwrap_or(0);
        let codecs: Vec<Codec> = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd]
            .into_iter()
            .filter(|codec| *codec != Codec::Zstd || !self.old_brokers)
            .collect();
        // Every reader has every codec in the end, and one batch beside.
        let held: usize = codecs.iter().map(|c| held(*c)).sum();
        let codecs: Vec<Codec> =
            if held * self.readers + 2 * batch < inflate { codecs } else { vec![Codec::Snappy, Codec::Lz4] };
        if 2 * batch >= inflate {
            return;
        }
        for producer in &mut *producers {
            if rng.chance(5_000) {
                producer.config.compression = rng.pick(&codecs);
                producer.bits = rng.pick(&[1, 3, u8::MAX]);
                producer.config.compression_jobs = rng.pick(&[0, 0, 1, 3]);
            }
        }
        for topic in &mut *topics {
            if rng.chance(1_500) {
                let codec = rng.pick(&codecs);
                topic.compression = rng.pick(&["uncompressed", codec.name()]);
            }
        }
        // Splitting takes room to inflate, which nobody has where budgets are smallest.
        if rng.chance(3_000) && inflate >= 64 << 10 {
            let record = producers.iter().map(|p| p.value_max).max().unwrap_or(0) + BESIDE;
            let max = record + rng.pick(&[0, 300, 2_000]);
            topics.iter_mut().for_each(|topic| topic.batch_max = Some(max));
            producers.iter_mut().for_each(|producer| producer.modest = true);
        }
    }
}

/// What a decompressor holds.
fn held(codec: Codec) -> usize {
    BuiltIn.decompressor(codec, usize::MAX).map_or(0, |d| d.memory())
}
