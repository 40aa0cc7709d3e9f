//! Operations on the cluster: what they do, what they survive, how they end.

use std::cell::RefCell;
use std::rc::Rc;

use crate::common::{SECOND, config, connected, inject, send, sim};
use klamm::wire::api;
use klamm::{Error, ErrorCode, NewTopic, OffsetSpec, PeerFault};
use klamm_broker::Action;
use klamm_sim::{op, sleep};

/// Offsets and deletions in every partition, each at its own leader; and the cluster's description.
#[test]
fn each_operation_does_what_it_says() {
    let mut sim = sim();
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(30 * SECOND, async move {
        let producer = client.producer().build().expect("a producer");
        for n in 0..9 {
            send(&world, &producer, n % 3, &format!("{n}")).await.expect("acknowledged");
        }
        let admin = client.admin();
        let specs = [OffsetSpec::Earliest, OffsetSpec::Latest, OffsetSpec::MaxTimestamp];
        let wanted = (0..3).map(|p| ("t", p, specs[p as usize]));
        let mut listed = op(&world, admin.list_offsets(wanted)).await.expect("listed");
        listed.sort_by_key(|l| l.partition);
        assert_eq!(listed.iter().map(|l| l.offset).collect::<Vec<_>>(), [Some(0), Some(3), Some(2)]);
        assert!(listed[2].timestamp_ms.is_some());
        let none = op(&world, admin.list_offsets([("t", 0, OffsetSpec::LatestTiered)])).await.expect("listed");
        assert_eq!(none[0].offset, None);

        let mut deleted = op(&world, admin.delete_records([("t", 0, 2), ("t", 1, -1)])).await.expect("deleted");
        deleted.sort_by_key(|d| d.partition);
        assert_eq!(deleted.iter().map(|d| d.low_watermark).collect::<Vec<_>>(), [2, 3]);

        let cluster = op(&world, admin.describe_cluster()).await.expect("described");
        let brokers: Vec<(i32, &str)> = cluster.brokers.iter().map(|b| (b.id, b.host.as_str())).collect();
        assert_eq!(brokers, [(1, "broker-1"), (2, "broker-2"), (3, "broker-3")]);
        assert_eq!((cluster.controller_id, cluster.cluster_id.is_empty()), (1, false));

        op(&world, admin.delete_topics(["t"])).await.expect("deleted");
        assert_eq!(world.lock().cluster.topics().count(), 0);
    });
    sim.finish(90 * SECOND).expect("everything ends");
}

/// What is refused is named with its reason, and what is not is done all the same.
#[test]
fn a_part_may_fail() {
    let mut sim = sim();
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move {
        let admin = client.admin();
        let error =
            op(&world, admin.delete_records([("t", 0, 0), ("t", 1, 5), ("t", -1, 0), ("no name!", 0, 0)])).await;
        let error = error.expect_err("three cannot be");
        assert_eq!(error.done.iter().map(|d| (d.partition, d.low_watermark)).collect::<Vec<_>>(), [(0, 0)]);
        let why = |name: &str| &error.failed.iter().find(|(n, _)| n == name).expect(name).1;
        assert!(matches!(why("t-1"), Error::Broker { code: ErrorCode::OFFSET_OUT_OF_RANGE, .. }), "{error}");
        assert!(matches!(why("t--1"), Error::Config { knob: "partition", .. }), "{error}");
        assert!(matches!(why("no name!-0"), Error::Config { knob: "topic", .. }), "{error}");

        let error = op(&world, admin.delete_topics(["t", "none", ".."])).await.expect_err("two cannot be");
        assert_eq!(error.done, ["t"]);
        let why = |name: &str| &error.failed.iter().find(|(n, _)| n == name).expect(name).1;
        assert!(matches!(why("none"), Error::Broker { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }), "{error}");
        assert!(matches!(why(".."), Error::Config { knob: "topic", .. }), "{error}");

        // A partition that no broker knows may be on its way; when the time is over, that is the reason.
        let before = world.lock().now();
        let error = op(&world, admin.list_offsets([("none", 0, OffsetSpec::Latest)])).await.expect_err("none");
        let [(name, Error::TimedOut { because: Some(because), knob: "request_timeout_ms", .. })] = &error.failed[..]
        else {
            panic!("{error:?}")
        };
        assert_eq!(name, "none-0");
        assert!(matches!(&**because, Error::Broker { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }), "{error}");
        assert!(world.lock().now() - before < 31_000_000_000);
    });
    sim.finish(90 * SECOND).expect("everything ends");
}

