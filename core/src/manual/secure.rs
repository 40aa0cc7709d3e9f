//! Encrypted connections, and who is at their ends.
//!
//! The feature `tls` encrypts every connection of every transport; without it nothing of that is compiled in. TLS is
//! rustls' (1.3 and 1.2), its cryptography the program's choice. On tokio the feature `ring` of `klamm-tokio` brings one and
//! is all that is needed; it builds with a C compiler, and so it is not on by default:
//!
//! ```text
//! // klamm-tokio = { features = ["ring"] }
//! use klamm_tokio::{Config, sasl::{Sasl, ScramHash}, tls::{self, Files}};
//! let tls = tls::builder().system_cas().build()?;                      // or .ca_file("ca.pem"), .ca_pem(text)
//! let config = Config::new("broker-1:9093").tls(tls);                  // and, behind it, who the client is:
//! let config = config.sasl(Sasl::scram(ScramHash::Sha512, "alice", password));
//! ```
//!
//! | what | how |
//! |---|---|
//! | cryptography | `ring` or `aws-lc-rs` on tokio; with `tls` alone, and in WASI components, any `CryptoProvider` for [`Tls::builder`](crate::tls::Tls::builder); one for wasm: [`where_it_runs`](super::where_it_runs) |
//! | whom to trust | CAs as PEM, as DER, from a file, or those of the system; none is trusted by default |
//! | a client's certificate (mutual TLS) | [`client_auth_pem`](crate::tls::TlsBuilder::client_auth_pem), or `client_auth_files` on tokio: PKCS#8, PKCS#1 or SEC1, not encrypted |
//! | certificates that are renewed | build again, and [`replace`](crate::tls::Tls::replace): for connections that begin from then on |
//! | anything else of rustls | [`Tls::from_config`](crate::tls::Tls::from_config) |
//! | without std | the transport's [`Clock`](crate::Clock) says whether a certificate is valid; one that does not know the time is told so by an error |
//!
//! Each broker must show a certificate for the host that the cluster advertises it by, a name or an address: that is what
//! `advertised.listeners` says, not what stands in the bootstrap list. PLAIN may go over TLS without being allowed by name.
//!
//! # What is said when it does not work
//!
//! At once, not when `connect_timeout_ms` is over, unless another address of the bootstrap list may still answer:
//! [`Error::Transport`](crate::Error::Transport) with this in its [`tls`](crate::TransportError::tls).
//!
//! | [`TlsFault`](crate::TlsFault) | look at |
//! |---|---|
//! | `UnknownIssuer` | the CA that the client trusts; a broker that does not send the certificates between its own and the CA's |
//! | `Expired`, `NotValidYet`, `NoClock` | the certificate's dates and this host's clock |
//! | `HostMismatch`, `HostName` | the certificate's names (the error has them) and `advertised.listeners` |
//! | `ClientCertificateRequired`, `ClientCertificateRefused` | `ssl.client.auth` and the broker's truststore |
//! | `NotTls` | the port: whoever is there answers in something else, or hangs up, as a plaintext listener does |
//! | `Incompatible`, `HandshakeAlert` | `ssl.enabled.protocols`, `ssl.cipher.suites` |
//! | `TooLarge` | the broker's certificates and the names of its CAs, which may be 26 KiB together |
//! | `Truncated`, `Protocol` | the network: these are tried again |
//!
//! A client without TLS on an encrypted port is told
//! [`PeerFault::OtherProtocol("TLS")`](crate::error::PeerFault::OtherProtocol), and one that does not say who it is where SASL is
//! wanted [`PeerFault::NoAnswer`](crate::error::PeerFault::NoAnswer), after the fourth connection that was closed.
//!
//! What a user may not do (`authorizer.class.name`) is an [`Error::Broker`](crate::Error::Broker) with
//! `TOPIC_AUTHORIZATION_FAILED`, or `CLUSTER_AUTHORIZATION_FAILED` where an idempotent producer may write nothing at all. It is
//! told at once, to the one record, consumer or operation that it is about, and not asked for again before the application does;
//! what was granted in the meantime then counts.
//!
//! # Tokens
//!
//! [`Sasl::oauthbearer`](crate::sasl::Sasl::oauthbearer) takes them from any future of the program. `klamm-tokio` has two sources:
//! `oidc::ClientCredentials` (feature `oidc`) asks an OAuth 2 server for them by the client's name and secret, as KIP-768 has it, and
//! keeps each until shortly before it ends; `msk_iam::MskIam` (feature `msk-iam`) signs them for Amazon MSK. A source that has none is
//! asked again as long as a connection may take, unless it says by a [`TokenRefused`](crate::sasl::TokenRefused) that this is of no
//! use: a server that does not know the client's secret is told to the program at once. What a broker is told
//! beside a token (KIP-342) is `extension` of the first, or of [`Token`](crate::sasl::Token).
//!
//! # Managed clusters
//!
//! All of them show certificates of public CAs, so `system_cas` is enough. What follows is what their documentation asks for; we
//! have tried none of them yet.
//!
//! | | address | [`Sasl`](crate::sasl::Sasl) | what differs |
//! |---|---|---|---|
//! | Confluent Cloud | port 9092 | `Sasl::plain(api_key, api_secret)` | nothing |
//! | Amazon MSK | port 9096 | `Sasl::scram(ScramHash::Sha512, user, password)`, as Secrets Manager has them | IAM (port 9098, the only way into MSK Serverless) is OAUTHBEARER with tokens that are signed here: `klamm_tokio::msk_iam`, feature `msk-iam`; with certificates of clients (port 9094) no SASL |
//! | Azure Event Hubs | `NAMESPACE.servicebus.windows.net:9093` | `Sasl::plain("$ConnectionString", connection_string)` | silent connections are cut after 4 minutes, which `metadata_max_age_ms: 180_000` prevents on one of them; of the codecs only gzip; at most 1 MB a batch, which is our default |
//! | Redpanda | port 9092 | `Sasl::scram(ScramHash::Sha256, user, password)` | on a cluster of one's own the CA is one's own, too: `ca_file` |
//!
//! # What it costs
//!
//! A connection holds up to 84 KiB more: a record each way, one that is being read, and rustls' own. The memory plan has it, for
//! every connection that `max_brokers` allows, so that [`Config::tls`](crate::Config::tls) adds 8 MiB to the default budget; with
//! [`single_connection`](crate::Config::single_connection), or fewer brokers, it is less. The least total is 512 KiB, with one
//! connection. Sessions are not resumed: what is kept for that would be in no plan, and connections to brokers live long.
//!
//! `klamm-bench --tls-ca FILE` beside the same without, in turn, on one real broker (Kafka 4.3.1, TLS 1.3, `ring`; two shared cores that
//! were busy), CPU of the client's process in µs a record of 100 bytes:
//!
//! | | plaintext | TLS |
//! |---|--:|--:|
//! | produced, batches of 1 MB | 0.13 | 0.15 to 0.17 |
//! | consumed | 0.04 to 0.06 | 0.11 to 0.12 |
