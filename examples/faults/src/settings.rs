//! What somebody sets when switching a fault on.
//!
//! Only values; which of them a fault takes, and within which bounds, is said by its
//! [`Parameters`](crate::parameter::Parameters).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of one fault; what is left out has the fault's own default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long one firing lasts, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Pause from the end of one firing to the next, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<u64>,
    /// How many there are of what the fault makes, takes or leaves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl Settings {
    /// How long one firing lasts; zero where that cannot be set.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms.unwrap_or(0))
    }

    /// Pause from the end of one firing to the next; zero where that cannot be set.
    #[must_use]
    pub fn pause(&self) -> Duration {
        Duration::from_millis(self.pause_ms.unwrap_or(0))
    }

    /// How many; zero where that cannot be set.
    #[must_use]
    pub fn count(&self) -> usize {
        usize::try_from(self.count.unwrap_or(0)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a request body may leave fields out, but may not misspell them; what is not set is not shown.
    #[test]
    fn json_fields_are_optional_and_strict() {
        let partial: Settings = serde_json::from_str(r#"{"duration_ms":50}"#).unwrap();
        assert_eq!(
            partial,
            Settings {
                duration_ms: Some(50),
                ..Settings::default()
            }
        );
        assert_eq!(
            serde_json::to_string(&partial).unwrap(),
            r#"{"duration_ms":50}"#
        );
        assert!(serde_json::from_str::<Settings>(r#"{"duration":50}"#).is_err());
    }
}
