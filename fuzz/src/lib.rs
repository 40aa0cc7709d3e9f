//! What the fuzz targets do beyond one line, where it needs more than the core: other implementations of the codecs to
//! compare with, a whole cluster to talk to, and the other side of TLS.
#![forbid(unsafe_code)]

mod choices;
pub mod codecs;
pub mod machine;
mod net;
pub mod tls;
mod toy;
