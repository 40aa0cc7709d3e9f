//! Pages that are not about one item.

pub mod from_rskafka;
pub mod how_fast;
pub mod where_it_runs;
