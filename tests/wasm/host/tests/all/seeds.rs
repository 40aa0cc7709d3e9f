//! The simulator inside wasm.

use klamm_wasm_host::component;
use wasmtime::{Engine, Instance, Module, Store};

/// Thirty seeds, each with its own cluster, faults, clients and codecs: every byte, at its virtual time, is the same on 32 bits, in
/// wasm, and here.
#[test]
fn seeds_come_to_the_same_as_here() {
    let engine = Engine::default();
    let file = component("../../wasm32-unknown-unknown/release/klamm_wasm_sim");
    let module = Module::from_file(&engine, &file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    assert_eq!(module.imports().count(), 0, "it knows nothing of a host");
    for seed in 0..30 {
        // Each in an instance of its own: where one fails it is over.
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("instantiates");
        let run = instance.get_typed_func::<u64, u64>(&mut store, "seed").expect("exported");
        let there = run.call(&mut store, seed).unwrap_or_else(|trap| panic!("seed {seed}: {trap:?}"));
        let here = klamm_sim::run(seed, false).unwrap_or_else(|failure| panic!("seed {seed}: {failure}")).hash;
        assert_eq!(there, here, "seed {seed}");
    }
}
