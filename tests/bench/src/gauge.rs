//! Measures what a client holds in one situation, against its memory plan, and prints a row.

use std::sync::{Mutex, MutexGuard, Once, PoisonError, atomic::Ordering::Relaxed};

use klamm_tokio::{Budget, Class, Client, Config, Error, MemoryPlan};

use crate::counting::{CLASSES, COUNTED, LIVE, MOST, PEAK, uncounted};

/// What every situation is tried with.
pub const BUDGETS: [usize; 3] = [256 << 10, 4 << 20, 64 << 20];
/// What a whole program may have beside the plan, as its sockets and timers in the runtime: 64 KiB and 1 %.
const BESIDE_BYTES: usize = 64 << 10;

/// Budgets below this one may use that; all others keep to the plan as it is.
const SMALL: usize = 1 << 20;

/// One situation at a time: what is live is counted for the whole process.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at a client while it works, and compares what is live with what is leased.
#[derive(Debug)]
pub struct Gauge {
    before: isize,
    most: Look,
    /// The most that was live and in no lease.
    beside: isize,
}

#[derive(Clone, Copy, Default, Debug)]
struct Look {
    live: isize,
    leased: [usize; CLASSES.len()],
}

impl Gauge {
    /// To be called where much is held.
    pub fn look(&mut self, client: &Client) {
        let budget: &Budget = client.budget();
        let look = Look { live: LIVE.load(Relaxed) - self.before, leased: CLASSES.map(|class| budget.used(class)) };
        if look.live > self.most.live {
            self.most = look;
        }
        self.beside = self.beside.max(look.live - look.leased.iter().sum::<usize>() as isize);
        for class in CLASSES {
            assert!(budget.peak(class) <= budget.limit(class), "{class} passed its limit");
        }
    }
}

/// Connects, with the client's memory counted from here on.
pub async fn connect(config: &Config) -> Result<Client, Error> {
    klamm_tokio::connect_with(config.clone()).await
}

/// Runs a case on a runtime of this thread, and checks that what was live stayed within the plan. Where the config has a budget that
/// was taken from the allocator before, that refuses whatever is more than the plan has beside records.
pub fn case<T>(situation: &str, config: &Config, work: impl AsyncFnOnce(&mut Gauge) -> T) -> T {
    let _alone = alone();
    let plan = config.memory_plan().unwrap_or_else(|error| panic!("{situation}: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let before = LIVE.load(Relaxed);
    let mut gauge = Gauge { before, most: Look::default(), beside: 0 };
    COUNTED.set(true);
    PEAK.store(before, Relaxed);
    if config.budget.as_ref().is_some_and(|budget| budget.used(Class::Produce) > 0) {
        let beside = plan.class(Class::Control) + plan.class(Class::Tickets) + BESIDE_BYTES;
        MOST.store(before + beside as isize, Relaxed);
    }
    let done = runtime.block_on(work(&mut gauge));
    MOST.store(isize::MAX, Relaxed);
    COUNTED.set(false);
    let peak = PEAK.load(Relaxed) - before;
    gauge.judge(situation, config, &plan, peak);
    done
}

impl Gauge {
    fn judge(&self, situation: &str, config: &Config, plan: &MemoryPlan, peak: isize) {
        static HEAD: Once = Once::new();
        HEAD.call_once(|| {
            println!(
                "| situation | budget | plan | live at most | at a look | leased then: control, produce, fetch, inflate, \
                 tickets | not leased, at most |\n|---|---|---|---|---|---|---|"
            );
        });
        println!(
            "| {situation} | {} | {} | {peak} | {} | {:?} | {} |",
            config.memory.total(),
            plan.total(),
            self.most.live,
            self.most.leased,
            self.beside
        );
        let slack = BESIDE_BYTES + plan.total() / 100;
        // What batches of a few hundred bytes cost besides shows where the whole budget is small, but no further than that.
        let most = (plan.total() + if config.memory.total() < SMALL { slack } else { 0 }) as isize;
        assert!(peak <= most, "{situation}: {peak} bytes were live, and {most} may be\n{plan}");
        // Records are leased to the last byte: what is not is what the other lines of the plan are for.
        let records =
            [Class::Produce, Class::Fetch, Class::Inflate].map(|class| plan.class(class)).iter().sum::<usize>();
        let most = (plan.total() - records + slack) as isize;
        assert!(self.beside <= most, "{situation}: {} bytes were in no lease, and {most} may be\n{plan}", self.beside);
    }
}

/// Fills a topic by a client whose memory nobody counts.
pub fn fill(bootstrap: &str, topic: &str, codec: klamm_tokio::Codec, values: &[Vec<u8>], partitions: i32) {
    use klamm_tokio::{NewTopic, Record, Wait, blocking};
    uncounted(|| {
        let client = blocking::connect_with(Config::new(bootstrap)).unwrap_or_else(|e| panic!("{e}"));
        client.admin().create_topics([NewTopic::new(topic, partitions, 1)]).wait().expect("created");
        // As small as the smallest budget wants them.
        let producer = client.producer().batch_bytes(8_000).compression(codec).build().expect("a producer");
        for (i, value) in values.iter().enumerate() {
            let record = Record::to(topic).partition(i as i32 % partitions).value(value);
            drop(producer.enqueue(record).wait().expect("room comes"));
        }
        producer.flush().wait().expect("acknowledged");
    });
}

/// Values that can be compressed to about half.
pub fn values(count: usize, size: usize) -> Vec<Vec<u8>> {
    let mut seed = 1u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    (0..count).map(|_| (0..size).map(|i| if i % 2 == 0 { b'v' } else { random() }).collect()).collect()
}

/// Settings for a budget, with room for a producer and a consumer.
pub fn config(bootstrap: &str, total: usize) -> Config {
    Config::new(bootstrap).memory_total(total)
}

/// As many brokers as the smallest budget can know.
pub const fn brokers(total: usize) -> usize {
    if total < 512 << 10 { 1 } else { 3 }
}
