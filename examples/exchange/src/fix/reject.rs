//! What can be wrong with a message, by the standard's numbers (SessionRejectReason, tag 373).

use std::borrow::Cow;

/// Why a message is rejected at session level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// 0: a tag that is no number.
    InvalidTag,
    /// 1: a field that must be there is not.
    RequiredTagMissing,
    /// 4: a field without a value.
    TagWithoutValue,
    /// 5: a value outside the range of this field.
    ValueIncorrect,
    /// 6: a value of the wrong form, such as letters in a number.
    IncorrectDataFormat,
    /// 9: SenderCompID or TargetCompID are not those of the Logon.
    CompIdProblem,
    /// 11: no message of FIX 4.4 has this MsgType, or it may not come now.
    InvalidMsgType,
    /// 13: a field stands twice.
    TagAppearsMoreThanOnce,
}

impl Reason {
    /// Every reason, for the metrics.
    pub const ALL: [Self; 8] = [
        Self::InvalidTag,
        Self::RequiredTagMissing,
        Self::TagWithoutValue,
        Self::ValueIncorrect,
        Self::IncorrectDataFormat,
        Self::CompIdProblem,
        Self::InvalidMsgType,
        Self::TagAppearsMoreThanOnce,
    ];

    /// The number of SessionRejectReason.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::InvalidTag => 0,
            Self::RequiredTagMissing => 1,
            Self::TagWithoutValue => 4,
            Self::ValueIncorrect => 5,
            Self::IncorrectDataFormat => 6,
            Self::CompIdProblem => 9,
            Self::InvalidMsgType => 11,
            Self::TagAppearsMoreThanOnce => 13,
        }
    }

    /// The label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::InvalidTag => "invalid_tag",
            Self::RequiredTagMissing => "required_tag_missing",
            Self::TagWithoutValue => "tag_without_value",
            Self::ValueIncorrect => "value_incorrect",
            Self::IncorrectDataFormat => "incorrect_data_format",
            Self::CompIdProblem => "comp_id_problem",
            Self::InvalidMsgType => "invalid_msg_type",
            Self::TagAppearsMoreThanOnce => "tag_appears_more_than_once",
        }
    }
}

/// One thing that is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Why.
    pub reason: Reason,
    /// The field, zero if it has no number.
    pub tag: u32,
    /// For a person: what was expected.
    pub text: Cow<'static, str>,
}

impl Fault {
    /// A fault of field `tag`.
    #[must_use]
    pub fn new(reason: Reason, tag: u32, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            tag,
            text: text.into(),
        }
    }
}
