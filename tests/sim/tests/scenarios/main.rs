//! Situations that are scripted, not drawn from a seed.

mod admin;
mod bad_input;
mod common;
mod events;
mod traps;
