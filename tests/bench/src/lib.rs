//! klamm-bench
