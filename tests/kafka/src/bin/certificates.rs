//! `certificates DIR`: what `cluster start --tls DIR` wants, for brokers by hand; clients trust `DIR/ca.pem`.

use std::path::PathBuf;

fn main() {
    let Some(dir) = std::env::args().nth(1).map(PathBuf::from) else { panic!("usage: certificates DIR") };
    std::fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    klamm_kafka_tests::Certificates::make(&dir);
}
