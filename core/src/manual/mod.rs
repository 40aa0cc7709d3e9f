//! Pages that are not about one item.

pub mod how_fast;
