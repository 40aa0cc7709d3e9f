//! Inputs that are gathered into batches, and what each is told.

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::time::Duration;

use super::{
    Pair,
    partition::{Task, open, opened, pending, poll, ready},
};
use crate::{
    Aggregator, AggregatorError, BatchProducer, Class, Config, Error, ErrorCode, Fate, Memory, ProduceError,
    ProducerConfig, RecordAggregator, RecordBuf, StatusDeaggregator, TryPush, sync::Arc, wire::api,
};

type Produced = Result<i64, ProduceError>;

fn producing(producer: &Arc<BatchProducer<RecordAggregator>>, value: &str) -> Task<Produced> {
    let (producer, record) = (Arc::clone(producer), RecordBuf::new().value(String::from(value)));
    Box::pin(async move { producer.produce(record).await })
}

/// A producer of batches of so many bytes that lingers so long.
fn begun(pair: &mut Pair, bytes: usize, linger_ms: u64) -> Arc<BatchProducer<RecordAggregator>> {
    let client = open(pair);
    let builder = client.batch_producer().linger(Duration::from_millis(linger_ms));
    Arc::new(builder.build(RecordAggregator::new(bytes)).expect("builds"))
}

/// Many tasks, one batch, when its first input has waited long enough; each is told its own offset.
#[test]
fn tasks_share_a_batch() {
    let mut pair = Pair::new();
    let producer = begun(&mut pair, 1_000_000, 50);
    let mut tasks: Vec<Task<Produced>> = (0..50).map(|n| producing(&producer, &format!("{n}"))).collect();
    tasks.iter_mut().for_each(|task| pending(&mut pair, task));
    pair.advance_ms(49);
    assert_eq!(pair.count(api::PRODUCE), 0, "it lingers");
    let request = pair.await_request(api::PRODUCE, 10);
    assert_eq!(pair.batch(&request).values.len(), 50);
    pair.acknowledge(&request, 300);
    for (n, task) in tasks.iter_mut().enumerate() {
        assert_eq!(ready(&mut pair, task), Ok(300 + n as i64));
    }
    assert_eq!(pair.count(api::PRODUCE), 1);
}

/// Whoever is dropped loses its own answer and nothing else: not its input, not the others' time. All of them may be dropped.
#[test]
fn nothing_depends_on_a_task_that_is_dropped() {
    let mut pair = Pair::new();
    let producer = begun(&mut pair, 1_000_000, 50);
    let mut tasks: Vec<Task<Produced>> = ["a", "b", "c"].iter().map(|v| producing(&producer, v)).collect();
    tasks.iter_mut().for_each(|task| pending(&mut pair, task));
    // The first one's linger is what all wait for.
    drop(tasks.remove(0));
    let request = pair.await_request(api::PRODUCE, 60);
    assert_eq!(pair.batch(&request).values, ["a", "b", "c"]);
    drop(tasks.remove(0));
    pair.acknowledge(&request, 7);
    assert_eq!(ready(&mut pair, &mut tasks[0]), Ok(9));
    let mut alone = producing(&producer, "alone");
    pending(&mut pair, &mut alone);
    drop(alone);
    let request = pair.await_request(api::PRODUCE, 60);
    assert_eq!(pair.batch(&request).values, ["alone"]);
    pair.acknowledge(&request, 10);
    // A future that was never polled has done nothing.
    drop(producing(&producer, "never"));
    pair.advance_ms(1_000);
    assert_eq!(pair.count(api::PRODUCE), 2);
}

