//! The client: where producers, consumers and the admin come from.

use alloc::{string::String, vec::Vec};
use core::{
    future::{Future, poll_fn},
    task::Poll,
    time::Duration,
};

use super::{Admin, Command, ConsumerBuilder, Contact, Held, PartitionBuilder, ProducerBuilder, Shared};
use crate::{
    Budget, Clock, Config, Drive, Driver, Endpoint, Error, Instant, Transport, WarmState,
    admin::Reply,
    cluster::Cluster,
    error::Fate,
    kick::Kick,
    machine::Machine,
    rng::Rng,
    sync::{Arc, Weak},
    waits::Waiting,
};

/// Makes a client and the driver that does its work. The driver must be polled, as a task of its own, until it is done.
///
/// Most programs call their transport's `connect` instead, which spawns the driver and waits for the cluster.
///
/// # Errors
/// [`Error::Config`] for a setting that is wrong alone or beside another, and where the memory plan does not fit.
pub fn new<T: Transport>(config: Config, mut transport: T) -> Result<(Client, Driver<T>), Error> {
    let mut seed = [0; 32];
    let (client, bootstrap) = client_of(config, transport.clock())?;
    transport.entropy(&mut seed);
    let machine = Machine::new(Arc::clone(client.shared()), Rng::from_entropy(&seed), bootstrap);
    Ok((client, Driver::new(machine, transport)))
}

/// A client without anybody who does its work yet, and whom to begin with.
pub(crate) fn client_of(config: Config, clock: Arc<dyn Clock>) -> Result<(Client, Vec<Endpoint>), Error> {
    config.check()?;
    let bootstrap = config.endpoints()?;
    let budget = config.budget.clone().unwrap_or_else(|| Budget::new(config.memory));
    let kick = Kick::new();
    budget.register(&kick)?;
    let shared = Shared::new(Arc::new(config), clock, kick, budget);
    Ok((Client { held: Arc::new(Held::new(&shared)) }, bootstrap))
}

/// A Kafka client. Clones are the same client; when the last clone and all producers and consumers are dropped, the
/// driver sends what is in the buffers, for at most `close_timeout_ms`, and ends. That takes a driver that is still polled: a
/// program that returns from `main` right after ends its runtime, the driver with it, and what was in the buffers is lost.
/// [`closed`](Client::closed) waits for the driver's end.
#[derive(Clone)]
pub struct Client {
    held: Arc<Held>,
}

