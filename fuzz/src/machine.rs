//! The whole client against the in-memory cluster: what happens, and when, is what the fuzzer says.

use crate::choices::Choices;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use klamm::wire::api;
use klamm::{
    Acks, Budget, Class, Client, Clock, Codec, Config, Consumer, Driver, ErrorCode, Memory, Producer, Record, Records,
    StartAt, Ticket,
};
use klamm_broker::{Action, Cluster, ClusterConfig, Fault};

use crate::codecs;
use crate::net::{End, Host, Net};

/// Turns that a driver may take while nothing happens outside.
const TURNS_MAX: usize = 1_000;
/// Timers that may fire while nothing else happens, in the longest time that is waited.
const TIMERS_MAX: usize = 20_000;
/// Operations of one run.
const OPERATIONS_MAX: usize = 200;
/// Every class of memory.
const CLASSES: [Class; 5] = [Class::Control, Class::Produce, Class::Fetch, Class::Inflate, Class::Tickets];
const TOPICS: [&str; 3] = ["one", "two", "none"];

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The values in a partition's log, by offset.
fn logged(cluster: &Cluster, topic: &str, partition: i32) -> BTreeMap<i64, Vec<u8>> {
    let mut log = BTreeMap::new();
    for batch in cluster.log(topic, partition) {
        let batch = batch.view();
        let codec = batch.header.attributes.codec().expect("a codec");
        let payload = codecs::inflated(codec, batch.payload());
        let records = batch.records_of(&payload).expect("sound records");
        log.extend(records.map(|r| (r.offset(), r.value().unwrap_or_default().to_vec())));
    }
    log
}

struct Run {
    net: Rc<RefCell<Net>>,
    driver: Driver<Host>,
    woken: Arc<Flag>,
    ended: bool,
    client: Option<Client>,
    budget: Arc<Budget>,
    producer: Option<Producer>,
    acks: Acks,
    consumer: Option<Consumer>,
    tickets: Vec<(u32, Ticket)>,
    kept: Vec<Records>,
    sent: u32,
    /// The brokers' words are their own: nothing was damaged on the way, and nothing was deleted.
    honest: bool,
}

/// The first bytes choose settings, the others are operations: records, bytes let through and cut anywhere, time, closed
/// connections, brokers that die, answers that were damaged. Whatever happens, nobody spins, everything ends, every
/// ticket is told, and all memory comes back; and if nobody lied, what was acknowledged is in the log and what was read
/// is what the log has.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let Some(mut run) = Run::new(&mut choices) else { return };
    for _ in 0..OPERATIONS_MAX {
        if choices.0.is_empty() {
            break;
        }
        run.operate(&mut choices);
        run.settle();
    }
    run.end();
}

fn producer_of(client: &Client, acks: Acks, batch_bytes: usize, codec: Codec) -> Option<Producer> {
    let builder = client.producer().acks(acks).batch_bytes(batch_bytes).compression(codec);
    builder.delivery_timeout(Duration::from_secs(8)).build().ok()
}

impl Run {
    fn new(choices: &mut Choices<'_>) -> Option<Run> {
        let mut cluster = Cluster::new(ClusterConfig { brokers: 2, check_records: true, ..Default::default() });
        cluster.create_topic(TOPICS[0], 2, 2);
        cluster.create_topic(TOPICS[1], 1, 1);
        let address = |node| {
            let (host, port) = cluster.address(node);
            format!("{host}:{port}")
        };
        let settings = choices.byte();
        let total = [192 << 10, 512 << 10, 1 << 20, 4 << 20][settings & 3];
        let budget = Budget::new(Memory::of(total));
        let mut config = Config::new(format!("{},{}", address(1), address(2))).memory_total(total);
        config.single_connection = settings & 4 != 0;
        // Short, because time that passes is what costs the most here.
        (config.request_timeout_ms, config.connect_timeout_ms, config.close_timeout_ms) = (3_000, 2_000, 5_000);
        let config = config.budget(Arc::clone(&budget));
        let net = Net::new(cluster);
        net.borrow_mut().flows = settings & 8 != 0;
        let (client, driver) = klamm::new(config, Host(Rc::clone(&net))).ok()?;
        let acks = [Acks::All, Acks::All, Acks::Leader, Acks::None][settings >> 4 & 3];
        let codec = [Codec::None, Codec::Lz4, Codec::Snappy, Codec::None][settings >> 6];
        let batch = 1_000 << (choices.byte() & 3);
        let producer = producer_of(&client, acks, batch, codec);
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        Some(Run {
            net,
            driver,
            woken,
            ended: false,
            client: Some(client),
            budget,
            producer,
            acks,
            consumer: None,
            tickets: Vec::new(),
            kept: Vec::new(),
            sent: 0,
            honest: true,
        })
    }

