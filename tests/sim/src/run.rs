//! One seed, from its plan to its verdict.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use klamm::{Client, NewTopic};

use crate::check::check;
use crate::consume::Reader;
use crate::ledger::{Ctx, Ledger, Outcome};
use crate::plan::{Born, Plan, TopicPlan};
use crate::produce::Writer;
use crate::rng::Rng;
use crate::sim::{Failure, Sim, op, sleep};
use crate::world::Counts;

/// What a seed that ended well did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The number for every byte, outcome and time.
    pub hash: u64,
    /// How often each kind of fault happened.
    pub counts: Counts,
    /// Records that were acknowledged.
    pub acked: u64,
    /// Records that failed and may be in a log.
    pub maybe: u64,
    /// Records that failed and are in no log.
    pub failed: u64,
    /// Records that consumers were given.
    pub given: u64,
    /// How long it took in virtual time.
    pub span: Duration,
}

/// How the failure of a seed can be seen again.
pub fn replay(seed: u64) -> String {
    format!("cargo run --release -p klamm-sim -- {seed} --trace")
}

/// So long after the storm everything must be over.
const AFTERMATH: Duration = Duration::from_secs(120);

/// Runs one seed. `print`: each event as a line on standard output.
///
/// # Errors
/// What went wrong, panics included.
pub fn run(seed: u64, print: bool) -> Result<Report, Failure> {
    catch_unwind(AssertUnwindSafe(|| simulate(seed, print))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("with no message");
        Err(Failure(format!("panicked: {text}")))
    })
}

fn simulate(seed: u64, print: bool) -> Result<Report, Failure> {
    let plan = Plan::new(seed);
    let mut sim = Sim::new(seed, plan.cluster.clone(), print);
    (sim.audit, sim.spurious, sim.inline) = (plan.audit, plan.spurious, plan.inline);
    {
        let mut world = sim.world.lock();
        world.network = plan.network.clone();
        world.change_cluster(|cluster| {
            plan.caps.iter().for_each(|(node, api, max)| cluster.advertise(*node, *api, Some((0, *max))));
            cluster.zero_topic_ids(plan.zero_topic_ids);
        });
        plan.storm.clone().begin(seed, &mut world);
    }
    let ctx = Rc::new(Ctx { world: sim.world.clone(), ledger: RefCell::new(Ledger::default()) });
    let clients = plan.clients.iter().map(|config| sim.client(config.clone())).collect::<Result<Vec<_>, _>>();
    let clients = clients.map_err(|error| Failure(format!("a client could not be made: {error}")))?;
    let topics = Rc::new(plan.topics.clone());
    for topic in topics.iter() {
        create(&mut sim, &ctx, &clients[0], topic);
    }
    applications(&mut sim, &ctx, &plan, clients, &topics, seed)?;
    let limit = Duration::from_nanos(plan.storm.span) + AFTERMATH;
    let run = sim.run_until(limit, |_| is_complete(&ctx, &plan));
    let run = run.and_then(|()| {
        ctx.ledger.borrow_mut().stop = true;
        sim.finish(AFTERMATH)
    });
    let ledger = ctx.ledger.borrow();
    if let Some(wrong) = ledger.wrong.first() {
        return Err(Failure(format!("{wrong} ({} such)", ledger.wrong.len())));
    }
    run.map_err(|failure| Failure(format!("{failure}; {}", unread(&ctx, &plan, &ledger))))?;
    let world = sim.world.lock();
    let wrong = check(&plan, &world.cluster, &ledger);
    if let Some(first) = wrong.first() {
        return Err(Failure(format!("{first} ({} such)", wrong.len())));
    }
    for client in 0..plan.clients.len() {
        let last = world.told.iter().rfind(|told| told.client == client);
        if last.is_none_or(|told| told.name != "closed") {
            return Err(Failure(format!("the last that client {client} told is {last:?}")));
        }
    }
    let counts = packed(&plan, &world.cluster, world.counts.clone());
    let count = |is: fn(&Outcome) -> bool| ledger.entries.iter().filter(|e| is(&e.outcome)).count() as u64;
    Ok(Report {
        hash: world.trace.hash(),
        counts,
        acked: count(|o| matches!(o, Outcome::Acked { .. })),
        maybe: count(|o| matches!(o, Outcome::Failed(e) if e.fate() == klamm::Fate::MaybePersisted)),
        failed: count(|o| matches!(o, Outcome::Failed(e) if e.fate() == klamm::Fate::NotPersisted)),
        given: ledger.given.iter().map(|g| g.len() as u64).sum(),
        span: Duration::from_nanos(world.now()),
    })
}

/// Adds how many batches are compressed in the logs, and how many were too large for them.
fn packed(plan: &Plan, cluster: &klamm_broker::Cluster, mut counts: Counts) -> Counts {
    for topic in plan.topics.iter().filter(|t| cluster.topic_id(&t.name).is_some()) {
        for batch in (0..topic.partitions).flat_map(|partition| cluster.log(&topic.name, partition)) {
            if batch.header().attributes.codec() != Ok(klamm::Codec::None) {
                counts.add("compressed batch");
            }
        }
    }
    (0..cluster.too_large()).for_each(|_| counts.add("batch too large"));
    counts
}