/// What does not fit goes into the next batch; batches go in order; what never fits is told so.
#[test]
fn a_full_aggregator_goes_at_once() {
    let mut pair = Pair::new();
    let producer = begun(&mut pair, 2 * (16 + 10), 60_000);
    let mut tasks: Vec<Task<Produced>> = (0..5).map(|n| producing(&producer, &format!("{n}").repeat(10))).collect();
    for _ in 0..3 {
        tasks.iter_mut().for_each(|task| assert!(poll(&pair, task).is_pending()));
        pair.turn();
    }
    let mut seen: Vec<String> = Vec::new();
    let mut offset = 0;
    while seen.len() < 4 {
        let request = pair.expect(api::PRODUCE);
        let batch = pair.batch(&request);
        pair.acknowledge(&request, offset);
        offset += batch.values.len() as i64;
        seen.extend(batch.values.iter().map(|v| v[..1].into()));
    }
    assert_eq!(seen, ["0", "1", "2", "3"]);
    for (n, task) in tasks.iter_mut().take(4).enumerate() {
        assert_eq!(ready(&mut pair, task), Ok(n as i64));
    }
    pending(&mut pair, &mut tasks[4]);
    assert!(pair.take(api::PRODUCE).is_none(), "the last one lingers");
    let flushing = Arc::clone(&producer);
    let mut flush: Task<Result<(), ProduceError>> = Box::pin(async move { flushing.flush().await });
    pending(&mut pair, &mut flush);
    let request = pair.expect(api::PRODUCE);
    pair.acknowledge(&request, 4);
    assert_eq!(ready(&mut pair, &mut flush), Ok(()));
    assert_eq!(ready(&mut pair, &mut tasks[4]), Ok(4));
    let mut large = producing(&producer, &"x".repeat(100));
    assert_eq!(ready(&mut pair, &mut large), Err(ProduceError::TooLarge));
}

/// A task that waits for room is woken when there is some, and not before: the machine and its tasks come to rest.
#[test]
fn waiting_for_room_is_no_spin() {
    let mut pair = Pair::new();
    let producer = begun(&mut pair, 16 + 10, 60_000);
    pair.stuck = true;
    let mut first = producing(&producer, "aaaaaaaaaa");
    let mut second = producing(&producer, "bbbbbbbbbb");
    let mut third = producing(&producer, "cccccccccc");
    pending(&mut pair, &mut first);
    pending(&mut pair, &mut second);
    pending(&mut pair, &mut second);
    let woken = pair.woken.count();
    pending(&mut pair, &mut third);
    pair.advance_ms(50);
    assert!(pair.woken.count() - woken <= 2, "{} times", pair.woken.count() - woken);
}

/// Whoever waits for room, or for its batch, is woken when that has come; nobody polls it before.
#[test]
fn who_waits_is_woken() {
    let mut pair = Pair::new();
    let producer = begun(&mut pair, 16 + 1, 60_000);
    let (mut first, mut second) = (producing(&producer, "a"), producing(&producer, "b"));
    assert!(poll(&pair, &mut first).is_pending());
    let before = pair.woken.count();
    assert!(poll(&pair, &mut second).is_pending(), "the aggregator is full");
    assert_eq!(pair.woken.count(), before);
    pair.turn();
    assert!(pair.woken.count() > before, "the driver has made room");
    let request = pair.await_request(api::PRODUCE, 100);
    let before = pair.woken.count();
    pair.acknowledge(&request, 5);
    pair.turn();
    assert!(pair.woken.count() > before, "the first is acknowledged");
    assert_eq!(ready(&mut pair, &mut first), Ok(5));
    assert!(poll(&pair, &mut second).is_pending(), "it is taken now, and lingers");
    let flushing = Arc::clone(&producer);
    let mut flush: Task<Result<(), ProduceError>> = Box::pin(async move { flushing.flush().await });
    pending(&mut pair, &mut flush);
    let request = pair.await_request(api::PRODUCE, 100);
    let before = pair.woken.count();
    pair.acknowledge(&request, 6);
    pair.turn();
    assert!(pair.woken.count() >= before + 2, "the second, and who flushes");
}

/// Two fills are the most that are held while there is no room in the producer's buffer; then tasks wait, and all of it goes
/// when there is room.
#[test]
fn a_full_buffer_pushes_back() {
    let mut config = Config::new("one:9001");
    config.memory = Memory { produce_bytes: 512 << 10, ..config.memory };
    let mut pair = Pair::with(config);
    let client = {
        let builder = pair.client().partition("t", 0);
        let config = crate::ProducerConfig { batch_bytes: 64 << 10, ..crate::ProducerConfig::default() };
        let mut opening: Task<_> = Box::pin(builder.producer(config).build());
        pending(&mut pair, &mut opening);
        let asked = pair.await_request(api::LIST_OFFSETS, 100);
        pair.answer_offsets(&asked, 0, 7);
        ready(&mut pair, &mut opening).expect("opened")
    };
    let producer = Arc::new(client.batch_producer().build(RecordAggregator::new(60 << 10)).expect("builds"));
    let large = "x".repeat(50 << 10);
    let mut tasks: Vec<Task<Produced>> = (0..40).map(|_| producing(&producer, &large)).collect();
    for _ in 0..50 {
        tasks.iter_mut().for_each(|task| assert!(poll(&pair, task).is_pending()));
        pair.turn();
    }
    let budget = pair.client().budget();
    assert!(budget.used(Class::Produce) <= budget.limit(Class::Produce));
    let (mut offset, mut told) = (0, Vec::new());
    for _ in 0..1_000 {
        if let Some(request) = pair.take(api::PRODUCE) {
            let count: usize = pair.batches(&request).iter().map(|b| b.values.len()).sum();
            pair.acknowledge(&request, offset);
            offset += count as i64;
        }
        pair.advance_ms(1);
        tasks.retain_mut(|task| match poll(&pair, task) {
            core::task::Poll::Ready(out) => {
                told.push(out.expect("acknowledged"));
                false
            }
            core::task::Poll::Pending => true,
        });
    }
    assert_eq!((tasks.len(), told.len(), offset), (0, 40, 40));
}

