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
#[cfg(all(feature = "oidc", any(feature = "ring", feature = "aws-lc-rs")))]
mod chosen;
#[cfg(all(feature = "oidc", not(any(feature = "ring", feature = "aws-lc-rs"))))]
#[path = "not_chosen.rs"]
mod chosen;
mod files;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
mod ring;

#[cfg(feature = "aws-lc-rs")]
pub use aws_lc_rs::builder;
#[cfg(all(feature = "oidc", feature = "aws-lc-rs"))]
use aws_lc_rs::provider;
pub use files::Files;
pub(crate) use files::read;
pub use klamm::tls::*;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
pub use ring::builder;
#[cfg(all(feature = "oidc", feature = "ring", not(feature = "aws-lc-rs")))]
use ring::provider;

#[cfg(feature = "oidc")]
pub(crate) use chosen::default_provider;
