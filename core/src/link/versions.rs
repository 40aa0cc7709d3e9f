//! Which versions a broker speaks.

use alloc::vec::Vec;

use crate::{error::PeerFault, wire::Api};

/// The ranges that a broker gave, of those APIs that this client knows.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct Versions(Vec<(i16, i16, i16)>);

impl Versions {
    /// Keeps the ranges of known APIs; whatever else a broker lists costs nothing.
    pub(crate) fn learn(&mut self, ranges: impl Iterator<Item = (i16, i16, i16)>) {
        self.0.clear();
        for (key, min, max) in ranges {
            if crate::wire::api::ALL.iter().any(|a| a.key == key) && self.0.iter().all(|(k, ..)| *k != key) {
                self.0.push((key, min, max));
            }
        }
    }

    /// The oldest and the newest version that the broker speaks; −1 if it does not know the API.
    pub(crate) fn range(&self, api: Api) -> (i16, i16) {
        self.0.iter().find(|(key, ..)| *key == api.key).map_or((-1, -1), |(_, min, max)| (*min, *max))
    }

    /// The newest version that both sides speak, not above `cap`. A range, never an exact version, decides (trap 4); our
    /// own floor holds even if the broker claims to go lower (trap 3), and unstable versions are never chosen.
    pub(crate) fn newest(&self, api: Api, cap: i16) -> Result<i16, PeerFault> {
        let (broker_min, broker_max) = self.range(api);
        let newest = broker_max.min(api.max).min(cap);
        if broker_max < 0 || newest < api.min || newest < broker_min {
            return Err(PeerFault::NoCommonVersion {
                api: api.name,
                broker_min,
                broker_max,
                min: api.min,
                max: api.max.min(cap),
            });
        }
        Ok(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api;

    fn speaks(min: i16, max: i16) -> Versions {
        let mut versions = Versions::default();
        versions.learn([(api::PRODUCE.key, min, max)].into_iter());
        versions
    }

    /// Traps 3 and 4: a range on each side, and a floor of our own.
    #[test]
    fn the_newest_common_version_is_chosen() {
        assert_eq!(speaks(0, 13).newest(api::PRODUCE, api::PRODUCE.max), Ok(13));
        assert_eq!(speaks(2, 9).newest(api::PRODUCE, api::PRODUCE.max), Ok(9));
        assert_eq!(speaks(3, 3).newest(api::PRODUCE, api::PRODUCE.max), Ok(3));
        assert_eq!(speaks(5, 99).newest(api::PRODUCE, 12), Ok(12));
    }

    #[test]
    fn no_common_version_names_both_ranges() {
        for (min, max) in [(0, 2), (14, 20)] {
            let fault = speaks(min, max).newest(api::PRODUCE, api::PRODUCE.max).expect_err("nothing in common");
            let PeerFault::NoCommonVersion { broker_min, broker_max, min: 3, max: 13, .. } = fault else {
                panic!("{fault:?}")
            };
            assert_eq!((broker_min, broker_max), (min, max));
        }
        assert!(Versions::default().newest(api::PRODUCE, api::PRODUCE.max).is_err());
    }
}
