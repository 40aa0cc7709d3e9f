//! klamm-broker

pub mod r#gen;
