//! On a microcontroller: what it takes, how to write the transport, and what to expect.
//!
//! `examples/metal` in the project's checkout is a program for a Cortex-M3 with 256 KiB of flash and 64 KiB of RAM, over Ethernet
//! and smoltcp. `examples/metal/run` builds it, runs it in QEMU against a real broker, and prints what it took. It was not tried
//! on a board. `examples/metal/run mps2` does the same for a larger one, QEMU's mps2-an385, with LZ4 and headers.
//!
//! # What it takes
//!
//! | on QEMU's lm3s6965evb against Kafka 4.3.1, on a machine that did much else | |
//! |---|--:|
//! | flash: producer, consumer, smoltcp, the driver of the Ethernet, the example itself (`opt-level = "z"`, fat LTO) | 213,272 bytes |
//! | heap at its peak, of a budget of 32 KiB, TCP's buffers and frames included | 27,956 to 29,320 bytes |
//! | stack at its peak | 3,696 to 3,888 bytes |
//! | records of 100 bytes acknowledged by all, in batches of 1 KiB | 2,800 to 8,400 a second |
//! | one record at a time | 1.3 to 2.5 ms |
//!
//! Of the heap some 5 KB are the frames and TCP's buffers of one connection, 4 KB of those twice 2 KB for each further one.
//!
//! ```toml
//! klamm = { version = "0.1", default-features = false, features = ["small-tables"] }
//!
//! [profile.release]
//! opt-level = "z" # "s" is 15 % larger
//! lto = true
//! codegen-units = 1
//! panic = "abort"
//! ```
//!
//! - `small-tables` computes CRC-32C with a table of 64 bytes instead of 8 KiB.
//! - A panic handler that looks at what it is told keeps the words and places of all panics: 21 KB. One that does not, and stops or
//!   restarts the device, costs nothing.
//! - Features and what a program asks for add to the flash of that program, in bytes:
//!
//!   | `snappy` | `lz4` | `gzip` | `sasl`, without a mechanism | `log`, without a logger | an observer of events | the same that prints them | `isolation_level` |
//!   |--:|--:|--:|--:|--:|--:|--:|--:|
//!   | 7,348 | 10,144 | 39,420 | 11,944 | 6,064 | 5,960 | 14,740 | 3,596 |
//!
//! - A program has in it what it uses: without a consumer, or with no `admin` operations, it has nothing of these. Of events, of codecs
//!   that are not of the build, of warm state and of reading committed records only it has nothing where nothing calls
//!   [`Config::observer`](crate::Config::observer), [`Config::codecs`](crate::Config::codecs),
//!   [`Config::warm_state`](crate::Config::warm_state) or [`isolation_level`](crate::ConsumerBuilder::isolation_level) (or gives a
//!   consumer all settings at once): with `lto = true` the compiler sees that.
//!
//! # What holds how much
//!
//! [`Config::memory_total`](crate::Config::memory_total) shares a total out, and
//! [`memory_plan`](crate::Config::memory_plan) tells each holder at its worst; what cannot fit is refused when the client is built. With
//! `single_connection`, in bytes:
//!
#![doc = include_str!("microcontroller_table.md")]
//!
//! These are ceilings: of its 32 KiB the program above held 12,416 bytes at most. What one class does not need may go to
//! another: `config.memory.produce_bytes` for a device that must live through an outage of its
//! broker with its readings, and nothing to `inflate_bytes` where nobody compresses. A batch takes 832 bytes beside its records until
//! it is acknowledged, so `batch_bytes` of 1 KiB are a good size.
//!
//! Beside the budget there are the transport's own buffers, the tasks' futures, and what the application keeps.
//!
//! # All of it at the start
//!
//! [`Budget::preallocated`](crate::Budget::preallocated) takes what records may hold from the allocator before the client is built,
//! or says that there is not so much:
//!
//! ```
//! # fn main() -> Result<(), klamm::Error> {
//! let mut config = klamm::Config::new("10.0.0.1:9092");
//! config.single_connection = true;
//! let mut config = config.memory_total(32 << 10);
//! config.budget = Some(klamm::Budget::preallocated(config.memory)?);
//! # Ok(())
//! # }
//! ```
//!
//! After that the client grows by no more than the other lines of the table. The example's heap is one static array, and once the clients
//! are there it refuses whatever is more than their plan and 10 KiB for TCP and the application (`memory::seal`); every scenario runs so,
//! brokers that die and brokers that lie among them. With all taken before (`taken`) that is 28 KiB, and the heap at its peak
//! 35,600 to 35,900 bytes instead of 29,300. In the tests on a server an allocator aborts when more is asked for.
//!
//! It is not the same as never asking: small pieces come and go while the client runs. On a server, where addresses are twice as
//! long, one broker, one partition and one connection asked for:
//!
//! | | pieces | bytes together | the largest |
//! |---|--:|--:|--:|
//! | a batch written and acknowledged: its outcome, what is sent, who waits | 3 | 608 | 312 |
//! | a turn of the driver, where there is a consumer: whom to fetch from | 3 | 224 | 128 |
//! | a fetch that brings nothing, with two such turns | 12 | 870 | 160 |
//! | a fetch that brings records, with four such turns, beside its buffer | 29 | 2,700 | 320 |
//! | metadata asked for again | 7 | 233 | 128 |
//! | a connection that is opened again, without the transport's | 11 | 1,300 | 352 |
//!
//! Where the allocator has none of these left the program ends, as Rust's `alloc` has it; only for the buffers of records is that a
//! wait, or an error. So the heap is to have what the plan says, and the plan is what to lower.
//!
//! # What happens when it is too little
//!
//! - A batch larger than `memory.fetch_bytes` is thrown away as it comes, and the connection lives. [`Error::TooLarge`](crate::Error::TooLarge)
//!   names its offset and the setting, and `next_offset` is what a [`seek`](crate::Consumer::seek) passes it with. The example reads past a batch of 100 KB so.
//! - A topic with more partitions than `max_partitions` is refused with that name; other topics go on.
//! - While a broker is away, records wait until `memory.produce_bytes` is full; then `enqueue` waits, and `try_enqueue` refuses.
//!
//! # The transport
//!
//! [`EmbeddedIo`](crate::EmbeddedIo) makes a connection of two halves of `embedded-io-async`. The rest is a [`Transport`](crate::Transport):
//! to connect, one timer, a clock, randomness; in the example 90 lines. Driver and handles belong to one thread, and the
//! compiler refuses a handle in an interrupt.
//!
//! - **Time.** A device that does not know it answers `None` from [`Clock::unix_ms`](crate::Clock::unix_ms): its records carry the
//!   timestamp −1. One that makes a time up, such as 1970, loses its records, because retention deletes what is older than a week.
//!   Give its topics `message.timestamp.type=LogAppendTime`: records then have the broker's time. Without that a broker that starts
//!   again forgets the producer, because it goes by the time of its last batch, and takes twice what it had written and not
//!   acknowledged.
//! - **Randomness** is [`Transport::entropy`](crate::Transport::entropy), which has no default: two devices that begin with the same
//!   bytes try again at the same moments, for ever, and with SASL a guess is a break-in.
//! - **The broker's addresses.** A broker is dialled where it says that it is (`advertised.listeners`), not where it was found.
//!
//! # How seldom it wakes
//!
//! `examples/metal/run BOOTSTRAP idle TOPIC` counts how often a task of the program is polled, all three of them together, and a rest of
//! 15 seconds is taken for the hour. A client with a producer that has nothing to send was not woken at all; it asks for metadata
//! every five minutes (`metadata_max_age_ms`). What a consumer costs beside it:
//!
//! | | wake-ups an hour | what the first record after a rest may wait in addition |
//! |---|--:|--:|
//! | a single connection, `shared_wait_max_ms` at its default of 50 | 300,000 | 50 ms |
//! | the same with 500 (`idle`) | 42,000 | 500 ms |
//! | the same with 30,000, and a `request_timeout_ms` of 60,000 (`idle-long`) | 1,400 | 30 s |
//! | a connection of its own for fetches: `single_connection` off, `fetch_max_wait` 30 s (`idle-apart`) | 1,200 | nothing |
//!
//! On a single connection others stand behind a fetch, because brokers answer in order. So fetches wait 50 ms there, and twice as long
//! each time that nothing else happened on the connection:
//! [`shared_wait_max_ms`](crate::Config#structfield.shared_wait_max_ms) is where that ends. A device that reads or writes all the time does not
//! notice it; one that seldom does chooses between its battery and its latency. The last way costs 4 KB of TCP's buffers and 2 KB of the
//! budget for each further connection.
//!
//! # A serial line, and a slow link
//!
//! The program with the feature `uart` has one UART to one broker: 188,916 bytes of flash, 20,160 to 20,320 of heap, 1,400 to 2,200 records a second
//! acknowledged (`examples/metal/run uart`, also while the broker is killed). A line does not tell that its other end has gone; `uart.rs`
//! says what a new connection begins with.
//!
//! Over 10 KB/s, which is a good serial line, a batch of 1 KiB takes a tenth of a second, a fetch of 8 KiB most of one, and the first
//! contact another tenth: brokers say what they speak in about 0.5 KB, and the metadata of a topic in less. This is reckoned, not measured.
//!
//! # What it says
//!
//! With the feature `defmt` [events](crate::event) go to `defmt`: their names and fields as bytes, of which the host makes words. The
//! program brings a logger and `defmt`'s linker script; the example had 4 KB more of flash with both:
//!
//! ```toml
//! klamm = { version = "0.1", default-features = false, features = ["defmt", "small-tables"] }
//! defmt = "1"
//! defmt-rtt = "1" # or another logger; `use defmt_rtt as _;` in the program
//! # and in build.rs: println!("cargo:rustc-link-arg=-Tdefmt.x");
//! ```
//!
//! ```text
//! $ DEFMT_LOG=debug cargo run --release
//! DEBUG Connecting { peer: Peer { node: -1, host: "127.0.0.1", port: 9 }, purpose: Control }
//! WARN  ConnectFailed { peer: Peer { node: -1, host: "127.0.0.1", port: 9 }, purpose: Control, why: "connect failed: nobody listens there", failures: 1, again_after: Duration { secs: 0, nanos: 118369000 } }
//! ```
//!
//! An [observer](crate::event::Observe) of the program's own takes the place of that, and may pass events on to
//! `klamm::event::DefmtObserver`. Where `log` is on too, events go to both.
//!
//! # Brokers that lie
//!
//! `examples/metal/run hostile` plays the 196 scripts of `tests/hostile` that want neither TLS nor SASL to the example, 49 on each of four
//! devices, without a start in between: each comes to what its script names, in its time, holds no more than its plan, and leaves
//! nothing behind. The most that one held was 24,368 bytes, TCP's buffers included. `hostile-sasl` adds the 44 scripts of SASL, on the board
//! whose flash has room for it.
//!
//! # Targets
//!
//! `thumbv7m` and `thumbv7em` are run and linked in the tests; `riscv32imac` is built, and was never run.
//!
//! `thumbv6m` (Cortex-M0) and `riscv32imc` have no compare-and-swap, and the core does not build there. `bytes`, `spin` and
//! `atomic-waker` could have it from `portable-atomic`. What is missing is the core's own `Arc`: Rust's `alloc` has none there, and that of
//! `portable-atomic-util` does not become an `Arc<dyn Clock>` by itself in stable Rust, which transports, observers and codecs
//! are handed over as; and `alloc::task::Wake`, of which the driver makes its wakers.
