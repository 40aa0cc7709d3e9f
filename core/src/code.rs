//! The error codes that brokers answer with.
