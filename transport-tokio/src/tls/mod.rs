//! TLS, as [`klamm::tls`] has it, with what a host adds: files, the system's CAs, and cryptography.
//!
//! ```no_run
//! # #[cfg(feature = "ring")]
//! # async fn run() -> Result<(), klamm_tokio::Error> {
//! use klamm_tokio::{Config, tls::{self, Files}};
//! // The CAs that this system trusts; `ca_file` for a CA of one's own.
//! let tls = tls::builder().system_cas().build()?;
//! let client = klamm_tokio::connect_with(Config::new("broker-1:9093").tls(tls)).await?;
//! # Ok(()) }
//! ```
//!
//! The features `ring` and `aws-lc-rs` bring `builder`, each with that library's cryptography; any other goes into
//! [`Tls::builder`] with the feature `tls` alone.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc_rs;
mod files;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
mod ring;

#[cfg(feature = "aws-lc-rs")]
pub use aws_lc_rs::builder;
pub use files::Files;
pub(crate) use files::read;
pub use klamm::tls::*;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
pub use ring::builder;
