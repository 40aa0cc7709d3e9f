//! From rskafka: each of its names, and what stands for it here.
//!
//! Written against rskafka 0.6. Both keep offsets out of Kafka and give a client for each partition; a program moves name by name.
//!
//! ```no_run
//! # async fn program(client: klamm::Client) -> Result<(), Box<dyn core::error::Error>> {
//! use core::time::Duration;
//! use klamm::{Codec, NewTopic, Record, RecordAggregator, RecordBuf, UnknownTopic};
//! // controller_client.create_topic("my_topic", 2, 1, 5_000)
//! client.admin().create_topics([NewTopic::new("my_topic", 2, 1)]).await?;
//! // client.partition_client("my_topic", 0, UnknownTopicHandling::Retry)
//! let partition = client.partition("my_topic", 0).unknown_topic(UnknownTopic::Retry).build().await?;
//! // partition_client.produce(vec![record], Compression::default())
//! let record = Record::new().value("hello kafka").header("foo", "bar").timestamp_ms(42);
//! let offsets = partition.produce([record], Codec::None).await?;
//! // partition_client.fetch_records(0, 1..1_000_000, 1_000)
//! let (records, high_watermark) = partition.fetch_records(0, 1..1_000_000, Duration::from_secs(1)).await?;
//! // BatchProducerBuilder::new(partition_client).with_linger(…).build(RecordAggregator::new(1024))
//! let producer = partition.batch_producer().linger(Duration::from_secs(2)).build(RecordAggregator::new(1024))?;
//! let offset = producer.produce(RecordBuf::new().value("hello kafka")).await?;
//! # let _ = (offsets, records, high_watermark, offset);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/src/bin/partition.rs` and `examples/src/bin/aggregate.rs` are whole programs.
//!
//! # The client
//!
//! | rskafka | here |
//! |---|---|
//! | `ClientBuilder::new(vec!["a:9092", "b:9092"])…build().await` | `klamm_tokio::connect("a:9092,b:9092").await`, or `connect_with` a [`Config`](crate::Config) |
//! | `client_id` | [`Config::client_id`](crate::Config::client_id) |
//! | `max_message_size` (100 MB a connection) | [`Config::memory_total`](crate::Config::memory_total), for the whole client; 16 MiB by default. Nothing a broker says takes more |
//! | `backoff_config`, `BackoffConfig { init_backoff, max_backoff, base, deadline }` | `backoff_ms`, `backoff_max_ms` of [`Config`](crate::Config), by doubling. The deadlines are those of the operations: see below |
//! | `connect_timeout(Some(…))` | [`Config::connect_timeout`](crate::Config::connect_timeout); without any there is none |
//! | `timeout(Some(…))`, `None` by default | [`Config::request_timeout`](crate::Config::request_timeout), 30 s by default |
//! | `sasl_config`, `SaslConfig::{Plain, ScramSha256, ScramSha512}`, `Credentials` | `Config::sasl` and `Sasl`, feature `sasl` |
//! | `SaslConfig::Oauthbearer`, `OauthBearerCredentials`, `OauthCallback` | `Sasl::oauthbearer`, with a closure that answers a future, or a `TokenSource`; `Token::extension` for extensions |
//! | `tls_config` | `Config::tls`, feature `tls`: `Tls::from_config` takes the same `Arc<rustls::ClientConfig>` |
//! | `socks5_proxy` | `klamm_tokio::connect_through` with a `Socks5`, feature `socks5`; with a password too. Any other dialler through the trait `Dial` |
//! | `Client::controller_client` | [`Client::admin`](crate::Client::admin) |
//! | `Client::partition_client(topic, partition, handling).await` | [`Client::partition`](crate::Client::partition)`(topic, partition).unknown_topic(…).build().await` |
//! | `Client::list_topics`, `topic::Topic { name, partitions }` | [`Admin::list_topics`](crate::Admin::list_topics), [`TopicDescription`](crate::TopicDescription). Kafka's own topics are in it and say so |
//! | `ControllerClient::create_topic(name, partitions, replication_factor, timeout_ms)` | [`Admin::create_topics`](crate::Admin::create_topics), with settings; answers when the topics can be used |
//! | `ControllerClient::delete_topic(name, timeout_ms)` | [`Admin::delete_topics`](crate::Admin::delete_topics) |
//! | — | [`describe_configs`](crate::Admin::describe_configs), [`incremental_alter_configs`](crate::Admin::incremental_alter_configs), [`list_offsets`](crate::Admin::list_offsets), [`describe_cluster`](crate::Admin::describe_cluster) |
//!
//! # A partition
//!
//! | rskafka | here |
//! |---|---|
//! | `UnknownTopicHandling::{Error, Retry}` | [`UnknownTopic::{Error, Retry}`](crate::UnknownTopic); `Retry` ends when the operation's time is over; a consumer's ends with the consumer, and [`Event::TopicUnknown`](crate::Event::TopicUnknown) tells what it waits for |
//! | `PartitionClient::topic`, `partition` | the same. Clones are the same client: no `Arc` is needed |
//! | `produce(Vec<Record>, Compression)` → `Vec<i64>` | [`produce`](crate::PartitionClient::produce)`(records, Codec)` → the offsets. A `Vec`, an array or a slice of records, borrowed or not |
//! | `Compression::{NoCompression, Gzip, Lz4, Snappy, Zstd}` | [`Codec`](crate::Codec)`::{None, Gzip, Lz4, Snappy, Zstd}`. Each codec that is used has a producer of its own, which holds what the compressor takes: with zstd about 5 MB of the Produce class |
//! | `fetch_records(offset, 1..1_000_000, max_wait_ms)` → `(Vec<RecordAndOffset>, i64)` | [`fetch_records`](crate::PartitionClient::fetch_records)`(offset, 1..1_000_000, Duration)` → ([`FetchedRecords`](crate::FetchedRecords), `i64`): borrowed from what was fetched; [`to_owned`](crate::FetchedRecords::to_owned) copies. Go on at [`next_offset`](crate::FetchedRecords::next_offset): after the last record and after what has no record. Both read committed records only ([`isolation_level`](crate::PartitionBuilder::isolation_level)); of aborted transactions, which rskafka hands out, none come here |
//! | `get_offset(OffsetAt::{Earliest, Latest, Timestamp(DateTime)})` → `i64` | [`offset`](crate::PartitionClient::offset)`(`[`OffsetSpec`](crate::OffsetSpec)`::{Earliest, Latest, Timestamp(ms)})` → `Option<i64>`: `None` where rskafka says −1, for a time after all records |
//! | `delete_records(offset, timeout_ms)` | [`delete_records`](crate::PartitionClient::delete_records)`(before)` → where the log begins then |
//! | `record::Record { key, value, headers: BTreeMap, timestamp: DateTime }` | [`Record::new`](crate::Record::new)`().key(…).value(…).header(…).timestamp_ms(…)`, which borrows; [`RecordBuf`](crate::RecordBuf), which does not. Headers keep their order, may come twice, and may be null; without a time the client's clock tells |
//! | `Record::approximate_size` | [`RecordBuf::approximate_size`](crate::RecordBuf::approximate_size) |
//! | `record::RecordAndOffset` | [`RecordView`](crate::RecordView), borrowed, or [`OwnedRecord`](crate::OwnedRecord) |
//! | `chrono` | milliseconds since 1970-01-01 UTC |
//!
//! # The batch producer
//!
//! | rskafka | here |
//! |---|---|
//! | `BatchProducerBuilder::new(Arc<PartitionClient>)` | [`PartitionClient::batch_producer`](crate::PartitionClient::batch_producer) |
//! | `with_linger`, `with_compression` | [`linger`](crate::BatchProducerBuilder::linger), 5 ms by default as there; [`compression`](crate::BatchProducerBuilder::compression) |
//! | `build(aggregator)` | [`build`](crate::BatchProducerBuilder::build)`(aggregator)?` |
//! | `BatchProducer::produce(input).await` → the status | [`produce`](crate::BatchProducer::produce) |
//! | `BatchProducer::flush` | [`flush`](crate::BatchProducer::flush) |
//! | dropping it aborts what is on its way | dropping it sends what it has |
//! | `Aggregator { Input, Tag, StatusDeaggregator, try_push, flush }` | [`Aggregator`](crate::Aggregator), the same; `flush` gives [`RecordBuf`](crate::RecordBuf)s |
//! | `TryPush::{NoCapacity, Aggregated}`, `unwrap_input`, `unwrap_tag` | [`TryPush`](crate::TryPush); a `match` unwraps |
//! | `StatusDeaggregator { Status, Tag, deaggregate }`, `AggregatorStatus` | [`StatusDeaggregator`](crate::StatusDeaggregator), [`StatusOf`](crate::StatusOf) |
//! | `RecordAggregator`, `RecordAggregatorStatusDeaggregator` | [`RecordAggregator`](crate::RecordAggregator), [`RecordOffsets`](crate::RecordOffsets) |
//! | `aggregator::Error` | [`AggregatorError`](crate::AggregatorError) |
//! | `producer::Error::{Aggregator, Client, FlushError, TooLarge}` | [`ProduceError`](crate::ProduceError)`::{Aggregator, Client, TooLarge}`, `Status` and `Partly` where records are in the log all the same, with [`fate`](crate::ProduceError::fate) |
//! | `ProducerClient`, `BatchProducerBuilder::new_with_client`, to look at what is produced or to test without Kafka | [`Config::observer`](crate::Config::observer) to look; a cluster in memory (`klamm-broker`) to test |
//!
//! # The stream
//!
//! | rskafka | here |
//! |---|---|
//! | `StreamConsumerBuilder::new(client, StartOffset::{Earliest, Latest, At(offset)})` | [`PartitionClient::consumer`](crate::PartitionClient::consumer)`(`[`StartAt`](crate::StartAt)`::{Earliest, Latest, Offset(offset)}).build()?`. One consumer reads many partitions, each from a place of its own, with [`ConsumerBuilder::assign_at`](crate::ConsumerBuilder::assign_at) |
//! | `with_max_wait_ms`, `with_min_batch_size`, `with_max_batch_size` | [`fetch_max_wait`](crate::ConsumerBuilder::fetch_max_wait), `fetch_min_bytes` of [`ConsumerConfig`](crate::ConsumerConfig), [`fetch_max_bytes`](crate::ConsumerBuilder::fetch_max_bytes) |
//! | `StreamConsumer`, a `Stream` of `(RecordAndOffset, high_watermark)` | [`Consumer`](crate::Consumer): [`next`](crate::Consumer::next), or with the feature `futures` a `Stream`, of [`Records`](crate::Records), each with its [`high_watermark`](crate::Records::high_watermark) |
//! | the first error ends the stream | what passes is mended and not told; after an error the stream goes on. [`on_out_of_range`](crate::ConsumerBuilder::on_out_of_range)`(ResetPolicy::Fail)` makes an offset out of range an error for every start |
//!
//! A consumer fetches ahead while the program works, asks for many partitions of a broker together, and does not ask again and
//! again at a log's end that has no records. `fetch_records` is for who wants one answer.
//!
//! # Errors
//!
//! | rskafka | here |
//! |---|---|
//! | `client::error::Error::ServerError { protocol_error, error_message, request, response, is_virtual }`, `RequestContext`, `ServerErrorResponse` | [`Error::Broker`](crate::Error::Broker)` { code, what, message, fate, .. }` |
//! | `ProtocolError` | [`ErrorCode`](crate::ErrorCode), with one that is not known yet kept as it is |
//! | `Error::Connection`, `ConnectionError`, `TransportError`, `SaslError` | [`Error::Transport`](crate::Error::Transport), with every address that was tried; `Error::Authentication` |
//! | `Error::Request`, `RequestError`, `Error::InvalidResponse`, `ProduceError` | [`Error::Peer`](crate::Error::Peer), [`Error::Wire`](crate::Error::Wire) |
//! | `Error::RetryFailed`, `BackoffError`, `Error::Timeout` | [`Error::TimedOut`](crate::Error::TimedOut)` { knob, because, fate, .. }` |
//! | `Result` | `Result<_, klamm::Error>` |
//!
//! # What differs, and why
//!
//! - **Retries end.** There they go on for ever unless told otherwise. Here an offset, a deletion and a fetch have
//!   `request_timeout_ms` (a fetch its wait besides), records `max_block_ms` and then `delivery_timeout_ms`. The error then says what
//!   stood in the way, and whether a record may be in the log.
//! - **Nothing is written twice.** Producers are idempotent unless told otherwise (KIP-98): there a retried produce may be there
//!   twice. Partitions with the same settings share a producer, and their records share requests.
//! - **Memory has a ceiling**, of the client as a whole. Room is taken before something is asked for. With one class full an
//!   operation waits, or fails with the setting's name. Keeping records keeps their room.
//! - **Connections are shared.** There each partition's client has one of its own. Here a broker has one for each use, so that a
//!   thousand partitions do not open a thousand. In return a broker answers a connection's requests in turn: fetches that wait are
//!   cut into pieces of 50 ms where several stand there.
//! - **A dropped future harms nobody.** No half request stays on a connection, and no batch waits for a task that is gone.
//! - **It runs without tokio**: all of this is in the core, for WASI and microcontrollers alike.
