//! Who the client is.

use alloc::{
    format,
    string::{String, ToString as _},
};

use klamm_wasi::sasl::{Sasl, ScramHash};

use crate::get;

pub(crate) fn of(environment: &[(String, String)]) -> Result<Option<Sasl>, String> {
    let (user, password) = match (get(environment, "KAFKA_USER"), get(environment, "KAFKA_PASSWORD")) {
        (Some(user), Some(password)) => (user, password),
        (None, None) => return Ok(None),
        _ => return Err("KAFKA_USER and KAFKA_PASSWORD belong together".to_string()),
    };
    match get(environment, "KAFKA_SASL").unwrap_or("SCRAM-SHA-256") {
        "SCRAM-SHA-256" => Ok(Some(Sasl::scram(ScramHash::Sha256, user, password))),
        "SCRAM-SHA-512" => Ok(Some(Sasl::scram(ScramHash::Sha512, user, password))),
        "PLAIN" => Ok(Some(Sasl::plain(user, password))),
        other => Err(format!("KAFKA_SASL makes no sense: {other}")),
    }
}
