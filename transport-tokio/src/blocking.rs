//! For programs without async: a client with a thread of its own that does its work. Its handles are the same types as
//! everywhere; [`Wait`] gives their futures `.wait()`.
//!
//! ```
//! use klamm_tokio::{NewTopic, Record, StartAt, Wait, blocking};
//!
//! # fn main() -> Result<(), klamm_tokio::Error> {
//! # let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
//! # let cluster = runtime.block_on(async { klamm_broker::serve(klamm_broker::ClusterConfig::default()) }).expect("loopback");
//! # let bootstrap = cluster.bootstrap();
//! let client = blocking::connect(bootstrap)?; // "localhost:9092", say
//! let orders = NewTopic::new("orders", 6, -1); // -1: as many replicas as brokers give by default
//! if let Err(error) = client.admin().create_topics([orders]).wait() {
//!     println!("{error}"); // it is there already, say
//! }
//! let producer = client.producer().build()?;
//! let meta = producer.send(Record::to("orders").key("42").value("{}")).wait()?;
//! println!("partition {}, offset {}", meta.partition(), meta.offset());
//! let mut consumer = client.consumer().topics(["orders"]).from(StartAt::Earliest).build()?;
//! while let Some(records) = consumer.next().wait()? {
//!     records.iter().for_each(|record| println!("{:?}", record.value()));
//! #   break;
//! }
//! # Ok(()) }
//! ```

use std::{fmt, future::poll_fn, io, ops::Deref, thread};

use klamm::{Client, Config, Error, Phase, TransportError, Wait};
use tokio::runtime::{Builder, Runtime};

use crate::{Dial, Direct, Tokio, connect::build};

/// Connects to the cluster that these brokers belong to (`host:port`, separated by commas), with all settings at their
/// defaults.
///
/// # Errors
/// See [`connect_with`].
pub fn connect(bootstrap: impl Into<String>) -> Result<Connection, Error> {
    connect_with(Config::new(bootstrap))
}

/// Connects with these settings, and waits until the cluster has answered once.
///
/// # Errors
/// [`Error::Config`] at once; [`Error::Transport`] when the system gives no thread; when `connect_timeout_ms` is over, the
/// reason, with every address that was tried.
///
/// # Panics
/// In a thread that runs async tasks, as [`Wait::wait`] does.
pub fn connect_with(config: Config) -> Result<Connection, Error> {
    let dialler = Direct::of(&config);
    connect_through(config, dialler)
}

/// As [`connect_with`], with connections that [`dialler`](Dial) opens: through a proxy, say.
///
/// # Errors
/// See [`connect_with`].
///
/// # Panics
/// As [`connect_with`].
pub fn connect_through(config: Config, dialler: impl Dial) -> Result<Connection, Error> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(|e| no_thread(&e))?;
    let (client, driver) = build(config, Tokio::through(dialler, runtime.handle().clone()))?;
    let run = move || {
        runtime.block_on(poll_fn(|cx| driver.poll(cx)));
        // A name that is still being looked up would keep it for as long as that takes.
        Runtime::shutdown_background(runtime);
    };
    let thread = thread::Builder::new().name("klamm".to_owned()).spawn(run).map_err(|e| no_thread(&e))?;
    let connection = Connection { client, thread: Some(thread) };
    connection.connected().wait()?;
    Ok(connection)
}

fn no_thread(error: &io::Error) -> Error {
    let error = TransportError::new(Phase::Connect, error.kind().into(), error.to_string());
    Error::of_host("a thread for the client", error)
}

/// A [`Client`] and the thread that does its work. Producers, consumers and the admin come from it as from any client, and
/// may be used in any thread.
///
/// Dropped, it ends the client, also for the handles that there still are, and waits for the thread
/// ([`Client::shut_down`]): records that are in the buffers are sent, and everything is over as soon as they are settled,
/// at the latest after `close_timeout_ms` (30 s by default). Whatever is not settled by then fails with
/// [`Error::Closed`], which says whether it may be in the log. A program that must know awaits its tickets, or flushes,
/// before.
pub struct Connection {
    client: Client,
    thread: Option<thread::JoinHandle<()>>,
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.client.shut_down();
        if let Some(thread) = self.thread.take() {
            // A panic of the driver has resolved every ticket already, and been printed.
            drop(thread.join());
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("client", &self.client).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use klamm::{Record, StartAt};
    use klamm_broker::{ClusterConfig, Running, serve};
    use std::{
        sync::mpsc,
        time::{Duration, Instant},
    };

    /// Brokers on a runtime of their own.
    fn brokers() -> (Runtime, Running) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let cluster = runtime.block_on(async { serve(ClusterConfig::default()) }).expect("ports on loopback");
        cluster.cluster().create_topic("plain", 1, 1);
        (runtime, cluster)
    }

