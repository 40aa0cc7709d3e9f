use super::{Outcome, Request};
use crate::cluster::Cluster;
use crate::r#gen::api_versions_request::ApiVersionsRequest;
use crate::r#gen::api_versions_response::{ApiVersion, ApiVersionsResponse};
use klamm::ErrorCode;
use klamm::wire::{Reader, WireError, api, decode_body};

impl Cluster {
    pub(crate) fn api_versions(&mut self, request: &Request, body: &mut Reader<'_>) -> Result<Outcome, WireError> {
        let asked: ApiVersionsRequest<'_> = decode_body(body, request.version)?;
        let named = is_software(asked.client_software_name) && is_software(asked.client_software_version);
        let refused = request.refused.or(request.refused_after);
        let error = match refused {
            Some(code) => code,
            None if request.version >= 3 && !named => ErrorCode::INVALID_REQUEST,
            None => ErrorCode::NONE,
        };
        let ranges: Vec<ApiVersion> = if error.is_ok() { self.ranges(request.node).collect() } else { Vec::new() };
        request.reply(&ApiVersionsResponse {
            error_code: error.0,
            api_keys: &ranges,
            throttle_time_ms: request.throttle_ms,
            ..Default::default()
        })
    }

    /// The answer to a version that this broker does not know: in version 0, which every client can read, with the
    /// range that it does know (KIP-511).
    pub(crate) fn refuse_api_versions(&self, request: &Request) -> Result<Outcome, WireError> {
        let own: Vec<ApiVersion> =
            self.ranges(request.node).filter(|range| range.api_key == api::API_VERSIONS.key).collect();
        let readable = Request { version: 0, ..*request };
        readable.reply(&ApiVersionsResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION.0,
            api_keys: &own,
            ..Default::default()
        })
    }

    fn ranges(&self, node: i32) -> impl Iterator<Item = ApiVersion> {
        let ranges = self.nodes.get(&node).into_iter().flat_map(|node| &node.versions);
        ranges.map(|(&api_key, &(min_version, max_version))| ApiVersion { api_key, min_version, max_version })
    }
}

/// KIP-511: letters and digits, and between them also dots and dashes.
fn is_software(name: &str) -> bool {
    let alphanumeric = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    alphanumeric(name.chars().next())
        && alphanumeric(name.chars().next_back())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
}

#[cfg(test)]
#[path = "api_versions_tests.rs"]
mod tests;
