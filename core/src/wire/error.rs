/// Why bytes could not be read, or a message not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes end inside a value.
    #[error("the bytes end inside {what}")]
    Truncated {
        /// The kind of value.
        what: &'static str,
    },
    /// A length or count that cannot be: negative, or more than the bytes that follow can hold.
    #[error("{what} cannot have the length {len}")]
    Length {
        /// The kind of value.
        what: &'static str,
        /// The length or count as it was sent.
        len: i64,
    },
    /// A variable-length integer that is too long for its type.
    #[error("{what} is too long")]
    Varint {
        /// The kind of integer.
        what: &'static str,
    },
    /// A string that is not UTF-8.
    #[error("{what} is not UTF-8")]
    Utf8 {
        /// The kind of value.
        what: &'static str,
    },
    /// A null where the protocol allows none.
    #[error("{what} is null where no null is allowed")]
    Null {
        /// The kind of value (read), or the field (written).
        what: &'static str,
    },
    /// The message ended before the bytes did.
    #[error("{left} bytes are left after the message")]
    Trailing {
        /// How many bytes are left.
        left: usize,
    },
    /// A version of an API that we do not know.
    #[error("{api} has no version {version} here")]
    Unsupported {
        /// The name of the API.
        api: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A field has a value other than its default, and this version has no such field.
    #[error("{field} cannot be sent in version {version}")]
    FieldNotInVersion {
        /// The name of the field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A value is longer than its length field can say.
    #[error("{what} is too long to be sent")]
    TooLong {
        /// The kind of value.
        what: &'static str,
    },
    /// The allocator refused the bytes of a frame.
    #[error("no memory for a frame of {bytes} bytes")]
    NoMemory {
        /// How many bytes were asked for.
        bytes: usize,
    },
}
