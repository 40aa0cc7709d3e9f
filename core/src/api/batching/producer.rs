//! The handle: pushes inputs, waits for what becomes of them.

use alloc::{boxed::Box, vec::Vec};
use core::{
    fmt,
    future::poll_fn,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::{Poll, Waker},
    time::Duration,
};

use spin::Once;

use super::{
    aggregator::{Aggregator, AggregatorFault, StatusDeaggregator, StatusOf, TryPush},
    chore::Run,
};
use crate::{
    Codec, Error, Instant, PartitionClient,
    api::{Command, Shared},
    error::Fate,
    sync::{Arc, Lock},
    waits::{Waiting, Waits},
};

/// Why an input was not produced.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceError {
    /// The aggregator failed before anything was sent.
    #[error("the aggregator failed: {0}")]
    Aggregator(AggregatorFault),
    /// The records that the input went into were acknowledged, and the aggregator failed to tell the input's status from
    /// their offsets.
    #[error("acknowledged, but the aggregator failed to tell its status: {0}")]
    Status(AggregatorFault),
    /// The records that the input went into were not acknowledged, or it could not be taken.
    #[error(transparent)]
    Client(#[from] Error),
    /// The same, but other records that came of the same flush of the aggregator are in the log or may be.
    #[error("in part only: {0}")]
    Partly(Error),
    /// The aggregator does not take the input though it is empty.
    #[error("the input is too large for the aggregator")]
    TooLarge,
}

impl ProduceError {
    /// Whether the input may be in the log all the same. After [`ProduceError::Status`] it is.
    pub fn fate(&self) -> Fate {
        match self {
            ProduceError::Client(error) => error.fate(),
            ProduceError::Status(_) | ProduceError::Partly(_) => Fate::MaybePersisted,
            ProduceError::Aggregator(_) | ProduceError::TooLarge => Fate::NotPersisted,
        }
    }
}

/// A batch producer's settings on the way to [`build`](BatchProducerBuilder::build).
#[derive(Debug)]
#[must_use = "a batch producer exists once it is built"]
pub struct BatchProducerBuilder {
    partition: PartitionClient,
    linger: Duration,
    compression: Codec,
}

impl BatchProducerBuilder {
    pub(in crate::api) fn new(partition: PartitionClient) -> Self {
        BatchProducerBuilder { partition, linger: Duration::from_millis(5), compression: Codec::None }
    }

    /// How long the first input of a batch waits for more. By default 5 ms. Its records then wait once more if the partition's
    /// producer has a `linger_ms` ([`PartitionBuilder::producer`](crate::PartitionBuilder::producer)).
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// How batches are compressed.
    pub fn compression(mut self, codec: Codec) -> Self {
        self.compression = codec;
        self
    }

    /// Makes the producer.
    ///
    /// # Errors
    /// [`Error::Closed`] when the client has ended; [`Error::Config`] when it has `max_waiters` batch producers, or for a
    /// setting that the partition's producer has wrong.
    pub fn build<A: Aggregator>(self, aggregator: A) -> Result<BatchProducer<A>, Error> {
        let shared = Arc::clone(self.partition.shared());
        // What is wrong is told here, not to the first input.
        drop(self.partition.entering(self.compression)?);
        let inner = Arc::new(Inner {
            linger: self.linger,
            compression: self.compression,
            turn: Waits::new(shared.config.max_waiters),
            room: Waits::new(shared.config.max_waiters),
            waiting: AtomicUsize::new(0),
            state: Lock::new(State {
                aggregator: Some(aggregator),
                open: None,
                unsettled: Vec::new(),
                chore: None,
                wanted: false,
                closed: false,
                ended: false,
            }),
            partition: self.partition,
        });
        shared.take_chore()?;
        // Whatever becomes of it gives its place back.
        let run = Run::new(Arc::clone(&inner));
        shared.command(Command::Chore(Box::new(run))).map_err(|(error, _)| error)?;
        Ok(BatchProducer { inner })
    }
}

/// Gathers inputs of many tasks into few batches of one partition, by an [`Aggregator`] of the application's, and tells
/// each input's task what became of it.
///
/// A batch goes when the aggregator is full, when its first input has waited for the linger time, and at a
/// [`flush`](BatchProducer::flush). Batches go in the order in which they were filled. The driver does all that: nothing
/// depends on a task that produces, and whoever is dropped loses only what it would have been told.
///
/// Dropped, it still sends what it has, as long as the client's driver is polled: see [`Client::closed`](crate::Client::closed).
///
/// ```
/// # async fn example(partition: klamm::PartitionClient) -> Result<(), Box<dyn core::error::Error>> {
/// use klamm::{RecordAggregator, RecordBuf};
/// let producer = partition.batch_producer().build(RecordAggregator::new(64 << 10))?;
/// // From as many tasks as there are:
/// let offset = producer.produce(RecordBuf::new().value("hello")).await?;
/// assert!(offset >= 0);
/// # Ok(())
/// # }
/// ```
pub struct BatchProducer<A: Aggregator> {
    inner: Arc<Inner<A>>,
}

