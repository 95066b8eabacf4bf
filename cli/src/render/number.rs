//! Numbers as people read them. PURE.

/// Milliseconds, with as many digits as mean something.
pub(super) fn ms(value: f64) -> String {
    let value = if value > 0.0 { value } else { 0.0 };
    if value >= 10_000.0 {
        format!("{:.1} s", value / 1000.0)
    } else if value >= 100.0 {
        format!("{value:.0} ms")
    } else if value >= 1.0 {
        format!("{value:.1} ms")
    } else {
        format!("{value:.3} ms")
    }
}

/// Milliseconds that may be unknown.
pub(super) fn ms_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), ms)
}

/// Bytes in the unit that leaves one to four digits.
pub(super) fn bytes(value: u64) -> String {
    const KIB: u64 = 1024;
    match value {
        0..KIB => format!("{value} B"),
        _ if value < 10 * KIB * KIB => format!("{} KiB", value / KIB),
        _ => format!("{} MiB", value / KIB / KIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: digits that mean nothing are left out.
    #[test]
    fn shows_what_matters() {
        for (value, text) in [
            (0.0421, "0.042 ms"),
            (7.25, "7.2 ms"),
            (304.7, "305 ms"),
            (12_340.0, "12.3 s"),
            (-0.0, "0.000 ms"),
        ] {
            assert_eq!(ms(value), text);
        }
        assert_eq!(ms_or_dash(None), "–");
        assert_eq!(
            [bytes(900), bytes(36_000), bytes(50_000_000)],
            ["900 B", "35 KiB", "47 MiB"]
        );
    }
}
