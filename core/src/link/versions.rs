//! Which versions a broker speaks.

use crate::error::PeerFault;
use crate::wire::{Api, api};

/// Every key is below this. The table of all APIs is asked while compiling only.
const KEYS: usize = match api::ALL.last() {
    Some(last) => (last.key as usize).saturating_add(1),
    None => 0,
};

/// What a broker says of an API that it does not list.
const UNKNOWN: (i8, i8) = (-1, -1);

/// The ranges that a broker gave, by the API's key: two bytes each, of all that a client could speak. A table of the APIs
/// that this program does speak would be smaller, and would keep the names of the others in every program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Versions([(i8, i8); KEYS]);

impl Default for Versions {
    fn default() -> Self {
        Self([UNKNOWN; KEYS])
    }
}

impl Versions {
    /// Keeps the ranges of known keys, the first of each; whatever else a broker lists costs nothing. Versions beyond
    /// 127 count as 127.
    pub(crate) fn learn(&mut self, ranges: impl Iterator<Item = (i16, i16, i16)>) {
        *self = Self::default();
        let clamp = |version: i16| i8::try_from(version.clamp(-1, i8::MAX.into())).unwrap_or(i8::MAX);
        for (key, min, max) in ranges {
            let place = usize::try_from(key).ok().and_then(|key| self.0.get_mut(key));
            if let Some(place) = place.filter(|place| **place == UNKNOWN) {
                *place = (clamp(min), clamp(max));
            }
        }
    }

    /// The oldest and the newest version that the broker speaks; −1 if it does not know the API.
    pub(crate) fn range(&self, api: Api) -> (i16, i16) {
        let range = usize::try_from(api.key).ok().and_then(|key| self.0.get(key)).unwrap_or(&UNKNOWN);
        (i16::from(range.0), i16::from(range.1))
    }

    /// What is known, by ascending key: the oldest and the newest version.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (i16, i8, i8)> {
        let known = self.0.iter().zip(0i16..).filter(|(range, _)| **range != UNKNOWN);
        known.map(|((min, max), key)| (key, *min, *max))
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

    /// Trap 11: keys and versions that cannot be, and keys that are listed twice.
    #[test]
    fn a_strange_list_does_no_harm() {
        let mut versions = Versions::default();
        let strange = [(-1, 0, 9), (i16::MAX, 0, 9), (1, 4, i16::MAX), (1, 0, 5), (2, i16::MIN, i16::MIN), (3, 9, 2)];
        versions.learn(strange.into_iter());
        assert_eq!(versions.newest(api::FETCH, api::FETCH.max), Ok(api::FETCH.max), "the first of two counts");
        assert!(versions.newest(api::LIST_OFFSETS, 11).is_err());
        assert!(versions.newest(api::METADATA, 13).is_err());
    }
}
