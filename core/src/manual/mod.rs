//! Pages that are not about one item.

pub mod from_properties;
pub mod from_rskafka;
pub mod how_fast;
pub mod on_a_microcontroller;
#[cfg(feature = "tls")]
pub mod secure;
pub mod where_it_runs;
