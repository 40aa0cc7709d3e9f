//! Without the feature `tls` whoever asks for encryption was refused before.

use klamm::{Error, properties::Properties};

pub(super) fn finished(properties: Properties) -> Result<Properties, Error> {
    Ok(properties)
}
