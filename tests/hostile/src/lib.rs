//! A broker that lies, stalls and floods: its scripts, each with what a client must make of it.
//!
//! A script says what is wrong; what it says nothing of is answered by an in-memory cluster behind it. `tests/scripts.rs` runs
//! all of them against tokio, `tests/wasm/run` against a component, `examples/metal/run` against a microcontroller,
//! and the program `klamm-hostile` against whatever connects.

extern crate alloc;

mod front;
mod judge;
mod line;
mod script;
pub mod scripts;
mod speaker;
pub mod stall;
mod turn;
pub mod who;
pub mod work;

pub use front::{Front, Seen, certificates, front};
pub use judge::{Outcome, WITHIN};
pub use line::Line;
pub use script::{Plays, Script, Verdict};
pub use speaker::{Bytes, Speaker};
pub use turn::{Turn, Wire};