/// Trap 110: whoever is asked may not lead, may not answer, or may have done it already.
#[test]
fn errors_that_pass_are_retried() {
    let mut sim = sim();
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move {
        let admin = client.admin();
        inject(&world, api::LIST_OFFSETS, 3, Action::Fail(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        inject(&world, api::DELETE_RECORDS, 2, Action::Fail(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        inject(&world, api::DESCRIBE_CLUSTER, 2, Action::Fail(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
        let all = (0..3).map(|p| ("t", p, OffsetSpec::Earliest));
        assert_eq!(op(&world, admin.list_offsets(all)).await.expect("listed").len(), 3);
        assert_eq!(op(&world, admin.delete_records([("t", 2, -1)])).await.expect("deleted").len(), 1);
        op(&world, admin.describe_cluster()).await.expect("described");
        // It was done, and the answer never came: that it is gone is what was wanted.
        inject(&world, api::DELETE_TOPICS, 1, Action::CloseAfter);
        op(&world, admin.delete_topics(["t"])).await.expect("deleted");
        inject(&world, api::DELETE_TOPICS, 1, Action::Fail(ErrorCode::NOT_CONTROLLER));
        world.lock().change_cluster(|c| c.create_topic("t", 1, 1));
        op(&world, admin.delete_topics(["t"])).await.expect("deleted");
        assert_eq!(world.lock().cluster.pending_faults(), 0);
    });
    sim.finish(90 * SECOND).expect("everything ends");
}

/// Brokers of other versions: one without DescribeCluster is asked for metadata, one that cannot look up what is wanted is
/// named with both ranges, and no request of a kind that it does not know is ever sent.
#[test]
fn older_brokers_do_what_they_can() {
    let mut sim = sim();
    for node in 1..=3 {
        sim.world.lock().change_cluster(|c| {
            c.advertise(node, api::DESCRIBE_CLUSTER, None);
            c.advertise(node, api::LIST_OFFSETS, Some((1, 6)));
            c.advertise(node, api::DELETE_TOPICS, Some((1, 3)));
        });
    }
    let client = connected(&mut sim, config());
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move {
        let admin = client.admin();
        let cluster = op(&world, admin.describe_cluster()).await.expect("described");
        assert_eq!(cluster.brokers.len(), 3);
        assert!(!cluster.cluster_id.is_empty());
        let error = op(&world, admin.list_offsets([("t", 0, OffsetSpec::MaxTimestamp)])).await.expect_err("too old");
        let Error::Peer { fault: PeerFault::NoCommonVersion { broker_max: 6, min: 7, .. }, .. } = error.failed[0].1
        else {
            panic!("{error}")
        };
        op(&world, admin.delete_topics(["t"])).await.expect("deleted");
    });
    sim.finish(90 * SECOND).expect("everything ends");
}

/// There is a limit to how many are under way; beyond it a call fails at once, and the others go on.
#[test]
fn the_number_of_operations_is_bounded() {
    let mut sim = sim();
    let mut config = config();
    config.max_waiters = 64;
    let client = connected(&mut sim, config);
    let outcomes: Rc<RefCell<Vec<bool>>> = Rc::default();
    for n in 0..70 {
        let (client, world, outcomes) = (client.clone(), sim.world.clone(), Rc::clone(&outcomes));
        sim.spawn(format!("creator {n}"), async move {
            let made = op(&world, client.admin().create_topics([NewTopic::new(format!("new-{n}"), 1, 1)])).await;
            if let Err(error) = &made {
                assert!(matches!(error.failed[0].1, Error::Budget { knob: "max_waiters", .. }), "{error}");
            }
            outcomes.borrow_mut().push(made.is_ok());
        });
    }
    let world = sim.world.clone();
    sim.block_on(60 * SECOND, async move { sleep(&world, 20 * SECOND).await });
    let outcomes = outcomes.borrow();
    assert_eq!(outcomes.len(), 70);
    let made = outcomes.iter().filter(|made| **made).count();
    assert!((64..70).contains(&made), "{made} were made");
    assert_eq!(sim.world.lock().cluster.topics().count(), made + 1);
    drop(client);
    sim.finish(90 * SECOND).expect("everything ends");
}
