//! Figures of small components: what is promised in the README has its ceiling here.

use klamm_kafka_tests::{Cluster, connect, read_all};
use klamm_wasm_host::{Guest, Ran};

use super::{guest, succeeded};

/// The lines that the documentation begins with: one record, within 2 MiB of linear memory for a budget of 1 MiB, and within
/// 20 ms from instantiation on. The best of some counts, because other programs use this machine, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hello_is_small_and_quick() {
    let cluster = Cluster::start(1, &[]);
    cluster.create_topic("hello", 1, 1);
    let guest = Guest::compile("klamm_wasm_producer");
    let mut best: Option<Ran> = None;
    for n in 0..20 {
        let value = format!("value {n}");
        let ran = succeeded(guest.run(&[cluster.bootstrap(), &value]).await);
        if best.as_ref().is_none_or(|best| ran.took < best.took) {
            best = Some(ran);
        }
    }
    let best = best.expect("there were some");
    read_all(&connect(&cluster).await, "hello", 20).await;
    println!(
        "note: hello: {:?} from instantiation to its end; {} bytes of linear memory",
        best.took, best.memory_bytes
    );
    assert!(best.memory_bytes <= 2 << 20, "{best:?}");
    assert!(best.took.as_millis() <= 20, "{best:?}");
}

/// A budget is what it says under load, too: what is beside it are the program's own data, its stack, and what it reads and writes with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_bounds_the_linear_memory() {
    let cluster = Cluster::start(1, &[]);
    cluster.create_topic("load", 1, 1);
    let ran = succeeded(guest().run(&["produce", cluster.bootstrap(), "load", "500000", "100", "1048576"]).await);
    println!("note: 500000 records with a budget of 1 MiB: {} bytes of linear memory", ran.memory_bytes);
    assert!(ran.memory_bytes <= 2 << 20, "{ran:?}");
}

/// What a warm state weighs, and what it saves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warm_state_is_small() {
    let cluster = Cluster::start(1, &[]);
    cluster.create_topic("t", 3, 1);
    let guest = guest();
    for _ in 0..3 {
        let ran = succeeded(guest.run(&["warm", cluster.bootstrap(), "t"]).await);
        println!("note: {}", ran.out.trim().replace('\n', "; "));
        let bytes = ran.out.split(" bytes of state").next().and_then(|s| s.rsplit(' ').next()?.parse::<usize>().ok());
        assert!(bytes.is_some_and(|bytes| bytes < 500), "{ran:?}");
    }
}
