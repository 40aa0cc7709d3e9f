//! klamm-examples
