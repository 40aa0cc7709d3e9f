//! Without the feature `oidc` nobody gets tokens of a server.

use klamm::{Error, properties::Properties};

pub(super) fn finished(properties: Properties) -> Result<Properties, Error> {
    match &properties.oidc {
        None => Ok(properties),
        Some(oidc) => Err(oidc.lacking("needs the feature `oidc` of klamm-tokio")),
    }
}

#[cfg(all(test, feature = "sasl"))]
mod tests {
    use crate::properties::{Dialect, from_properties};

    #[test]
    fn the_feature_is_named() {
        let pairs = [
            ("bootstrap.servers", "a:1"),
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.oauthbearer.token.endpoint.url", "https://example.com/token"),
            ("sasl.oauthbearer.client.credentials.client.id", "me"),
            ("sasl.oauthbearer.client.credentials.client.secret", "tremendously-secret"),
        ];
        let error = from_properties(Dialect::Java, pairs).expect_err("nobody gets tokens").to_string();
        assert!(error.contains("feature `oidc`") && !error.contains("tremendously"), "{error}");
    }
}
