//! klamm-kafka-tests
