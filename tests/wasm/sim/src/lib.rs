//! The simulator in wasm: what each seed comes to must not depend on the machine, its pointers' size or its instructions.

/// Runs a seed; its trace's number, or 0 if it fails.
#[unsafe(no_mangle)]
pub extern "C" fn seed(seed: u64) -> u64 {
    klamm_sim::run(seed, false).map_or(0, |report| report.hash)
}
