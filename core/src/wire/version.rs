use super::{WireError, api};

/// One API: its key, its name and the versions that we can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    /// The number that a request's header carries; −1 for what is no request, such as a header.
    pub key: i16,
    /// Kafka's name, without `Request` or `Response`.
    pub name: &'static str,
    /// The oldest version.
    pub min: i16,
    /// The newest stable version.
    pub max: i16,
    /// The newest version, which a broker speaks only when it is told to enable unstable ones.
    pub max_unstable: i16,
    /// The first flexible version (KIP-482); `i16::MAX` when there is none.
    pub flexible_from: i16,
}

impl Api {
    /// The API with this key, if we speak it.
    pub fn find(key: i16) -> Option<Api> {
        api::ALL.iter().find(|api| api.key == key).copied()
    }

    /// Whether this version has compact lengths and tagged fields.
    pub const fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }

    /// The version of the header in front of a request of this version.
    pub const fn request_header_version(&self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the header in front of a response of this version.
    ///
    /// The answer to ApiVersions always has the oldest header, because it may be of another version than the one
    /// asked for (KIP-511).
    pub const fn response_header_version(&self, version: i16) -> i16 {
        if self.is_flexible(version) && self.key != api::API_VERSIONS.key { 1 } else { 0 }
    }

    /// Refuses a version outside of `min..=max_unstable` with [`WireError::Unsupported`].
    pub const fn check(&self, version: i16) -> Result<(), WireError> {
        if version < self.min || version > self.max_unstable {
            return Err(WireError::Unsupported { api: self.name, version });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trap 1: the answer to ApiVersions has the header without tagged fields in every version.
    #[test]
    fn header_versions() {
        assert_eq!(api::API_VERSIONS.request_header_version(2), 1);
        assert_eq!(api::API_VERSIONS.request_header_version(3), 2);
        for version in 0..=api::API_VERSIONS.max {
            assert_eq!(api::API_VERSIONS.response_header_version(version), 0);
        }
        assert_eq!(api::PRODUCE.response_header_version(8), 0);
        assert_eq!(api::PRODUCE.response_header_version(9), 1);
    }

    #[test]
    fn unstable_versions_are_known_but_not_newest() {
        assert_eq!((api::INIT_PRODUCER_ID.max, api::INIT_PRODUCER_ID.max_unstable), (5, 6));
        assert_eq!(api::INIT_PRODUCER_ID.check(6), Ok(()));
        let refused = Err(WireError::Unsupported { api: "InitProducerId", version: 7 });
        assert_eq!(api::INIT_PRODUCER_ID.check(7), refused);
    }

    #[test]
    fn the_table_is_sorted_and_found_by_key() {
        assert!(api::ALL.is_sorted_by_key(|api| api.key));
        assert_eq!(Api::find(1), Some(api::FETCH));
        assert_eq!(Api::find(-1), None);
    }
}
