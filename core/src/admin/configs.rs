//! Settings of topics and brokers: what they are, and changes to them (KIP-339).

use alloc::{collections::BTreeSet, string::String, vec::Vec};

use super::{
    Operation, Reply,
    call::{Answer, Ask, To, Verdict},
};
use crate::{
    AdminError, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, DescribedConfigs, Error,
    cluster::Cluster,
    code::ErrorCode,
    sync::{Arc, MaySend},
    wire::{
        Api, Decode, WireError,
        api::{DESCRIBE_CONFIGS, INCREMENTAL_ALTER_CONFIGS},
        describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource},
        describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResponse},
        incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest},
        incremental_alter_configs_response::IncrementalAlterConfigsResponse,
    },
};

type Answered<D> = Result<Vec<D>, AdminError<D>>;

/// The question for whatever is not a broker's own. A broker's is its node id and one more.
const SHARED: u32 = 0;

/// What is done with settings.
pub(crate) trait OnConfigs: MaySend + 'static {
    type Wanted: MaySend;
    type Done: MaySend;

    const WHAT: &'static str;
    /// Who answers for what is not a broker's own.
    const SHARED_BY: To;

    fn ask(wanted: &[(&ConfigResource, &Self::Wanted)], ask: Ask<'_>) -> Result<(), Error>;

    fn read(answer: &mut Answer<'_>, each: &mut dyn FnMut(Said<'_, Self::Done>)) -> Result<i32, WireError>;

    fn api() -> Api;
}

/// What a broker says of one resource.
pub(crate) struct Said<'a, D> {
    kind: i8,
    name: &'a str,
    code: ErrorCode,
    message: Option<&'a str>,
    done: D,
}

/// An operation on settings.
pub(crate) struct Configs<W: OnConfigs> {
    reply: Arc<Reply<Answered<W::Done>>>,
    left: Vec<(ConfigResource, W::Wanted)>,
    done: Vec<W::Done>,
    failed: Vec<(String, Error)>,
}

impl<W: OnConfigs> Configs<W> {
    /// Of a resource that comes twice the last wish counts.
    pub(crate) fn new(
        wanted: impl IntoIterator<Item = (ConfigResource, W::Wanted)>,
        reply: Arc<Reply<Answered<W::Done>>>,
    ) -> Self {
        let mut left: Vec<(ConfigResource, W::Wanted)> = Vec::new();
        for (resource, wanted) in wanted {
            left.retain(|(r, _)| *r != resource);
            left.push((resource, wanted));
        }
        Configs { reply, left, done: Vec::new(), failed: Vec::new() }
    }
}

/// Which question a resource belongs to.
fn question(resource: &ConfigResource) -> u32 {
    match resource {
        ConfigResource::Broker(id) => u32::try_from(*id).map_or(SHARED, |id| id.saturating_add(1)),
        ConfigResource::Topic(_) | ConfigResource::AllBrokers => SHARED,
    }
}

impl<W: OnConfigs> Operation for Configs<W> {
    fn what(&self) -> &'static str {
        W::WHAT
    }

    fn open(&self) -> Vec<(u32, To)> {
        let questions: BTreeSet<u32> = self.left.iter().map(|(r, _)| question(r)).collect();
        let to = |q: u32| match q.checked_sub(1).and_then(|id| i32::try_from(id).ok()) {
            Some(id) => (q, To::Node(id)),
            None => (q, W::SHARED_BY),
        };
        questions.into_iter().map(to).collect()
    }

    fn ask(&mut self, asked: u32, ask: Ask<'_>) -> Result<(), Error> {
        let own: Vec<_> = self.left.iter().filter(|(r, _)| question(r) == asked).map(|(r, w)| (r, w)).collect();
        W::ask(&own, ask)
    }

    fn on_answer(&mut self, asked: u32, mut answer: Answer<'_>, cluster: &mut Cluster) -> Result<Verdict, Error> {
        let (left, done, failed) = (&mut self.left, &mut self.done, &mut self.failed);
        let (mut because, mut moved) = (None, false);
        let throttle_time_ms = W::read(&mut answer, &mut |said| {
            let is_it = |r: &ConfigResource| question(r) == asked && (r.kind(), &*r.name()) == (said.kind, said.name);
            let Some(at) = left.iter().position(|(r, _)| is_it(r)) else { return };
            let code = said.code;
            let error = Error::broker(code, alloc::format!("{} {}", W::WHAT, left[at].0), said.message);
            if code.is_ok() {
                left.remove(at);
                done.push(said.done);
            } else if code == ErrorCode::NOT_CONTROLLER
                || (code.is_retriable() && code != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            {
                moved |= code == ErrorCode::NOT_CONTROLLER;
                because = Some(error);
            } else {
                failed.push((alloc::format!("{}", left.remove(at).0), error));
            }
        })
        .map_err(|error| cluster.malformed(answer.link, W::api(), error))?;
        cluster.throttle(answer.now, answer.link, throttle_time_ms);
        if moved {
            cluster.refresh_metadata();
        }
        let any = self.left.iter().any(|(r, _)| question(r) == asked);
        Ok(if any { Verdict::Again(because) } else { Verdict::On })
    }

    fn end(&mut self, failure: Option<&Error>) {
        let mut failed = core::mem::take(&mut self.failed);
        if let Some(error) = failure {
            failed.extend(self.left.drain(..).map(|(r, _)| (alloc::format!("{r}"), error.clone())));
        }
        let done = core::mem::take(&mut self.done);
        self.reply.give(if failed.is_empty() { Ok(done) } else { Err(AdminError { done, failed }) });
    }
}