fn create(sim: &mut Sim, ctx: &Rc<Ctx>, client: &Client, topic: &TopicPlan) {
    let (plan, by_hand) = (topic.clone(), topic.clone());
    let make = move |cluster: &mut klamm_broker::Cluster| {
        let settings = by_hand.settings();
        let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (partitions, replication) = (by_hand.partitions as usize, by_hand.replication as usize);
        if cluster.topic_id(&by_hand.name).is_none() {
            cluster.create_topic_with(&by_hand.name, partitions, replication, &settings);
        }
    };
    match topic.born {
        Born::First => sim.world.lock().change_cluster(make),
        Born::Later(at) => sim.world.lock().at(at, move |world| world.change_cluster(make)),
        Born::ByAdmin => {
            let (ctx, admin) = (Rc::clone(ctx), client.admin());
            sim.spawn(format!("admin {}", topic.name), async move {
                // Its time may be over before the storm is, and what it did may have been done all the same.
                for _ in 0..50 {
                    let new = NewTopic::new(&plan.name, plan.partitions, plan.replication);
                    let settings = plan.settings();
                    let new = settings.iter().fold(new, |new, (name, value)| new.config(*name, value.clone()));
                    let done = op(&ctx.world, admin.create_topics([new])).await;
                    if done.is_ok() || ctx.world.lock().cluster.topic_id(&plan.name).is_some() {
                        return;
                    }
                    sleep(&ctx.world, Duration::from_millis(100)).await;
                }
                ctx.wrong(format!("{} could not be created", plan.name));
            });
        }
    }
}

fn applications(
    sim: &mut Sim,
    ctx: &Rc<Ctx>,
    plan: &Plan,
    clients: Vec<Client>,
    topics: &Rc<Vec<TopicPlan>>,
    seed: u64,
) -> Result<(), Failure> {
    for (number, planned) in plan.producers.iter().enumerate() {
        let builder = |config| clients[planned.client].producer().config(config).build();
        let producer = match builder(planned.config.clone()) {
            // A small budget has no room for some codecs.
            Err(klamm::Error::Config { knob: "memory.produce_bytes", .. } | klamm::Error::Budget { .. }) => {
                let mut plain = planned.config.clone();
                plain.compression = klamm::Codec::None;
                builder(plain)
            }
            other => other,
        };
        let producer = producer.map_err(|error| Failure(format!("producer {number} could not be made: {error}")))?;
        for task in 0..planned.tasks {
            ctx.ledger.borrow_mut().producing += 1;
            let writer = Writer {
                ctx: Rc::clone(ctx),
                number,
                plan: planned.clone(),
                topics: Rc::clone(topics),
                producer: producer.clone(),
                rng: Rng::stream(seed, &format!("writer {number} {task}")),
                open: Vec::new(),
            };
            sim.spawn(format!("writer {number}.{task}"), writer.run());
        }
    }
    for (number, planned) in plan.consumers.iter().enumerate() {
        ctx.ledger.borrow_mut().given.push(Vec::new());
        let builder = clients[planned.client].consumer().config(planned.config.clone());
        let builder = match &planned.assigned {
            None => builder.topics(topics.iter().map(|t| &t.name)),
            Some(parts) => builder.assign(parts.iter().map(|(t, p)| (&topics[*t].name, *p))),
        };
        let consumer =
            builder.build().map_err(|error| Failure(format!("consumer {number} could not be made: {error}")))?;
        let reader = Reader {
            ctx: Rc::clone(ctx),
            number,
            plan: planned.clone(),
            topics: Rc::clone(topics),
            consumer,
            rng: Rng::stream(seed, &format!("reader {number}")),
            kept: VecDeque::new(),
            paused: Default::default(),
            seeks_left: 5,
        };
        sim.spawn(format!("reader {number}"), reader.run());
    }
    Ok(())
}

/// Whether everything is written and everything that is written was read.
fn is_complete(ctx: &Ctx, plan: &Plan) -> bool {
    let ledger = ctx.ledger.borrow();
    if !ledger.wrong.is_empty() {
        return true;
    }
    ledger.producing == 0 && behind(ctx, plan, &ledger).next().is_none()
}

/// What consumers have not read: consumer, topic, partition, how far, of how much.
fn behind<'a>(
    ctx: &'a Ctx,
    plan: &'a Plan,
    ledger: &'a Ledger,
) -> impl Iterator<Item = (usize, usize, i32, i64, i64)> + 'a {
    let readers = plan.consumers.iter().enumerate();
    let all = readers.flat_map(move |(reader, planned)| {
        let every = plan.topics.iter().enumerate().flat_map(|(t, topic)| (0..topic.partitions).map(move |p| (t, p)));
        let mine: Vec<(usize, i32)> = planned.assigned.clone().unwrap_or_else(|| every.collect());
        mine.into_iter().map(move |(topic, partition)| (reader, topic, partition))
    });
    all.filter_map(move |(reader, topic, partition)| {
        let world = ctx.world.lock();
        let name = &plan.topics[topic].name;
        world.cluster.topic_id(name)?;
        let end = world.cluster.end_offset(name, partition);
        let at = ledger.positions.get(&(reader, topic, partition)).copied().unwrap_or(0);
        (at < end).then_some((reader, topic, partition, at, end))
    })
}

fn unread(ctx: &Ctx, plan: &Plan, ledger: &Ledger) -> String {
    let open = ledger.entries.iter().filter(|e| matches!(e.outcome, Outcome::Open)).count();
    let behind: Vec<String> = behind(ctx, plan, ledger)
        .map(|(reader, topic, partition, at, end)| {
            format!("reader {reader} has {at} of {end} of {}-{partition}", plan.topics[topic].name)
        })
        .collect();
    format!("{open} records are open, {} writers run; {}", ledger.producing, behind.join(", "))
}
