//! The time of day as FIX writes it. Pure.

use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// UTC with milliseconds, as `20261123-09:30:00.125`; the epoch for a clock set before it.
pub(crate) fn utc(clock: SystemTime) -> String {
    let since_epoch = clock.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (
        since_epoch.as_secs() / SECONDS_PER_DAY,
        since_epoch.as_secs() % SECONDS_PER_DAY,
    );
    let (year, month, day) = date(days);
    format!(
        "{year:04}{month:02}{day:02}-{:02}:{:02}:{:02}.{:03}",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since_epoch.subsec_millis()
    )
}

/// Year, month and day of a number of days since the epoch. Years are counted from March, so that the leap day is the last
/// of its year, and in cycles of 400 years, which all have the same number of days.
fn date(days: u64) -> (u64, u64, u64) {
    /// From 1 March of the year 0 to the epoch.
    const TO_EPOCH: u64 = 719_468;
    const CYCLE: u64 = 146_097;
    let days = days + TO_EPOCH;
    let in_cycle = days % CYCLE;
    let year_in_cycle =
        (in_cycle - in_cycle / 1_460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
    let in_year = in_cycle - (365 * year_in_cycle + year_in_cycle / 4 - year_in_cycle / 100);
    let month_from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = days / CYCLE * 400 + year_in_cycle + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Goal: known moments, with the leap days of all kinds of years.
    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "19700101-00:00:00.000"),
            (951_782_399, "20000228-23:59:59.000"),
            (951_782_400, "20000229-00:00:00.000"),
            (951_868_800, "20000301-00:00:00.000"),
            (1_709_164_800, "20240229-00:00:00.000"),
            (1_798_761_599, "20261231-23:59:59.000"),
            (4_107_542_400, "21000301-00:00:00.000"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
        assert_eq!(
            utc(UNIX_EPOCH + Duration::from_millis(125)),
            "19700101-00:00:00.125"
        );
        assert_eq!(
            utc(UNIX_EPOCH - Duration::from_secs(1)),
            "19700101-00:00:00.000"
        );
    }
}
