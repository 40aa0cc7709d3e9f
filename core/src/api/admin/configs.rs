//! Settings of topics and brokers.

use alloc::{
    borrow::Cow,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

/// What has settings.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum ConfigResource {
    /// A topic, by name.
    Topic(String),
    /// A broker, by node id.
    Broker(i32),
    /// What holds for all brokers that have no setting of their own.
    AllBrokers,
}

/// Kafka's numbers.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

impl ConfigResource {
    /// A topic.
    pub fn topic(name: impl Into<String>) -> Self {
        ConfigResource::Topic(name.into())
    }

    pub(crate) fn of(kind: i8, name: &str) -> Option<Self> {
        match (kind, name) {
            (TOPIC, name) => Some(ConfigResource::Topic(name.into())),
            (BROKER, "") => Some(ConfigResource::AllBrokers),
            (BROKER, id) => id.parse().ok().map(ConfigResource::Broker),
            _ => None,
        }
    }

    pub(crate) fn kind(&self) -> i8 {
        match self {
            ConfigResource::Topic(_) => TOPIC,
            ConfigResource::Broker(_) | ConfigResource::AllBrokers => BROKER,
        }
    }

    pub(crate) fn name(&self) -> Cow<'_, str> {
        match self {
            ConfigResource::Topic(name) => name.into(),
            ConfigResource::Broker(id) => id.to_string().into(),
            ConfigResource::AllBrokers => "".into(),
        }
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigResource::Topic(name) => write!(f, "topic {name}"),
            ConfigResource::Broker(id) => write!(f, "broker {id}"),
            ConfigResource::AllBrokers => f.write_str("all brokers"),
        }
    }
}

/// Where a setting's value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum ConfigSource {
    /// The topic's own.
    Topic,
    /// The broker's own, set while it ran.
    Broker,
    /// All brokers', set while they ran.
    AllBrokers,
    /// The file that the broker was started with.
    BrokerFile,
    /// Kafka's default.
    Default,
    /// Something else, by Kafka's number; −1: the broker did not say.
    Other(i8),
}

impl ConfigSource {
    pub(crate) fn of(source: i8) -> Self {
        match source {
            1 => ConfigSource::Topic,
            2 => ConfigSource::Broker,
            3 => ConfigSource::AllBrokers,
            4 => ConfigSource::BrokerFile,
            5 => ConfigSource::Default,
            other => ConfigSource::Other(other),
        }
    }
}

/// A setting.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ConfigEntry {
    /// Kafka's name for it.
    pub name: String,
    /// Its value; `None` if there is none, or it is a secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it cannot be changed.
    pub is_read_only: bool,
    /// Whether its value is a secret.
    pub is_sensitive: bool,
}

/// All settings of a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DescribedConfigs {
    /// Whose they are.
    pub resource: ConfigResource,
    /// The settings.
    pub entries: Vec<ConfigEntry>,
}

impl DescribedConfigs {
    /// The value of a setting, by Kafka's name for it.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.entries.iter().find(|entry| entry.name == name)?.value.as_deref()
    }
}

/// A change of one setting, by Kafka's name for it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigChange {
    /// It gets a value.
    Set(String, String),
    /// It has the default again.
    Delete(String),
    /// A list gets more values, separated by commas.
    Append(String, String),
    /// A list loses values, separated by commas.
    Subtract(String, String),
}

impl ConfigChange {
    /// It gets a value.
    pub fn set(name: impl Into<String>, value: impl Into<String>) -> Self {
        ConfigChange::Set(name.into(), value.into())
    }

    /// It has the default again.
    pub fn delete(name: impl Into<String>) -> Self {
        ConfigChange::Delete(name.into())
    }

    /// Kafka's number, the name, and the value.
    pub(crate) fn parts(&self) -> (i8, &str, Option<&str>) {
        match self {
            ConfigChange::Set(name, value) => (0, name, Some(value)),
            ConfigChange::Delete(name) => (1, name, None),
            ConfigChange::Append(name, value) => (2, name, Some(value)),
            ConfigChange::Subtract(name, value) => (3, name, Some(value)),
        }
    }
}
