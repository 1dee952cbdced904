//! Times as CSV files have them. Pure.

/// Numbers of at least this size are Unix milliseconds, smaller ones Unix seconds: as milliseconds it is March 1973,
/// as seconds the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;
/// Microseconds that a number may stand for: about 285 years around 1970, exact in a double.
const MICROS_MAX: f64 = 9e15;

/// What [`parse`] takes, for error messages.
pub const EXPECTED: &str =
    "a time: RFC 3339 with an offset, like 2025-03-01T06:30:00Z, or Unix seconds or milliseconds";

/// Microseconds since the Unix epoch from RFC 3339, Unix seconds (also with a fraction) or Unix milliseconds; none
/// for anything else.
pub fn parse(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<f64>() {
        let micros = if number.abs() < MILLISECONDS_FROM { number * 1e6 } else { number * 1e3 };
        // Not a number compares as false.
        return (micros.abs() <= MICROS_MAX).then(|| micros.round() as i64);
    }
    text.parse().map(jiff::Timestamp::as_microsecond).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_moment_has_four_forms() {
        let moment = Some(1_740_810_600_250_000);
        assert_eq!(parse("2025-03-01T06:30:00.25Z"), moment);
        assert_eq!(parse("2025-03-01T08:30:00.25+02:00"), moment);
        assert_eq!(parse("1740810600.25"), moment);
        assert_eq!(parse("1740810600250"), moment);
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "noon", "2025-03-01", "2025-03-01T06:30:00", "NaN", "inf", "1e300"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn milliseconds_and_rfc_3339_agree(ms in 100_000_000_000_i64..4_000_000_000_000) {
            let written = jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
            prop_assert_eq!(parse(&written), parse(&ms.to_string()));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            parse(&text);
        }
    }
}
