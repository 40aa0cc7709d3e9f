//! Names as an environment has them.

use alloc::{format, string::String};

use super::{Dialect, nearest::nearest};
use crate::Error;

/// Letters that may be wrong in a variable's name before it counts as one that is none of ours.
const SLIPS_MAX: usize = 2;

/// The pair that an environment variable stands for: `KAFKA_BOOTSTRAP_SERVERS` for `bootstrap.servers`. `None` for variables
/// that begin otherwise, and for those that are near no name of the dialect: `KAFKA_HEAP_OPTS` or `KAFKA_PORT`, which others
/// set. One that is nearly a name is answered, so that [`from_properties`](super::from_properties) tells what it should be.
///
/// ```
/// use klamm::properties::{Dialect, pair_of_variable};
/// let pair = pair_of_variable(Dialect::Java, "KAFKA_LINGER_MS", Some("5".into()))?;
/// assert_eq!(pair, Some(("linger.ms".into(), "5".into())));
/// assert_eq!(pair_of_variable(Dialect::Java, "KAFKA_HEAP_OPTS", Some("-Xmx1G".into()))?, None);
/// # Ok::<(), klamm::Error>(())
/// ```
///
/// # Errors
/// [`Error::Config`] for a variable of ours whose value is no text, which is what `None` means.
pub fn pair_of_variable(
    dialect: Dialect,
    variable: &str,
    value: Option<String>,
) -> Result<Option<(String, String)>, Error> {
    let Some(key) = key_of_variable(dialect, variable) else { return Ok(None) };
    let Some(value) = value else { return Err(Error::config("properties", format!("{variable} is not UTF-8"))) };
    Ok(Some((key, value)))
}

fn key_of_variable(dialect: Dialect, variable: &str) -> Option<String> {
    let key = variable.strip_prefix("KAFKA_")?.to_ascii_lowercase().replace('_', ".");
    let (_, slips) = nearest(dialect, &key)?;
    (slips <= SLIPS_MAX).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_slips_are_told_from_what_others_set() {
        for (variable, key) in [
            ("KAFKA_BOOTSTRAP_SERVERS", Some("bootstrap.servers")),
            ("KAFKA_SSL_CA_LOCATION", Some("ssl.ca.location")),
            ("KAFKA_LINGR_MS", Some("lingr.ms")),
            ("KAFKA_HEAP_OPTS", None),
            ("KAFKA_PORT", None),
            ("KAFKA_SERVICE_HOST", None),
            ("KAFKA_HOME", None),
            ("KAFKA_", None),
            ("BOOTSTRAP_SERVERS", None),
        ] {
            let pair = pair_of_variable(Dialect::Librdkafka, variable, Some("v".into())).expect("text");
            assert_eq!(pair, key.map(|key| (key.into(), "v".into())), "{variable}");
            let no_text = pair_of_variable(Dialect::Librdkafka, variable, None);
            assert_eq!(no_text.is_err(), key.is_some(), "{no_text:?}");
        }
    }
}