/// A batch that fails fails all of its inputs, and nobody else's.
#[test]
fn a_failure_is_told_to_its_batch() {
    let mut pair = Pair::new();
    let producer = begun(&mut pair, 1_000_000, 0);
    let (mut first, mut second) = (producing(&producer, "a"), producing(&producer, "b"));
    assert!(poll(&pair, &mut first).is_pending() && poll(&pair, &mut second).is_pending());
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.batch(&request).values, ["a", "b"]);
    pair.refuse(&request, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    for task in [&mut first, &mut second] {
        let error = ready(&mut pair, task).expect_err("refused");
        let ProduceError::Client(Error::Broker { code, .. }) = &error else { panic!("{error}") };
        assert_eq!((*code, error.fate()), (ErrorCode::TOPIC_AUTHORIZATION_FAILED, Fate::NotPersisted));
    }
    let mut third = producing(&producer, "c");
    pending(&mut pair, &mut third);
    let request = pair.await_request(api::PRODUCE, 1_000);
    pair.acknowledge(&request, 5);
    assert_eq!(ready(&mut pair, &mut third), Ok(5));
}

/// A flush waits for no linger, neither of the batch producer's own nor of the producer behind it: not for what is in the buffer
/// there already, and not for what it sends there. Without one, both count.
#[test]
fn a_flush_lingers_nowhere() {
    let mut pair = Pair::new();
    let config = ProducerConfig { linger_ms: 5_000, ..ProducerConfig::default() };
    let opening = pair.client().partition("t", 0).producer(config).build();
    let client = opened(&mut pair, Box::pin(opening));
    let builder = client.batch_producer().linger(Duration::from_millis(100));
    let producer = Arc::new(builder.build(RecordAggregator::new(1_000)).expect("builds"));
    let mut behind = producing(&producer, "behind");
    pending(&mut pair, &mut behind);
    pair.advance_ms(1_000);
    let mut here = producing(&producer, "here");
    pending(&mut pair, &mut here);
    assert_eq!(pair.count(api::PRODUCE), 0, "one lingers there, and one here");
    let flushing = Arc::clone(&producer);
    let mut flush: Task<Result<(), ProduceError>> = Box::pin(async move { flushing.flush().await });
    pending(&mut pair, &mut flush);
    let request = pair.expect(api::PRODUCE);
    assert_eq!(pair.batch(&request).values, ["behind", "here"]);
    pair.acknowledge(&request, 7);
    assert_eq!(ready(&mut pair, &mut flush), Ok(()));
    assert_eq!((ready(&mut pair, &mut behind), ready(&mut pair, &mut here)), (Ok(7), Ok(8)));
    let mut after = producing(&producer, "after");
    pending(&mut pair, &mut after);
    pair.advance_ms(5_000);
    assert_eq!(pair.count(api::PRODUCE), 1, "who does not flush lingers");
    pair.advance_ms(200);
    assert_eq!(pair.count(api::PRODUCE), 2);
}

