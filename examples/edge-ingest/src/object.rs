//! What an event must be: one JSON object.

use alloc::string::{String, ToString as _};
use core::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// Whether this is one JSON object; its text.
///
/// # Errors
/// What is wrong with it, and where.
pub(crate) fn check(body: &[u8]) -> Result<&str, String> {
    // Parsing skips over strings without looking whether they are UTF-8.
    let text = core::str::from_utf8(body).map_err(|error| error.to_string())?;
    serde_json::from_str::<Object>(text).map_err(|error| error.to_string())?;
    Ok(text)
}

/// Any JSON object; nothing of it is kept.
struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Object)
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Object)
    }
}
