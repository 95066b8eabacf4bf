//! Exact decimal numbers: FIX text to integer ticks and lots, and back; PURE.
//!
//! FIX writes prices and quantities as decimals ("10.25", "100", "100.00"). A float would turn 0.1 into something else
//! and make two equal prices differ, so text becomes integers here and nothing behind this file has seen a decimal.

use std::fmt;

/// Decimal places of a price: one tick is 0.0001.
pub const PRICE_PLACES: u32 = 4;
/// Ticks in one unit of price.
const TICKS_PER_UNIT: u64 = 10_u64.pow(PRICE_PLACES);
/// Highest price in ticks (100 million units): price × quantity then fits 128-bit sums for any number of fills.
pub const PRICE_MAX: u64 = 100_000_000 * TICKS_PER_UNIT;
/// Highest quantity of one order in lots.
pub const QUANTITY_MAX: u64 = 1_000_000_000;
/// Longest text read as a number; more is never a price somebody meant.
const TEXT_MAX: usize = 32;

/// A price in ticks of 0.0001; positive, at most [`PRICE_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(u64);

/// Why a text is not an acceptable number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalError {
    /// Not a decimal number at all: a protocol error.
    Malformed,
    /// Below zero.
    Negative,
    /// Zero, where something must be bought or paid.
    Zero,
    /// More decimal places than the tick (or the lot) has.
    OffTick,
    /// Above the stated maximum.
    TooLarge,
}

impl Price {
    /// A price of `ticks` ticks, if it lies in 1..=[`PRICE_MAX`].
    #[must_use]
    pub const fn from_ticks(ticks: u64) -> Option<Self> {
        if ticks == 0 || ticks > PRICE_MAX {
            None
        } else {
            Some(Self(ticks))
        }
    }

    /// The price in ticks.
    #[must_use]
    pub const fn ticks(self) -> u64 {
        self.0
    }

    /// Reads a FIX price.
    ///
    /// # Errors
    ///
    /// When the text is no decimal, or its value is not a positive number of ticks up to [`PRICE_MAX`].
    pub fn parse(text: &[u8]) -> Result<Self, DecimalError> {
        scaled(text, PRICE_PLACES, PRICE_MAX).map(Self)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:04}",
            self.0 / TICKS_PER_UNIT,
            self.0 % TICKS_PER_UNIT
        )
    }
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a decimal number",
            Self::Negative => "negative, expected a positive number",
            Self::Zero => "zero, expected a positive number",
            Self::OffTick => "too many decimal places",
            Self::TooLarge => "above the maximum",
        })
    }
}

impl std::error::Error for DecimalError {}

/// Reads a FIX quantity in whole lots; "100" and "100.00" are the same.
///
/// # Errors
///
/// When the text is no decimal, or its value is not a whole number in 1..=[`QUANTITY_MAX`].
pub fn parse_quantity(text: &[u8]) -> Result<u64, DecimalError> {
    scaled(text, 0, QUANTITY_MAX)
}

/// The mean price of `quantity` lots that cost `notional` (ticks × lots), as FIX text rounded half up to a tick.
#[must_use]
pub fn average(notional: u128, quantity: u64) -> String {
    let quantity = u128::from(quantity);
    if quantity == 0 {
        return "0".to_owned();
    }
    let ticks = (notional + quantity / 2) / quantity;
    let unit = u128::from(TICKS_PER_UNIT);
    format!("{}.{:04}", ticks / unit, ticks % unit)
}

/// `text` × 10^`places` as an integer in 1..=`max`.
fn scaled(text: &[u8], places: u32, max: u64) -> Result<u64, DecimalError> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut halves = digits.splitn(2, |&byte| byte == b'.');
    let whole = halves.next().unwrap_or_default();
    let fraction = halves.next().unwrap_or_default();
    let numeric = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    if digits.len() > TEXT_MAX
        || whole.len() + fraction.len() == 0
        || !numeric(whole)
        || !numeric(fraction)
    {
        return Err(DecimalError::Malformed);
    }
    let places = places as usize;
    if fraction.iter().skip(places).any(|&digit| digit != b'0') {
        return Err(DecimalError::OffTick);
    }
    let padding = std::iter::repeat_n(&b'0', places.saturating_sub(fraction.len()));
    let mut value = 0_u64;
    for digit in whole
        .iter()
        .chain(fraction.iter().take(places))
        .chain(padding)
    {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u64::from(digit - b'0')))
            .ok_or(DecimalError::TooLarge)?;
    }
    match value {
        0 => Err(DecimalError::Zero),
        _ if negative => Err(DecimalError::Negative),
        value if value > max => Err(DecimalError::TooLarge),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prices are exact, and every way of being wrong has its own name.
    #[test]
    fn prices() {
        use DecimalError::{Malformed, Negative, OffTick, TooLarge, Zero};
        let table: &[(&str, Result<u64, DecimalError>)] = &[
            ("1", Ok(10_000)),
            ("0.1", Ok(1_000)),
            (".5", Ok(5_000)),
            ("10.", Ok(100_000)),
            ("12.3456", Ok(123_456)),
            ("12.345600", Ok(123_456)),
            ("000012.3", Ok(123_000)),
            ("100000000", Ok(PRICE_MAX)),
            ("100000000.0001", Err(TooLarge)),
            ("99999999999999999999999999", Err(TooLarge)),
            ("12.34567", Err(OffTick)),
            ("-1", Err(Negative)),
            ("0", Err(Zero)),
            ("0.0000", Err(Zero)),
            ("-0", Err(Zero)),
            ("", Err(Malformed)),
            (".", Err(Malformed)),
            ("-", Err(Malformed)),
            ("+1", Err(Malformed)),
            ("1e3", Err(Malformed)),
            ("1,5", Err(Malformed)),
            ("1.2.3", Err(Malformed)),
            ("NaN", Err(Malformed)),
            ("000000000000000000000000000000001", Err(Malformed)),
        ];
        for (text, expected) in table {
            let got = Price::parse(text.as_bytes()).map(Price::ticks);
            assert_eq!(got, *expected, "price {text:?}");
        }
    }

    /// Quantities are whole lots.
    #[test]
    fn quantities() {
        assert_eq!(parse_quantity(b"100"), Ok(100));
        assert_eq!(parse_quantity(b"100.00"), Ok(100));
        assert_eq!(parse_quantity(b"0.5"), Err(DecimalError::OffTick));
        assert_eq!(parse_quantity(b"1000000001"), Err(DecimalError::TooLarge));
    }

    /// What is written is what was read; averages round to a tick.
    #[test]
    fn text() {
        let written = |text: &[u8]| Price::parse(text).unwrap().to_string();
        assert_eq!(written(b"12.3"), "12.3000");
        assert_eq!(written(b"0.0001"), "0.0001");
        assert_eq!(average(0, 0), "0");
        assert_eq!(average(20_001, 2), "1.0001");
    }
}