/// Of what came of one flush one record is acknowledged and another can never be sent: either input may be in the log.
#[test]
fn a_flush_may_fail_in_part() {
    let mut pair = Pair::new();
    let producer = begun(&mut pair, 4_000_000, 10);
    let (mut small, mut large) = (producing(&producer, "a"), producing(&producer, &"x".repeat(1_000_000)));
    pending(&mut pair, &mut small);
    pending(&mut pair, &mut large);
    let request = pair.await_request(api::PRODUCE, 1_000);
    assert_eq!(pair.batch(&request).values, ["a"]);
    pair.acknowledge(&request, 5);
    for task in [&mut small, &mut large] {
        let error = ready(&mut pair, task).expect_err("one is too large");
        assert!(matches!(error, ProduceError::Partly(Error::TooLarge { .. })), "{error}");
        assert_eq!(error.fate(), Fate::MaybePersisted);
    }
    let mut alone = producing(&producer, &"x".repeat(1_000_000));
    pending(&mut pair, &mut alone);
    pair.advance_ms(10);
    assert_eq!(ready(&mut pair, &mut alone).expect_err("it is too large").fate(), Fate::NotPersisted);
}

/// A producer that is dropped sends what it has, and then the client may end.
#[test]
fn a_dropped_producer_sends_what_it_has() {
    let mut pair = Pair::new();
    let producer = begun(&mut pair, 1_000_000, 60_000);
    let mut task = producing(&producer, "a");
    pending(&mut pair, &mut task);
    pair.drop_client();
    drop((task, producer));
    let request = pair.expect(api::PRODUCE);
    assert!(!pair.ended);
    pair.acknowledge(&request, 0);
    pair.advance_ms(10);
    assert!(pair.ended);
}

/// Threads that push at the same time wait for each other and are all served: who is polled again only when it was woken is
/// in the batch in the end.
#[cfg(all(feature = "std", not(target_family = "wasm")))] // a JS engine spawns no threads
#[test]
fn threads_take_turns() {
    use core::{future::Future, sync::atomic::AtomicBool, task::Context};
    use std::thread;
    struct Unpark(thread::Thread, AtomicBool);
    impl alloc::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.1.store(true, core::sync::atomic::Ordering::SeqCst);
            self.0.unpark();
        }
    }
    let mut pair = Pair::new();
    let producer = begun(&mut pair, 1 << 20, 60_000);
    let push = |n: usize| {
        let own = Arc::new(Unpark(thread::current(), AtomicBool::new(false)));
        let waker = core::task::Waker::from(Arc::clone(&own));
        let mut push = core::pin::pin!(producer.produce(RecordBuf::new().value(format!("{n}"))));
        loop {
            assert!(push.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            thread::park_timeout(Duration::from_millis(2));
            if !own.1.swap(false, core::sync::atomic::Ordering::SeqCst) {
                return;
            }
        }
    };
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| (0..200).for_each(push));
        }
    });
    let flushing = Arc::clone(&producer);
    let mut flush: Task<Result<(), ProduceError>> = Box::pin(async move { flushing.flush().await });
    pending(&mut pair, &mut flush);
    let request = pair.await_request(api::PRODUCE, 100);
    assert_eq!(pair.batch(&request).values.len(), 800);
}

/// The client ends: whoever waits is told, with its fate, and so is whoever comes after.
#[test]
fn the_end_of_the_client_is_told() {
    let mut pair = Pair::new();
    let producer = begun(&mut pair, 16 + 1, 60_000);
    let mut tasks: Vec<Task<Produced>> = ["a", "b"].iter().map(|v| producing(&producer, v)).collect();
    for _ in 0..3 {
        tasks.iter_mut().for_each(|task| assert!(poll(&pair, task).is_pending()));
        pair.turn();
    }
    assert_eq!(pair.count(api::PRODUCE), 1, "the first is on its way, and the second lingers");
    let now = pair.now();
    pair.machine.end(now);
    for (task, fate) in tasks.iter_mut().zip([Fate::MaybePersisted, Fate::NotPersisted]) {
        let error = match poll(&pair, task) {
            core::task::Poll::Ready(out) => out.expect_err("closed"),
            core::task::Poll::Pending => panic!("it waits for ever"),
        };
        assert!(matches!(error, ProduceError::Client(Error::Closed { .. })), "{error}");
        assert_eq!(error.fate(), fate);
    }
    let mut late = producing(&producer, "c");
    assert!(matches!(poll(&pair, &mut late), core::task::Poll::Ready(Err(ProduceError::Client(Error::Closed { .. })))));
}

/// Packs numbers into one record, and refuses some.
#[derive(Default)]
struct Sums {
    numbers: Vec<u8>,
}

/// Told: the record's offset, and where in it the number is.
struct Places;

impl Aggregator for Sums {
    type Input = u8;
    type Tag = usize;
    type StatusDeaggregator = Places;