pub(super) struct Inner<A: Aggregator> {
    pub(super) partition: PartitionClient,
    pub(super) linger: Duration,
    pub(super) compression: Codec,
    pub(super) state: Lock<State<A>>,
    /// Tasks that wait for the aggregator.
    turn: Waits,
    /// Tasks that wait for room in it.
    pub(super) room: Waits,
    /// Inputs whose tasks wait.
    waiting: AtomicUsize,
}

pub(super) struct State<A: Aggregator> {
    /// `None`: somebody calls it right now. That is never done under the lock, because it is the application's code.
    pub(super) aggregator: Option<A>,
    pub(super) open: Option<Open<A>>,
    /// Batches that are not settled, the open one too.
    pub(super) unsettled: Vec<Arc<Batch<A>>>,
    /// Wakes the driver's side.
    pub(super) chore: Option<Waker>,
    /// The driver's side found the aggregator gone.
    pub(super) wanted: bool,
    pub(super) closed: bool,
    pub(super) ended: bool,
}

/// The batch that is being filled.
pub(super) struct Open<A: Aggregator> {
    pub(super) batch: Arc<Batch<A>>,
    pub(super) due: Instant,
}

/// What became of a batch.
type Outcome<A> = Result<(Vec<i64>, <A as Aggregator>::StatusDeaggregator), ProduceError>;

/// What all inputs between two flushes share.
pub(super) struct Batch<A: Aggregator> {
    outcome: Once<Outcome<A>>,
    waits: Waits,
    /// Somebody waits for it, so that its records are not to linger in the producer's buffer either.
    hurried: AtomicBool,
}

impl<A: Aggregator> Batch<A> {
    fn new(max_waiters: usize) -> Arc<Self> {
        Arc::new(Batch { outcome: Once::new(), waits: Waits::new(max_waiters), hurried: AtomicBool::new(false) })
    }

    /// Whether somebody waits for it since this was last asked.
    pub(super) fn take_hurried(&self) -> bool {
        self.hurried.swap(false, Ordering::SeqCst)
    }

    /// Tells every input.
    pub(super) fn settle(&self, outcome: Outcome<A>) {
        self.outcome.call_once(|| outcome);
        self.waits.wake_all();
    }
}

impl<A: Aggregator> Inner<A> {
    fn shared(&self) -> &Arc<Shared> {
        self.partition.shared()
    }

    /// Wakes the driver's side.
    fn wake_chore(&self) {
        let waker = self.state.lock().chore.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the aggregator out, to call it outside the lock.
    fn borrow(&self) -> Result<Option<Borrowed<'_, A>>, Error> {
        let mut state = self.state.lock();
        if state.ended || state.closed {
            return Err(Error::Closed { fate: Fate::NotPersisted });
        }
        let aggregator = state.aggregator.take();
        Ok(aggregator.map(|aggregator| Borrowed { inner: self, aggregator: Some(aggregator) }))
    }
}

/// The aggregator, which goes back to its place whatever happens.
pub(super) struct Borrowed<'a, A: Aggregator> {
    inner: &'a Inner<A>,
    aggregator: Option<A>,
}

impl<'a, A: Aggregator> Borrowed<'a, A> {
    pub(super) fn new(inner: &'a Inner<A>, aggregator: A) -> Self {
        Borrowed { inner, aggregator: Some(aggregator) }
    }

    pub(super) fn call<T>(&mut self, call: impl FnOnce(&mut A) -> T) -> Option<T> {
        self.aggregator.as_mut().map(call)
    }
}

impl<A: Aggregator> Drop for Borrowed<'_, A> {
    fn drop(&mut self) {
        let wanted = {
            let mut state = self.inner.state.lock();
            state.aggregator = self.aggregator.take();
            core::mem::take(&mut state.wanted)
        };
        self.inner.turn.wake_all();
        if wanted {
            self.inner.wake_chore();
        }
    }
}