/// Looks settings up.
pub(crate) struct DescribeConfigs;

impl OnConfigs for DescribeConfigs {
    type Wanted = ();
    type Done = DescribedConfigs;

    const WHAT: &'static str = "describing the settings of";
    const SHARED_BY: To = To::Any;

    fn ask(wanted: &[(&ConfigResource, &())], ask: Ask<'_>) -> Result<(), Error> {
        let version = ask.version(DESCRIBE_CONFIGS)?;
        let names: Vec<String> = wanted.iter().map(|(r, ())| r.name().into_owned()).collect();
        let resources: Vec<DescribeConfigsResource<'_>> = wanted
            .iter()
            .zip(&names)
            .map(|((r, ()), name)| DescribeConfigsResource {
                resource_type: r.kind(),
                resource_name: name,
                configuration_keys: None,
            })
            .collect();
        ask.send(version, &DescribeConfigsRequest { resources: &resources, ..DescribeConfigsRequest::default() })
    }

    fn read(answer: &mut Answer<'_>, each: &mut dyn FnMut(Said<'_, DescribedConfigs>)) -> Result<i32, WireError> {
        let response = DescribeConfigsResponse::decode(&mut answer.body, answer.version)?;
        for result in response.results.iter() {
            let Some(resource) = ConfigResource::of(result.resource_type, result.resource_name) else { continue };
            let entries = result.configs.iter().map(|c| entry(&c)).collect();
            each(Said {
                kind: result.resource_type,
                name: result.resource_name,
                code: ErrorCode(result.error_code),
                message: result.error_message,
                done: DescribedConfigs { resource, entries },
            });
        }
        Ok(response.throttle_time_ms)
    }

    fn api() -> Api {
        DESCRIBE_CONFIGS
    }
}

fn entry(config: &DescribeConfigsResourceResult<'_>) -> ConfigEntry {
    ConfigEntry {
        name: config.name.into(),
        value: config.value.map(String::from),
        source: ConfigSource::of(config.config_source),
        is_read_only: config.read_only,
        is_sensitive: config.is_sensitive,
    }
}

fn alterable(change: &ConfigChange) -> AlterableConfig<'_> {
    let (config_operation, name, value) = change.parts();
    AlterableConfig { name, config_operation, value }
}

/// Changes settings.
pub(crate) struct AlterConfigs;

impl OnConfigs for AlterConfigs {
    type Wanted = Vec<ConfigChange>;
    type Done = ConfigResource;

    const WHAT: &'static str = "changing the settings of";
    const SHARED_BY: To = To::Controller;

    fn ask(wanted: &[(&ConfigResource, &Vec<ConfigChange>)], ask: Ask<'_>) -> Result<(), Error> {
        let version = ask.version(INCREMENTAL_ALTER_CONFIGS)?;
        let names: Vec<String> = wanted.iter().map(|(r, _)| r.name().into_owned()).collect();
        let configs: Vec<Vec<AlterableConfig<'_>>> =
            wanted.iter().map(|(_, changes)| changes.iter().map(alterable).collect()).collect();
        let resources: Vec<AlterConfigsResource<'_>> = wanted
            .iter()
            .zip(names.iter().zip(&configs))
            .map(|((r, _), (name, configs))| AlterConfigsResource {
                resource_type: r.kind(),
                resource_name: name,
                configs,
            })
            .collect();
        ask.send(version, &IncrementalAlterConfigsRequest { resources: &resources, validate_only: false })
    }

    fn read(answer: &mut Answer<'_>, each: &mut dyn FnMut(Said<'_, ConfigResource>)) -> Result<i32, WireError> {
        let response = IncrementalAlterConfigsResponse::decode(&mut answer.body, answer.version)?;
        for result in response.responses.iter() {
            let Some(resource) = ConfigResource::of(result.resource_type, result.resource_name) else { continue };
            each(Said {
                kind: result.resource_type,
                name: result.resource_name,
                code: ErrorCode(result.error_code),
                message: result.error_message,
                done: resource,
            });
        }
        Ok(response.throttle_time_ms)
    }

    fn api() -> Api {
        INCREMENTAL_ALTER_CONFIGS
    }
}