    fn try_push(&mut self, number: u8) -> Result<TryPush<u8, usize>, AggregatorError> {
        match number {
            13 => return Err("unlucky".into()),
            _ if self.numbers.len() == 4 => return Ok(TryPush::NoCapacity(number)),
            _ => self.numbers.push(number),
        }
        Ok(TryPush::Aggregated(self.numbers.len() - 1))
    }

    fn flush(&mut self) -> Result<(Vec<RecordBuf>, Places), AggregatorError> {
        let numbers = core::mem::take(&mut self.numbers);
        if numbers.contains(&99) {
            return Err("99 cannot be packed".into());
        }
        Ok((Vec::from([RecordBuf::new().value(numbers)]), Places))
    }
}

impl StatusDeaggregator for Places {
    type Status = (i64, usize);
    type Tag = usize;

    fn deaggregate(&self, offsets: &[i64], tag: usize) -> Result<(i64, usize), AggregatorError> {
        if tag == 3 { Err("no place for the last".into()) } else { Ok((offsets[0], tag)) }
    }
}

/// Several inputs in one record, each with a status of its own; the aggregator's own errors go to whom they are about.
#[test]
fn inputs_share_a_record() {
    let mut pair = Pair::new();
    let client = open(&mut pair);
    let producer = Arc::new(client.batch_producer().build(Sums::default()).expect("builds"));
    let task = |number| -> Task<Result<(i64, usize), ProduceError>> {
        let producer = Arc::clone(&producer);
        Box::pin(async move { producer.produce(number).await })
    };
    let mut tasks: Vec<_> = [1, 2, 3, 4].map(task).into_iter().collect();
    tasks.iter_mut().for_each(|t| pending(&mut pair, t));
    let mut unlucky = task(13);
    let error = ready(&mut pair, &mut unlucky).expect_err("unlucky");
    assert_eq!((format!("{error}"), error.fate()), ("the aggregator failed: unlucky".into(), Fate::NotPersisted));
    let request = pair.await_request(api::PRODUCE, 10);
    assert_eq!(pair.batch(&request).values, ["\u{1}\u{2}\u{3}\u{4}"]);
    pair.acknowledge(&request, 8);
    for (at, task) in tasks.iter_mut().take(3).enumerate() {
        assert_eq!(ready(&mut pair, task), Ok((8, at)));
    }
    let error = ready(&mut pair, &mut tasks[3]).expect_err("no place");
    assert!(matches!(error, ProduceError::Status(_)), "{error}");
    assert_eq!(error.fate(), Fate::MaybePersisted, "who tries again writes it twice");
    let (mut bad, mut beside) = (task(99), task(5));
    pending(&mut pair, &mut bad);
    pending(&mut pair, &mut beside);
    pair.advance_ms(10);
    let error = ready(&mut pair, &mut bad).expect_err("cannot be packed");
    assert!(matches!(error, ProduceError::Aggregator(_)) && error.fate() == Fate::NotPersisted, "{error}");
    assert_eq!(ready(&mut pair, &mut beside), Err(error));
    assert_eq!(pair.count(api::PRODUCE), 1);
}

/// Tasks that wait are counted; one too many is refused, with the knob.
#[test]
fn waiting_inputs_are_bounded() {
    let mut pair = Pair::with(Config { max_waiters: 8, ..Config::new("one:9001") });
    let producer = begun(&mut pair, 1_000_000, 60_000);
    let mut tasks: Vec<Task<Produced>> = (0..9).map(|n| producing(&producer, &format!("{n}"))).collect();
    tasks.iter_mut().take(8).for_each(|task| pending(&mut pair, task));
    let error = ready(&mut pair, &mut tasks[8]).expect_err("one too many");
    assert!(matches!(error, ProduceError::Client(Error::Budget { knob: "max_waiters", .. })), "{error}");
    drop(tasks.drain(..4));
    let mut again = producing(&producer, "again");
    pending(&mut pair, &mut again);
    drop(tasks);
    let flushing = Arc::clone(&producer);
    let mut flush: Task<Result<(), ProduceError>> = Box::pin(async move { flushing.flush().await });
    pending(&mut pair, &mut flush);
    let request = pair.await_request(api::PRODUCE, 100);
    assert_eq!(pair.batch(&request).values, ["0", "1", "2", "3", "4", "5", "6", "7", "again"]);
}
