//! Settings by other clients' names, as [`klamm::properties`] has them, with what a host adds: files and environment variables.
//!
//! ```
//! # use klamm_tokio::{Error, Record};
//! use klamm_tokio::properties::{Dialect, environment};
//! # async fn run(pairs: Vec<(String, String)>) -> Result<(), Error> {
//! // What the environment says counts before what the program says.
//! let properties = klamm_tokio::from_properties(Dialect::Java, pairs.into_iter().chain(environment(Dialect::Java)?))?;
//! let client = klamm_tokio::connect_with(properties.client()?).await?;
//! let producer = client.producer().config(properties.producer.clone()).build()?;
//! # producer.send(Record::to("orders").value("{}")).await?;
//! # Ok(()) }
//! ```

#[cfg(feature = "tls")]
#[path = "properties_tls.rs"]
mod encrypted;
#[cfg(not(feature = "tls"))]
#[path = "properties_plain.rs"]
mod encrypted;

#[cfg(feature = "oidc")]
#[path = "properties_oidc.rs"]
mod authenticated;
#[cfg(not(feature = "oidc"))]
#[path = "properties_no_oidc.rs"]
mod authenticated;

pub use klamm::properties::*;

#[cfg(feature = "oidc")]
pub use authenticated::oidc;
#[cfg(feature = "tls")]
pub use encrypted::tls;

use std::{env, ffi::OsString};

use klamm::Error;

/// Reads pairs of names and values, as [`klamm::properties::from_properties`] does, and the files that they name, at once: what
/// comes of it is ready for [`connect_with`](crate::connect_with).
///
/// Tokens of a server (`sasl.oauthbearer.token.endpoint.url`) need the feature `oidc`.
///
/// `security.protocol` SSL and SASL_SSL take the cryptography of the feature `ring` or `aws-lc-rs`; for any other see `tls`, which
/// there is with the feature `tls`.
///
/// # Errors
/// [`Error::Config`], as there; for a file that cannot be read or is not what it should be the setting is `tls`, and the text has
/// the file's name.
pub fn from_properties<K, V>(dialect: Dialect, pairs: impl IntoIterator<Item = (K, V)>) -> Result<Properties, Error>
where
    K: AsRef<str>,
    V: AsRef<str>,
{
    authenticated::finished(encrypted::finished(klamm::properties::from_properties(dialect, pairs)?)?)
}

/// The pairs that this process's environment has, `KAFKA_BOOTSTRAP_SERVERS` for `bootstrap.servers`: for
/// [`from_properties`], alone or chained behind others. Which variables these are: [`pair_of_variable`].
///
/// # Errors
/// [`Error::Config`] for a value that is not UTF-8, with the variable's name.
pub fn environment(dialect: Dialect) -> Result<Vec<(String, String)>, Error> {
    pairs_of(dialect, env::vars_os())
}

fn pairs_of(
    dialect: Dialect,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, Error> {
    let ours = variables.into_iter().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        pair_of_variable(dialect, &name, value.into_string().ok()).transpose()
    });
    ours.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_pairs() {
        let variables =
            [("KAFKA_BOOTSTRAP_SERVERS", "a:1"), ("HOME", "/"), ("KAFKA_OPTS", "-X"), ("KAFKA_LINGER_MS", "7")];
        let pairs = pairs_of(Dialect::Java, variables.map(|(name, value)| (name.into(), value.into()))).expect("text");
        let properties = from_properties(Dialect::Java, pairs).expect("sound");
        assert_eq!(properties.client().expect("plaintext").bootstrap, "a:1");
        assert_eq!(properties.producer.linger_ms, 7);
    }

    #[test]
    #[cfg(unix)]
    fn a_value_that_is_no_text_is_told() {
        use std::os::unix::ffi::OsStringExt as _;
        let value = OsString::from_vec(vec![0xff]);
        let error = pairs_of(Dialect::Java, [("KAFKA_CLIENT_ID".into(), value)]).expect_err("no text");
        assert!(error.to_string().contains("KAFKA_CLIENT_ID"), "{error}");
    }
}
