//! What depends on several values.

use alloc::{format, string::String};

use super::{
    Dialect, Properties,
    draft::{Draft, DraftSasl},
    jaas::{self, Login, Module},
    sasl,
};
use crate::{Budget, Codec, Error, Memory};

impl Draft {
    /// # Errors
    /// For what does not go together.
    pub(super) fn finish(mut self) -> Result<Properties, Error> {
        if self.client.bootstrap.is_empty() {
            return Err(Error::config("bootstrap.servers", "must be given"));
        }
        self.settle_idempotence()?;
        self.settle_timeouts()?;
        self.settle_memory()?;
        self.settle_who()?;
        let tls = if self.protocol.tls {
            Some(core::mem::take(&mut self.tls).finish()?)
        } else {
            self.tls.unused()?;
            None
        };
        let Draft { client, producer, consumer, group, oidc, .. } = self;
        Ok(Properties { client, producer, consumer, group, tls, oidc })
    }

    /// Both clients refuse what idempotence that was asked for does not go with. Java's default gives way.
    fn settle_idempotence(&mut self) -> Result<(), Error> {
        let no_retries = self.producer.retries == 0;
        if self.wants_idempotence {
            let why = if self.producer.acks != crate::Acks::All {
                "needs acks=all"
            } else if no_retries {
                "needs retries above 0"
            } else if self.too_many_in_flight {
                "needs at most 5 requests in flight"
            } else {
                return Ok(());
            };
            return Err(Error::config("enable.idempotence", why));
        }
        if no_retries && self.producer.idempotence.is_none() {
            self.producer.idempotence = Some(false);
        }
        Ok(())
    }

    /// A record must have time for its linger and one whole request: each dialect has its way to see to it.
    fn settle_timeouts(&mut self) -> Result<(), Error> {
        let (linger, delivery) = (self.producer.linger_ms, self.producer.delivery_timeout_ms);
        let needed = linger.saturating_add(self.client.request_timeout_ms);
        if delivery >= needed {
            return Ok(());
        }
        match self.dialect {
            Dialect::Java if self.delivery_given => {
                let why =
                    format!("{delivery} is less than linger.ms and request.timeout.ms together, which is {needed}");
                return Err(Error::config("delivery.timeout.ms", why));
            }
            Dialect::Java => self.producer.delivery_timeout_ms = needed,
            Dialect::Librdkafka if delivery <= linger => {
                let why = format!("{delivery} must be more than linger.ms, which is {linger}");
                return Err(Error::config("message.timeout.ms", why));
            }
            Dialect::Librdkafka => self.client.request_timeout_ms = delivery - linger,
        }
        Ok(())
    }

    fn settle_memory(&mut self) -> Result<(), Error> {
        let default = Memory::default();
        // A class is shared by the brokers in use and one more.
        let fetch_bytes = (self.consumer.fetch_max_bytes as usize).saturating_mul(2).max(default.fetch_bytes);
        let inflate_bytes = default.inflate_bytes.max(fetch_bytes / 2);
        self.client.memory = Memory { produce_bytes: self.buffer_bytes, fetch_bytes, inflate_bytes, ..default };
        self.client.memory_plan()?;
        let budget = Budget::new(self.client.memory);
        let (buffer, largest) = match self.dialect {
            Dialect::Java => ("buffer.memory", "max.request.size"),
            Dialect::Librdkafka => ("queue.buffering.max.kbytes", "message.max.bytes"),
        };
        self.producer.check(&self.client, &budget).map_err(|error| match error {
            Error::Config { knob: "batch_bytes", why } => {
                let packed = if self.producer.compression == Codec::None { "" } else { ", beside what compresses it" };
                Error::config(buffer, format!("must have room for a batch of {largest}{packed}: {why}"))
            }
            other => other,
        })?;
        self.consumer.check(&budget)
    }

    /// Who the client is.
    fn settle_who(&mut self) -> Result<(), Error> {
        let given = core::mem::take(&mut self.sasl);
        if !self.protocol.sasl {
            let why = "does nothing unless security.protocol is SASL_SSL or SASL_PLAINTEXT";
            return given.first.map_or(Ok(()), |name| Err(Error::config(name, why)));
        }
        if given.mechanism == "OAUTHBEARER" {
            return self.settle_tokens(given);
        }
        if !sasl::is_there(&given.mechanism) {
            let shown: String = given.mechanism.chars().take(40).collect();
            let why = format!("{shown:?} is not there: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER are");
            return Err(Error::config("sasl.mechanism", why));
        }
        if let Some(name) = given.tokens.first {
            return Err(Error::config(name, "does nothing unless sasl.mechanism is OAUTHBEARER"));
        }
        let (user, password) = match given.jaas {
            Some(text) => {
                let login = login(&text, &given.mechanism)?;
                (login.user, login.password)
            }
            None => (given.user, given.password),
        };
        let (user, password) = match (user, password) {
            (Some(user), Some(password)) => (user, password),
            (Some(_), None) => return Err(Error::config("sasl.password", "must be given")),
            _ if self.dialect == Dialect::Java => return Err(Error::config("sasl.jaas.config", "must be given")),
            _ => return Err(Error::config("sasl.username", "must be given")),
        };
        sasl::apply(&mut self.client, &given.mechanism, (user, password), self.protocol.tls)
    }

    /// An OAuth 2 server's tokens (KIP-768). `SASL_PLAINTEXT` says by name that whoever listens has them.
    fn settle_tokens(&mut self, given: DraftSasl) -> Result<(), Error> {
        let mut tokens = given.tokens;
        let is_oidc = match self.dialect {
            Dialect::Java => tokens.endpoint.is_some(),
            Dialect::Librdkafka => tokens.is_oidc,
        };
        if !is_oidc {
            let (knob, why) = match (tokens.first, self.dialect) {
                (Some(name), Dialect::Java) => (name, "needs sasl.oauthbearer.token.endpoint.url as well"),
                (Some(name), Dialect::Librdkafka) => (name, "does nothing unless sasl.oauthbearer.method is oidc"),
                (None, _) => (
                    "sasl.mechanism",
                    "OAUTHBEARER has its tokens from a server (sasl.oauthbearer.token.endpoint.url) or from the program: then leave it \
                     out, and set `Config::sasl`",
                ),
            };
            return Err(Error::config(knob, why));
        }
        if let Some(text) = given.jaas {
            let login = login(&text, &given.mechanism)?;
            // As Java has it: the names of their own count before what stands in the text.
            tokens.client_id = tokens.client_id.or(login.user);
            tokens.client_secret = tokens.client_secret.or(login.password);
            tokens.scope = tokens.scope.or(login.scope);
            tokens.extensions.extend(login.extensions);
        }
        self.oidc = Some(sasl::oidc(&mut self.client, tokens, self.protocol.tls)?);
        Ok(())
    }
}

/// A JAAS text, which must be for this mechanism.
fn login(text: &str, mechanism: &str) -> Result<Login, Error> {
    const NAME: &str = "sasl.jaas.config";
    let login = jaas::login(text).map_err(|why| Error::config(NAME, why))?;
    let module = match mechanism {
        "PLAIN" => Module::Plain,
        "OAUTHBEARER" => Module::Bearer,
        _ => Module::Scram,
    };
    if login.module != module {
        return Err(Error::config(NAME, format!("its login module is not one of {mechanism}")));
    }
    Ok(login)
}