    /// How long a client's end takes.
    fn time_to_drop(client: Connection) -> Duration {
        let (to, from) = mpsc::channel();
        let started = Instant::now();
        thread::spawn(move || {
            drop(client);
            to.send(())
        });
        from.recv_timeout(Duration::from_secs(10)).expect("it ends");
        started.elapsed()
    }

    /// What is in the buffer is sent when the client is dropped, though it would linger for long and though there still is a
    /// producer and a ticket of it; and a thread that waits for records ends.
    #[test]
    fn a_drop_sends_what_is_in_the_buffer_and_ends_the_thread() {
        let (_runtime, cluster) = brokers();
        let client = connect(cluster.bootstrap()).expect("connected");
        let producer = client.producer().linger(Duration::from_secs(60)).build().expect("a producer");
        let tickets: Vec<_> = (0..100)
            .map(|i| producer.enqueue(Record::to("plain").value(format!("{i}"))).wait().expect("taken"))
            .collect();
        let mut consumer = client.consumer().topics(["plain"]).from(StartAt::Latest).build().expect("a consumer");
        let reading = thread::spawn(move || {
            let mut count = 0;
            while let Some(records) = consumer.next().wait().expect("no error") {
                count += records.len();
            }
            count
        });
        time_to_drop(client);
        assert_eq!(cluster.cluster().end_offset("plain", 0), 100);
        for (i, ticket) in tickets.into_iter().enumerate() {
            assert_eq!(ticket.wait().expect("acknowledged").offset(), i as i64);
        }
        assert!(reading.join().expect("no panic") <= 100);
        let refused = producer.try_enqueue(Record::to("plain").value("late")).expect_err("it has ended");
        assert!(matches!(refused.error(), Error::Closed { .. }), "{refused}");
    }

    /// Brokers that are gone do not keep a program from ending; each record is told its fate.
    #[test]
    fn a_drop_is_bounded() {
        let (runtime, cluster) = brokers();
        let mut config = Config::new(cluster.bootstrap());
        config.close_timeout_ms = 300;
        let client = connect_with(config).expect("connected");
        let producer = client.producer().build().expect("a producer");
        producer.send(Record::to("plain").value("first")).wait().expect("acknowledged");
        drop(cluster);
        drop(runtime);
        let ticket = producer.enqueue(Record::to("plain").value("second")).wait().expect("room");
        let took = time_to_drop(client);
        assert!(took > Duration::from_millis(250), "{took:?}");
        assert!(matches!(ticket.wait(), Err(Error::Closed { .. })));
        drop(producer);
    }

    #[test]
    fn nobody_there_is_told_in_time() {
        let mut config = Config::new("127.0.0.1:1");
        config.connect_timeout_ms = 300;
        let error = connect_with(config).expect_err("nobody listens there");
        assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
        let error = connect("").expect_err("no address");
        assert!(matches!(error, Error::Config { .. }), "{error}");
    }

    /// Threads that may block do; a task that does would keep its runtime from working, and is told.
    #[test]
    fn a_task_does_not_wait() {
        let (runtime, cluster) = brokers();
        let client = connect(cluster.bootstrap()).expect("connected");
        let producer = client.producer().build().expect("a producer");
        let clone = producer.clone();
        let send = move || clone.send(Record::to("plain").value("x")).wait().map(|meta| meta.offset());
        let (allowed, refused) = (send.clone(), send);
        assert_eq!(runtime.block_on(runtime.spawn_blocking(allowed)).expect("no panic"), Ok(0));
        if cfg!(debug_assertions) {
            let panic = runtime.block_on(runtime.spawn(async move { refused() })).expect_err("it is told");
            let said = panic.into_panic();
            let said = said
                .downcast_ref::<&str>()
                .map_or_else(|| said.downcast_ref::<String>().cloned(), |s| Some((*s).to_owned()));
            assert!(said.as_deref().is_some_and(|s| s.contains("a runtime from within a runtime")), "{said:?}");
        }
        drop((producer, client));
        assert_eq!(cluster.cluster().end_offset("plain", 0), 1);
    }

    /// Many threads wait at once, and none for ever.
    #[test]
    fn threads_share_a_client() {
        let (_runtime, cluster) = brokers();
        let client = connect(cluster.bootstrap()).expect("connected");
        let producer = client.producer().build().expect("a producer");
        thread::scope(|threads| {
            for thread in 0..8 {
                let producer = &producer;
                threads.spawn(move || {
                    for i in 0..50 {
                        let record = Record::to("plain").value(format!("{thread} {i}"));
                        producer.send(record).wait().expect("acknowledged");
                    }
                });
            }
        });
        assert_eq!(cluster.cluster().end_offset("plain", 0), 400);
    }
}