/// One of the inputs that wait: there are at most so many.
struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    fn new(waiting: &'a AtomicUsize, max: usize) -> Result<Self, Error> {
        let taken = waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n < max).then_some(n + 1));
        taken.map(|_| Waiter(waiting)).map_err(|_| Error::too_many_waiters(max))
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<A: Aggregator> BatchProducer<A> {
    /// Produces an input, and waits until the records that it went into are acknowledged; answers its status.
    ///
    /// Where the aggregator is full and the producer's buffer has no room for what it holds, it waits until there is.
    ///
    /// Dropped before it is ready, the input may or may not have been taken; once it was, it is sent with its batch, and
    /// nothing else is lost.
    ///
    /// # Errors
    /// See [`ProduceError`]. [`ProduceError::fate`] tells whether the input may be in the log.
    pub async fn produce(&self, input: A::Input) -> Result<StatusOf<A>, ProduceError> {
        let _waiter = Waiter::new(&self.inner.waiting, self.inner.shared().config.max_waiters)?;
        let (batch, tag) = self.push(input).await?;
        settled(&batch).await?;
        match batch.outcome.get() {
            Some(Ok((offsets, statuses))) => {
                let status = statuses.deaggregate(offsets, tag);
                status.map_err(|error| ProduceError::Status(AggregatorFault::new(error)))
            }
            Some(Err(error)) => Err(error.clone()),
            None => Err(Error::Closed { fate: Fate::MaybePersisted }.into()),
        }
    }

    /// Sends what was taken so far without lingering, here or in the partition's producer, and waits until all of it is settled,
    /// one way or the other.
    ///
    /// Cancel-safe: dropped, all is sent just the same.
    ///
    /// # Errors
    /// [`Error::Budget`] when `max_waiters` inputs wait already. What became of each input its own task is told.
    pub async fn flush(&self) -> Result<(), ProduceError> {
        let _waiter = Waiter::new(&self.inner.waiting, self.inner.shared().config.max_waiters)?;
        let unsettled = {
            let mut state = self.inner.state.lock();
            if let Some(open) = &mut state.open {
                open.due = Instant::ZERO;
            }
            state.unsettled.iter().for_each(|batch| batch.hurried.store(true, Ordering::SeqCst));
            state.unsettled.clone()
        };
        self.inner.wake_chore();
        for batch in &unsettled {
            settled(batch).await?;
        }
        Ok(())
    }

    /// Has the aggregator take the input, waiting for it and for room in it.
    async fn push(&self, input: A::Input) -> Result<(Arc<Batch<A>>, A::Tag), ProduceError> {
        let inner = &*self.inner;
        let mut input = Some(input);
        let (mut turn, mut room) = (Waiting::at(&inner.turn), Waiting::at(&inner.room));
        poll_fn(|cx| {
            // Enlisted first, looked at after: what happens in between is not missed.
            turn.enlist(Instant::FAR, cx.waker())?;
            let Some(mut borrowed) = inner.borrow()? else { return Poll::Pending };
            // It is to wake others when it goes back, not this task.
            turn.leave();
            let Some(offered) = input.take() else { return Poll::Pending };
            match borrowed.call(|aggregator| aggregator.try_push(offered)) {
                Some(Ok(TryPush::Aggregated(tag))) => {
                    let (batch, is_new) = inner.join()?;
                    drop(borrowed);
                    if is_new {
                        inner.wake_chore();
                    }
                    Poll::Ready(Ok((batch, tag)))
                }
                Some(Ok(TryPush::NoCapacity(back))) => {
                    if !inner.seal() {
                        return Poll::Ready(Err(ProduceError::TooLarge));
                    }
                    input = Some(back);
                    // As long as it is held here, nobody can have made room.
                    room.enlist(Instant::FAR, cx.waker())?;
                    drop(borrowed);
                    inner.wake_chore();
                    Poll::Pending
                }
                Some(Err(error)) => Poll::Ready(Err(ProduceError::Aggregator(AggregatorFault::new(error)))),
                None => Poll::Pending,
            }
        })
        .await
    }
}

impl<A: Aggregator> Inner<A> {
    /// The batch that an input was just taken into, and whether it is the first one there.
    ///
    /// # Errors
    /// The client has ended meanwhile: nobody would settle it.
    fn join(&self) -> Result<(Arc<Batch<A>>, bool), Error> {
        let now = self.shared().clock.now();
        let mut state = self.state.lock();
        if state.ended {
            return Err(Error::Closed { fate: Fate::NotPersisted });
        }
        if let Some(open) = &state.open {
            return Ok((Arc::clone(&open.batch), false));
        }
        let fresh = Batch::new(self.shared().config.max_waiters);
        state.open = Some(Open { batch: Arc::clone(&fresh), due: now.after(self.linger) });
        state.unsettled.push(Arc::clone(&fresh));
        Ok((fresh, true))
    }

    /// The aggregator is full, and what it holds is due. Answers whether it holds anything.
    fn seal(&self) -> bool {
        let mut state = self.state.lock();
        let Some(open) = &mut state.open else { return false };
        open.due = Instant::ZERO;
        true
    }
}

/// Waits until a batch is settled.
async fn settled<A: Aggregator>(batch: &Batch<A>) -> Result<(), Error> {
    let mut waiting = Waiting::at(&batch.waits);
    poll_fn(|cx| {
        waiting.enlist(Instant::FAR, cx.waker())?;
        if batch.outcome.is_completed() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

impl<A: Aggregator> Drop for BatchProducer<A> {
    fn drop(&mut self) {
        self.inner.state.lock().closed = true;
        self.inner.wake_chore();
    }
}

impl<A: Aggregator> fmt::Debug for BatchProducer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut producer = f.debug_struct("BatchProducer");
        producer.field("partition", &self.inner.partition).field("linger", &self.inner.linger).finish_non_exhaustive()
    }
}
