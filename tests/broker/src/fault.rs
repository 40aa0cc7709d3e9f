//! Faults on demand.

use core::time::Duration;
use klamm::ErrorCode;
use klamm::wire::Api;

/// What is to go wrong with the next requests of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Of which API.
    pub api: Api,
    /// At which broker; `None`: at any.
    pub node: Option<i32>,
    /// How often; each use takes one.
    pub count: u32,
    /// What happens.
    pub action: Action,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Everything that it asks for is refused with this code, and nothing is done.
    Fail(ErrorCode),
    /// It is done, and all the same answered with this code, as with REQUEST_TIMED_OUT.
    FailAfter(ErrorCode),
    /// This partition's part is refused with this code; the others' are done.
    FailPartition {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: i32,
        /// The error.
        code: ErrorCode,
    },
    /// It is not done, and the connection is closed.
    Close,
    /// It is done, and the connection is closed without an answer.
    CloseAfter,
    /// It is not done and never answered; the connection stays open and nothing after it is served.
    Silence,
    /// It is done and never answered; the connection stays open and nothing after it is served.
    SilenceAfter,
    /// It is done, and the answer goes out this much later. The connection's next request waits for it.
    Delay(Duration),
    /// It is done, and the answer says that the client is throttled for so many ms.
    Throttle(i32),
    /// It is not done, and these bytes are the answer, whatever they are.
    Reply(Vec<u8>),
}

/// The faults that are still to happen.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        if fault.count > 0 {
            self.0.push(fault);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn pending(&self) -> u64 {
        self.0.iter().map(|fault| u64::from(fault.count)).sum()
    }

    /// The oldest fault for a request as a whole.
    pub(crate) fn of_request(&mut self, api_key: i16, node: i32) -> Option<Action> {
        self.take(api_key, node, |action| !matches!(action, Action::FailPartition { .. }))
    }

    /// The oldest fault for one partition in a request.
    pub(crate) fn of_partition(&mut self, api_key: i16, node: i32, name: &str, index: i32) -> Option<ErrorCode> {
        let of_it = |action: &Action| matches!(action, Action::FailPartition { topic, partition, .. } if topic == name && *partition == index);
        match self.take(api_key, node, of_it)? {
            Action::FailPartition { code, .. } => Some(code),
            _ => None,
        }
    }

    fn take(&mut self, api_key: i16, node: i32, wanted: impl Fn(&Action) -> bool) -> Option<Action> {
        let fits = |fault: &Fault| {
            fault.api.key == api_key && fault.node.is_none_or(|wanted| wanted == node) && wanted(&fault.action)
        };
        let index = self.0.iter().position(fits)?;
        let fault = &mut self.0[index];
        fault.count -= 1;
        if fault.count > 0 {
            return Some(fault.action.clone());
        }
        Some(self.0.remove(index).action)
    }
}