impl Client {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.held.client
    }

    /// Waits until the cluster has answered once.
    ///
    /// Cancel-safe. After it has succeeded, a cluster that goes away is looked for for ever.
    ///
    /// # Errors
    /// When `connect_timeout_ms` is over: the last failure, or [`Error::Transport`] with every address tried, or
    /// [`Error::TimedOut`] when nobody has answered and nothing has failed. At once where a broker refuses who the client is, and
    /// where none of the bootstrap list is left that trying again may mend: none of them is [retriable](Error::is_retriable), or
    /// they speak another protocol than Kafka's; [`Error::Budget`] when `max_waiters` tasks wait already; [`Error::Closed`] when
    /// the client has ended.
    pub async fn connected(&self) -> Result<(), Error> {
        let shared = self.shared();
        let span = Duration::from_millis(u64::from(shared.config.connect_timeout_ms));
        let until = shared.clock.now().after(span);
        let mut wait = Waiting::at(&shared.waits);
        poll_fn(|cx| {
            wait.enlist(until, cx.waker())?;
            match shared.contact() {
                Contact::Made => Poll::Ready(Ok(())),
                Contact::Ended => Poll::Ready(Err(Error::Closed { fate: Fate::NotPersisted })),
                Contact::None { failure, hopeless } if hopeless || shared.clock.now() >= until => {
                    Poll::Ready(Err(failure.unwrap_or_else(|| no_answer(shared, span))))
                }
                Contact::None { .. } => Poll::Pending,
            }
        })
        .await
    }

    /// A producer, to be configured and built. Several producers of one client share its connections and memory.
    pub fn producer(&self) -> ProducerBuilder {
        ProducerBuilder::new(Arc::clone(self.shared()))
    }

    /// A consumer, to be configured and built.
    pub fn consumer(&self) -> ConsumerBuilder {
        ConsumerBuilder::new(Arc::clone(self.shared()))
    }

    /// One partition, for programs that keep offsets by themselves: to be configured and built.
    pub fn partition(&self, topic: impl Into<String>, partition: i32) -> PartitionBuilder {
        PartitionBuilder::new(self.clone(), topic.into(), partition)
    }

    /// Operations on topics.
    pub fn admin(&self) -> Admin {
        Admin::new(self.clone())
    }

    /// What is known of the cluster now, for a later client to begin with: see [`WarmState`]. Before the first answer of a
    /// broker there is nothing in it.
    ///
    /// A future that is dropped has done nothing.
    ///
    /// # Errors
    /// [`Error::Closed`] when the client has ended.
    pub async fn warm_state(&self) -> Result<WarmState, Error> {
        let reply = Reply::new();
        match self.shared().command(Command::WarmState(Arc::clone(&reply), Cluster::warm_state)) {
            Ok(()) => reply.taken().await,
            Err((error, _)) => Err(error),
        }
    }

    /// The memory that the client holds, by class, and the most that it ever held.
    pub fn budget(&self) -> &Budget {
        &self.shared().budget
    }

    /// Ends the client although there are handles of it, and returns at once. Producers refuse further records; what is in
    /// their buffers is sent without lingering, for at most `close_timeout_ms`. Then the driver ends: records that are not
    /// settled fail with [`Error::Closed`] and their fate, consumers answer `None` once what was fetched is taken, and
    /// whoever waits is told. Doing it again changes nothing. [`closed`](Client::closed) waits for the driver's end, without
    /// which a program must not end its runtime.
    pub fn shut_down(&self) {
        self.shared().shut_down();
    }

    /// Waits until the driver has ended: what was in the buffers is settled, and everybody who waits was told. What it answers
    /// with holds no handle, and ends nothing by itself: call [`shut_down`](Client::shut_down), or drop every handle.
    ///
    /// Cancel-safe, and ready at once for ever after.
    ///
    /// ```
    /// # async fn example(client: klamm::Client, producer: klamm::Producer) -> Result<(), klamm::Error> {
    /// let closed = client.closed();
    /// drop((client, producer)); // or client.shut_down(), with any number of handles
    /// closed.await
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Budget`] when `max_waiters` tasks wait already.
    pub fn closed(&self) -> impl Future<Output = Result<(), Error>> + use<> {
        let shared = Arc::clone(self.shared());
        async move {
            let mut wait = Waiting::at(&shared.waits);
            poll_fn(|cx| {
                // Enlisted first, looked at after: what happens in between is not missed.
                let enlisted = wait.enlist(Instant::FAR, cx.waker());
                if shared.is_over() {
                    return Poll::Ready(Ok(()));
                }
                enlisted?;
                Poll::Pending
            })
            .await
        }
    }

    /// Lets handles poll the driver in their own thread when it is idle. For transports that keep their driver behind a
    /// lock; see [`Drive`].
    pub fn drive_inline(&self, driver: Weak<dyn Drive>) {
        self.shared().kick.set_inline(driver);
    }
}

fn no_answer(shared: &Shared, after: Duration) -> Error {
    Error::TimedOut {
        what: alloc::format!("the first answer from {}", shared.config.bootstrap),
        after,
        knob: "connect_timeout_ms",
        fate: Fate::NotPersisted,
        because: None,
    }
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let bootstrap: &String = &self.shared().config.bootstrap;
        f.debug_struct("Client").field("bootstrap", bootstrap).finish_non_exhaustive()
    }
}
