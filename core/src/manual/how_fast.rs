//! How fast, and how to keep it so.
//!
//! Figures are of one machine with two shared cores that the broker runs on, too: what counts is how they compare. The
//! commands are those of the project's checkout.
//!
//! # What a record costs
//!
//! `tests/clients/run` measures Klamm beside rdkafka and rskafka on one real broker and prints a table for each case; CPU is
//! that of the client's process.
//!
//! | what, 100 bytes a record | Klamm | others |
//! |---|---|---|
//! | 64 tasks that each await their own `send`, 6 partitions | 168,000 records/s, 2.0 µs | rskafka 43,400 and 3.5; rdkafka 25,900 and 20.7 |
//! | 1,000 such tasks | 900,600 records/s, 0.85 µs | rdkafka 108,700 and 6.2; rskafka 22,700 and 2.2 |
//! | one task, acknowledged by all, one partition | 0.100 µs | franz-go 0.519; kacrab 0.737; rskafka 0.893 |
//! | the same, idempotent | 0.104 µs | franz-go 0.522; kacrab 0.750 |
//! | the same with 16 partitions; idempotent, too | 0.111 and 0.117 µs | franz-go 0.676 and 0.923 |
//! | one partition, with LZ4 | 0.192 µs | franz-go 0.639; kacrab 0.901; rskafka 1.077 |
//! | consumed, with every checksum; from 16 partitions | 0.051 and 0.052 µs | kacrab 0.222 and 0.224; rskafka 0.338; franz-go 0.384 and 0.264 |
//! | consumed with LZ4 | 0.067 µs | kacrab 0.322; franz-go 0.378; rskafka 0.436 |
//! | one record at a time: half and 99 % are acknowledged within | 0.128 and 0.327 ms, 40 µs | rskafka 0.129, 0.331 and 37; franz-go 0.188, 0.476 and 105 |
//! | one task, 1 kB a record | 0.495 µs | franz-go 1.101; rskafka 1.290; kacrab 1.345 |
//! | 28,000 records/s at a steady pace, a task each: half and 99 % are acknowledged within | 0.47 and 3.1 ms, 5.5 µs | rskafka 1.7, 5.6 and 7.0; rdkafka 0.7, 5.9 and 12.9 |
//!
//! A whole server, HTTP to Kafka, over Klamm and over librdkafka (`examples/ingest`, `tests/ingest-rdkafka/run 3 2 50`, 50 connections): where
//! the answer waits for the acknowledgement 47,700 and 51,400 events a second, over librdkafka's FutureProducer 30,800 and 36,700; where it does
//! not 101,600 to 113,400 in four rounds, over its ThreadedProducer 88,200 to 108,200, and less in each of them.
//!
//! `tests/lib/counts` counts the instructions of the hot paths, which is the same on any machine; a change of more than 3 %
//! fails the tests. `cargo test --release -p klamm-bench --test allocations -- --nocapture` counts how often memory is
//! asked for: at most four times a batch, never by the record.
//!
//! # What it grows with
//!
//! `cargo run --release -p klamm-bench --bin tables -- NAME` prints these, each of some seconds, against an in-memory cluster
//! in a process of its own; CPU is the client's, in µs a record of 100 bytes. The machine did other work at the same time.
//!
//! | `partitions`: idle ones that are known and were used once | produce | one at a time | consume |
//! |--:|--:|--:|--:|
//! | 1 | 0.14 | 8.8 | 0.034 |
//! | 100 | 0.13 | 7.9 | 0.035 |
//! | 10,000 | 0.14 | 8.4 | 0.254 |
//!
//! A consumer looks at all of its partitions at each fetch: with thousands, give each consumer its share of them.
//!
//! | `brokers`: 64 partitions on so many | produce | one at a time | consume |
//! |--:|--:|--:|--:|
//! | 1 | 0.15 | 8.0 | 0.048 |
//! | 8 | 0.15 | 9.1 | 0.039 |
//! | 64 | 0.19 | 15.0 | 0.066 |
//!
//! | `cores`: threads, and as many tasks that enqueue | records/s | CPU |
//! |--:|--:|--:|
//! | 1 | 3.8 M | 0.12 |
//! | 2, of which the brokers need one | 4.2 M | 0.14 |
//!
//! | `batches`: `batch_bytes`, one partition | records/s | CPU |
//! |--:|--:|--:|
//! | 16 KiB | 2.0 M | 0.17 |
//! | 64 KiB | 3.3 M | 0.13 |
//! | 256 KiB | 3.0 M | 0.13 |
//! | 1 MiB | 2.3 M | 0.13 |
//!
//! | `idle`: what a client does a minute that nobody uses | wake-ups | bytes out | bytes in | CPU |
//! |---|--:|--:|--:|--:|
//! | with a producer | 6 | 0 | 0 | 5 ms |
//! | and a consumer of three brokers, each asked every 500 ms | 174 | 16,200 | 7,560 | 26 ms |
//!
//! Nobody is woken for a record that nobody awaits: 20,000 records in 24 batches were 48 wake-ups of the driver
//! (`cargo test --release -p klamm-bench --test wakes -- --nocapture`).
//!
//! # Which setting moves what
//!
//! | setting or habit | what it does |
//! |---|---|
//! | `batch_bytes` | Each request costs system calls and wake-ups, whatever is in it. With 16 KiB a record of 100 bytes cost 0.73 µs, with 64 KiB 0.26, with 256 KiB 0.22, with 1 MB 0.19. |
//! | `linger_ms` | 0 is right for most programs: what comes while the leader answers a request goes together with the next one. More helps only where few records a second go to many partitions. |
//! | `enqueue` and later await the tickets | The fastest way for one task. `send` in many tasks comes close, because their records gather by themselves. `send` in one task is one record a round trip. |
//! | [`send_all`](crate::Producer::send_all) and [`enqueue_all`](crate::Producer::enqueue_all) | What stands together in a slice and goes to one partition shares a lock and its tickets: a third fewer instructions a record than `enqueue`. |
//! | many tasks | Clones of one [`Producer`](crate::Producer) share its batches; a producer each would share nothing. |
//! | on tokio: spawn | The thread of `#[tokio::main]` is not one of the runtime's workers, so each hand-over wakes another thread. Work that should be fast runs in a spawned task, or on a runtime of one thread. |
//! | `compression` | LZ4 costs least. What each codec does in this build is in [`compress`](crate::compress). |
//! | `compression_jobs` | Batches are compressed in threads of their own. For gzip and high levels of zstd, several busy partitions, and processors that have nothing else to do; on two shared cores nothing was won with LZ4 and zstd. |
//! | features of `klamm-tokio` | `simd`: CRC-32C and zstd by more of the CPU's vectors, for a larger program. `zstd-native`: the zstd library, which needs a C compiler. |
//! | [`memory.produce_bytes`](crate::Memory) | Two to four full batches a busy partition are enough where brokers are near; more only makes the working set larger. |
//! | `fetch_max_bytes`, `memory.fetch_bytes` | A fetch takes at most the Fetch class divided by the brokers in use and one more. 2 to 4 MiB are enough; more is slower, because it leaves the processor's cache. |
//! | drop [`Records`](crate::Records) soon | They lie in the fetch's memory: what is kept pushes back on fetching. [`to_owned`](crate::Records::to_owned) copies and lets go. |
//!
//! # At the budget's edge
//!
//! Nothing grows past the budget; it waits or is refused, and says so.
//!
//! | what is full | what happens |
//! |---|---|
//! | Produce | [`enqueue`](crate::Producer::enqueue) and [`send`](crate::Producer::send) wait, at most `max_block_ms`; [`try_enqueue`](crate::Producer::try_enqueue) gives the record back with [`Error::Budget`](crate::Error::Budget). Open batches are sent at once, whatever the linger. |
//! | Fetch, Inflate | No more is fetched or inflated until the application drops records; after 5 s, [`Event::RecordsKept`](crate::event::Event::RecordsKept) says who holds what. |
//! | a batch larger than the class | Its partition stops with [`Error::TooLarge`](crate::Error::TooLarge), which names the offsets that a seek must pass, and the setting. |
//! | `max_waiters` | Whoever comes next is refused at once with `Error::Budget`, which names this setting, or the buffer if that is full; it may come again later. |
