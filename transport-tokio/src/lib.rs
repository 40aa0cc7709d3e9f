//! klamm-tokio
