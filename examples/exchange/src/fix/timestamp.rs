//! FIX timestamps, `YYYYMMDD-HH:MM:SS.sss` in UTC; PURE.

use std::fmt;

const MILLIS_PER_DAY: u64 = 86_400_000;

/// Milliseconds since 1970-01-01 UTC, displayed as a FIX `UTCTimestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp(pub u64);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0 / MILLIS_PER_DAY);
        let millis = self.0 % MILLIS_PER_DAY;
        let seconds = millis / 1000;
        write!(
            f,
            "{year:04}{month:02}{day:02}-{:02}:{:02}:{:02}.{:03}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            millis % 1000
        )
    }
}

/// Whether a text has the form of a FIX timestamp, with or without a fraction of a second.
#[must_use]
pub fn is_timestamp(text: &[u8]) -> bool {
    const FORM: &[u8] = b"dddddddd-dd:dd:dd";
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    };
    let fraction_fits = match text.get(FORM.len()..) {
        None => false,
        Some([]) => true,
        Some([b'.', digits @ ..]) => {
            (1..=12).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        Some(_) => false,
    };
    fraction_fits && text.iter().zip(FORM).all(fits)
}

/// Year, month and day of a day number counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Counts in eras of 400 years that begin on 1 March, so that the leap day is the last day of its year.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days around leap years and epochs are written right.
    #[test]
    fn writes_utc() {
        let table = [
            (0, "19700101-00:00:00.000"),
            (951_782_400_000, "20000229-00:00:00.000"),
            (1_709_251_199_999, "20240229-23:59:59.999"),
            (1_709_251_200_000, "20240301-00:00:00.000"),
            (1_767_225_599_001, "20251231-23:59:59.001"),
            (4_107_542_400_000, "21000301-00:00:00.000"),
        ];
        for (millis, text) in table {
            assert_eq!(Timestamp(millis).to_string(), text);
        }
    }

    /// Forms are told apart.
    #[test]
    fn reads_forms() {
        for good in [
            "20240229-23:59:59",
            "20240229-23:59:59.1",
            "20240229-23:59:59.123456",
        ] {
            assert!(is_timestamp(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "now",
            "20240229 23:59:59",
            "20240229-23:59",
            "20240229-23:59:59.",
            "20240229-23:59:59Z",
        ] {
            assert!(!is_timestamp(bad.as_bytes()), "{bad}");
        }
    }
}
