//! Names as an environment has them.

use alloc::string::String;

use super::{Dialect, nearest::nearest};

/// Letters that may be wrong in a variable's name before it counts as one that is none of ours.
const SLIPS_MAX: usize = 2;

/// The name that an environment variable stands for: `KAFKA_BOOTSTRAP_SERVERS` for `bootstrap.servers`. `None` for variables
/// that begin otherwise, and for those that are near no name of the dialect: `KAFKA_HEAP_OPTS` or `KAFKA_PORT`, which others
/// set. One that is nearly a name is answered, so that [`from_properties`](super::from_properties) tells what it should be.
///
/// ```
/// use klamm::properties::{Dialect, key_of_variable};
/// assert_eq!(key_of_variable(Dialect::Java, "KAFKA_LINGER_MS").as_deref(), Some("linger.ms"));
/// assert_eq!(key_of_variable(Dialect::Java, "KAFKA_HEAP_OPTS"), None);
/// ```
pub fn key_of_variable(dialect: Dialect, variable: &str) -> Option<String> {
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
            assert_eq!(key_of_variable(Dialect::Librdkafka, variable).as_deref(), key, "{variable}");
        }
    }
}