    fn poll<F: Future>(&self, future: F) -> Poll<F::Output> {
        // Nobody waits for it: it is polled again when the fuzzer says so.
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Lets the driver do whatever it can do now.
    fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            let waker = Waker::from(Arc::clone(&self.woken));
            if !self.ended && self.woken.0.swap(false, Ordering::SeqCst) {
                self.ended = Pin::new(&mut self.driver).poll(&mut Context::from_waker(&waker)).is_ready();
            }
            let busy = self.net.borrow_mut().collect();
            if !busy && (self.ended || !self.woken.0.load(Ordering::SeqCst)) {
                for class in CLASSES {
                    let (used, limit) = (self.budget.used(class), self.budget.limit(class));
                    assert!(used <= limit, "{class}: {used} of {limit} bytes");
                }
                return;
            }
        }
        panic!("the driver is never done");
    }

    fn advance(&mut self, span: Duration) {
        let end = self.net.borrow().time.now().after(span);
        for _ in 0..TIMERS_MAX {
            let next = self.net.borrow().next_event().filter(|at| *at <= end);
            let now = self.net.borrow().time.now();
            self.net.borrow_mut().set_time(next.unwrap_or(end).max(now));
            self.settle();
            if next.is_none() || self.ended {
                return;
            }
        }
        panic!("the driver wakes far too often");
    }

    fn operate(&mut self, choices: &mut Choices<'_>) {
        let (operation, a, b) = (choices.byte(), choices.byte(), choices.byte());
        match operation % 20 {
            0..3 => self.produce(a, b),
            3 => self.net.borrow_mut().answer_dials(a & 7 != 7),
            4 => self.net.borrow_mut().allow(a, 0, b * b + 1),
            5 => self.net.borrow_mut().allow(a, b * b + 1, 0),
            6 => self.net.borrow_mut().allow(a, usize::MAX, usize::MAX),
            7 => self.advance(Duration::from_millis([0, 1, 5, 10, 50, 200, 1_000, 3_000][a & 7] + b as u64)),
            8 => self.net.borrow_mut().cut(a, if b & 1 == 0 { End::Closed } else { End::Reset }),
            9 => self.consume(a),
            10 => self.next(a),
            11 => self.steer(a, b),
            12 => self.brokers(a, b),
            13 => self.fault(a, b),
            14 => self.damage(a, b, choices),
            15 => self.garbage(a, b, choices),
            16 => drop(self.tickets.drain(..a.min(self.tickets.len()))),
            17 => self.kept.clear(),
            18 => self.handles(a, b),
            _ => self.flow(a),
        }
    }

    /// A while in which nothing is held back.
    fn flow(&mut self, ms: usize) {
        let before = std::mem::replace(&mut self.net.borrow_mut().flows, true);
        self.net.borrow_mut().answer_dials(true);
        for at in 0..8 {
            self.net.borrow_mut().allow(at, 0, 0);
        }
        self.settle();
        self.advance(Duration::from_millis(ms as u64));
        self.net.borrow_mut().flows = before;
    }

    fn produce(&mut self, a: usize, b: usize) {
        let Some(producer) = &self.producer else { return };
        let topic = TOPICS[[0, 0, 1, 2][a & 3]];
        let mut value = self.sent.to_be_bytes().to_vec();
        value.resize(4 + b * (a >> 4), b as u8);
        let mut record = Record::to(topic).value(&value);
        if a & 4 != 0 {
            record = record.partition((b & 3) as i32);
        } else if a & 8 != 0 {
            record = record.key("key").header("name", "value");
        }
        if let Ok(ticket) = producer.try_enqueue(record) {
            self.tickets.push((self.sent, ticket));
            self.sent += 1;
        }
    }

    fn consume(&mut self, a: usize) {
        let Some(client) = &self.client else { return };
        let from = [StartAt::Earliest, StartAt::Offset(0), StartAt::Latest, StartAt::Timestamp(5)][a & 3];
        let builder = client.consumer().from(from).fetch_max_bytes(1 << (10 + (a >> 5)));
        let builder = match a >> 2 & 3 {
            0 => builder.assign([(TOPICS[0], 0), (TOPICS[0], 1)]),
            1 => builder.assign([(TOPICS[1], 0)]),
            _ => builder.topics(TOPICS),
        };
        self.consumer = builder.build().ok();
    }

    fn next(&mut self, a: usize) {
        let Some(mut consumer) = self.consumer.take() else { return };
        if let Poll::Ready(Ok(Some(records))) = self.poll(consumer.next()) {
            assert_eq!(records.iter().count(), records.len());
            self.check_records(&records);
            if a & 1 == 0 && self.kept.len() < 8 {
                self.kept.push(records);
            }
        }
        self.consumer = Some(consumer);
    }

    fn check_records(&self, records: &Records) {
        if !self.honest {
            return;
        }
        let net = self.net.borrow();
        let log = logged(&net.cluster, records.topic(), records.partition());
        for record in records {
            let written = log.get(&record.offset()).map(|value| &value[..]);
            assert_eq!(written, record.value(), "what was read is what the log has");
        }
    }

    fn steer(&mut self, a: usize, b: usize) {
        let Some(consumer) = &mut self.consumer else { return };
        let (topic, partition) = (TOPICS[a % 3], (a >> 2 & 1) as i32);
        // Of a partition that it does not read it says so.
        let _ = match a >> 4 & 3 {
            0 => consumer.pause(topic, partition),
            1 => consumer.resume(topic, partition),
            2 => consumer.seek(topic, partition, StartAt::Offset(b as i64)),
            _ => consumer.seek(topic, partition, StartAt::Earliest),
        };
    }

    fn brokers(&mut self, a: usize, b: usize) {
        let mut net = self.net.borrow_mut();
        let node = 1 + (a & 1) as i32;
        match a >> 1 & 7 {
            0 => net.cluster.kill(node),
            1 | 2 => net.cluster.start(node),
            3 | 4 if !net.cluster.is_up(node) => {}
            3 | 4 => net.cluster.move_leader(TOPICS[0], (b & 1) as i32, node),
            5 => net.cluster.close_connections(node),
            6 => {
                // The log goes on without these: an acknowledged record may be gone.
                self.honest = false;
                net.cluster.delete_records(TOPICS[0], (b & 1) as i32, (b >> 1) as i64);
            }
            _ => net.cluster.hide_topic(TOPICS[1], b & 1 == 0),
        }
    }

    fn fault(&mut self, a: usize, b: usize) {
        let apis =
            [api::PRODUCE, api::FETCH, api::METADATA, api::LIST_OFFSETS, api::INIT_PRODUCER_ID, api::API_VERSIONS];
        let code = ErrorCode((b as i16) - 1);
        let action = match a >> 5 {
            0 => Action::Close,
            1 => Action::CloseAfter,
            2 => Action::Silence,
            3 => Action::Delay(Duration::from_millis(b as u64 * 10)),
            4 => Action::Throttle(b as i32 * 10),
            _ if code.0 == 0 => Action::Close,
            5 => {
                // A broker that has done what it says it has not lies about duplicates, too.
                self.honest = false;
                Action::FailAfter(code)
            }
            _ => Action::Fail(code),
        };
        let fault = Fault { api: apis[a % apis.len()], node: None, count: 1 + (b & 1) as u32, action };
        self.net.borrow_mut().cluster.inject(fault);
    }

    /// Flips bits of what is on its way to the client.
    fn damage(&mut self, a: usize, b: usize, choices: &mut Choices<'_>) {
        let mask = choices.byte() as u8;
        let mut net = self.net.borrow_mut();
        let Some(conn) = net.conn(a) else { return };
        if !conn.down.is_empty() {
            let at = b % conn.down.len();
            conn.down[at] ^= mask;
            self.honest = false;
        }
    }

    /// Words of the fuzzer's own, in front of the broker's.
    fn garbage(&mut self, a: usize, b: usize, choices: &mut Choices<'_>) {
        let mut net = self.net.borrow_mut();
        let Some(conn) = net.conn(a) else { return };
        let bytes: Vec<u8> = (0..b & 63).map(|_| choices.byte() as u8).collect();
        conn.down.extend(&bytes);
        self.honest &= bytes.is_empty();
    }

    fn handles(&mut self, a: usize, b: usize) {
        match a & 3 {
            0 => self.producer = None,
            1 => self.consumer = None,
            2 if b & 7 == 7 => self.client = None,
            2 => {}
            _ => {
                let Some(client) = &self.client else { return };
                self.producer = producer_of(client, self.acks, 1_000 << (b & 3), Codec::None);
            }
        }
    }

    /// Lets go of everything; the client must come to its end by itself.
    fn end(mut self) {
        (self.client, self.producer, self.consumer) = (None, None, None);
        for node in [1, 2] {
            self.net.borrow_mut().cluster.start(node);
        }
        self.woken.0.store(true, Ordering::SeqCst);
        self.flow(0);
        self.net.borrow_mut().flows = true;
        self.advance(Duration::from_secs(60));
        assert!(self.ended, "every handle is gone, and the driver goes on");
        drop(self.driver);
        let mut logs = BTreeMap::new();
        for (number, ticket) in &self.tickets {
            let outcome = ticket.outcome().expect("every ticket is told");
            if self.honest
                && self.acks != Acks::None
                && let Ok(meta) = outcome
                && meta.offset() >= 0
            {
                let (topic, partition) = (meta.topic(), meta.partition());
                let read = || logged(&self.net.borrow().cluster, topic, partition);
                let log = logs.entry((topic.to_owned(), partition)).or_insert_with(read);
                let value = log.get(&meta.offset()).expect("what is acknowledged is in the log");
                assert!(value.starts_with(&number.to_be_bytes()), "where it was said to be");
            }
        }
        self.tickets.clear();
        self.kept.clear();
        for class in CLASSES {
            assert_eq!(self.budget.leased(class), 0, "{class} memory comes back");
        }
    }
}
