//! klamm-codegen
