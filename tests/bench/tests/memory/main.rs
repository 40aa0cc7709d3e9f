//! The budget does not report on itself: a counting allocator compares what the client's thread really holds with what
//! `memory_plan` says, in one situation after the other, with small budgets and large ones. Each case prints a row of a table
//! (`-- --nocapture`), which says how much of it is leased, by class, and how much is not.

mod bomb;
mod keeping;
mod metadata;
mod prealloc;
mod pushing;
mod reconnect;
mod secured;
mod shaking;
mod steady;
mod waiting;

use klamm_bench::{counting::Counting, gauge};

#[global_allocator]
static ALLOCATOR: Counting = Counting;
