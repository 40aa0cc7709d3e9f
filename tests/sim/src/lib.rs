//! Whole Klamm clients on virtual time and a virtual network, with the in-memory cluster, in one thread and from one
//! seed.
//!
//! A task is polled only when its waker fired; when nobody is runnable, time jumps to the next event. So a wake-up that
//! is lost shows as a run that stands still, and now and then a task that nobody woke is polled to see that it has
//! nothing to do. The same seed gives the same bytes at the same virtual times.
#![forbid(unsafe_code)]

mod check;
mod conn;
mod consume;
mod ledger;
mod network;
mod packing;
mod peer;
mod pipe;
mod plan;
mod produce;
mod rng;
mod run;
mod show;
mod sim;
mod storm;
mod trace;
mod transport;
mod world;

pub use peer::{Answer, Fixed, Listener, OnAnswer, OnRequest, Said, Script, Seen};
pub use pipe::{Chunks, How};
pub use rng::Rng;
pub use run::{Report, replay, run};
pub use sim::{Failure, Sim, op, sleep};
pub use trace::Trace;
pub use transport::{Shared, SimConnecting, SimStream, SimTransport};
pub use world::{Change, Counts, Network, Told, World};
