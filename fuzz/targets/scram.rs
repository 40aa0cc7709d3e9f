#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| klamm::fuzzing::scram(data));
