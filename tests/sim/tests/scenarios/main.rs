//! Situations that are scripted, not drawn from a seed.

mod bad_input;
mod common;
mod traps;
