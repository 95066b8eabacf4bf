//! Wall-clock time as text, for the `time` tag; PURE.
//!
//! Written here because one format in one direction does not earn a calendar library.

/// Bytes of a formatted time of the years 0 to 9999.
pub const LEN: usize = "2026-11-28T20:45:00.000Z".len();

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The last millisecond with a year of four digits; later times are shown as this one.
const LAST_UNIX_MS: u64 = 253_402_300_799_999;

/// Milliseconds since 1970 in UTC as ISO 8601 with milliseconds, as the server-time specification wants it.
#[must_use]
pub fn iso(unix_ms: u64) -> String {
    let unix_ms = unix_ms.min(LAST_UNIX_MS);
    let (year, month, day) = date(unix_ms / DAY_MS);
    let ms = unix_ms % DAY_MS;
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let (seconds, millis) = (ms / 1000 % 60, ms % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from the first of March of the year 0, so that the day that comes and goes is the last of a year.
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = 400 * era + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known moments, leap days and the last one.
    #[test]
    fn formats() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_319_042_451_620, "2011-10-19T16:40:51.620Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (LAST_UNIX_MS, "9999-12-31T23:59:59.999Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ];
        for (unix_ms, expect) in cases {
            assert_eq!(iso(unix_ms), expect);
            assert_eq!(expect.len(), LEN);
        }
    }
}
