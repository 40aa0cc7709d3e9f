//! What a topic means that brokers do not know.

use crate::ErrorCode;

/// What it means that brokers do not know a topic or partition. Just after one was made, or a broker was started, some of them
/// may not know it yet, and nothing tells that from a topic that does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum UnknownTopic {
    /// It is an error, told at once: UNKNOWN_TOPIC_OR_PARTITION. For a moment it may be wrong.
    Error,
    /// It is asked again: as long as the operation has time, or the record, or for as long as a consumer lives.
    #[default]
    Retry,
}

impl UnknownTopic {
    /// Whether a broker's code is the answer, though it may pass.
    pub(crate) fn is_final(self, code: ErrorCode) -> bool {
        let unknown = matches!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID);
        self == UnknownTopic::Error && unknown
    }
}
