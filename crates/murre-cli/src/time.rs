//! Points in time, from the protocol's form to the calendar's and back.

use murre_protocol::Timestamp;

/// The present time.
pub(crate) fn now() -> Timestamp {
    of_calendar(jiff::Timestamp::now())
}

/// What was before 1970 counts as 1970.
pub(crate) fn of_calendar(time: jiff::Timestamp) -> Timestamp {
    Timestamp::from_millis(u64::try_from(time.as_millisecond()).unwrap_or(0))
}

/// None behind the year 9999, where the calendar ends.
pub(crate) fn in_calendar(time: Timestamp) -> Option<jiff::Timestamp> {
    i64::try_from(time.millis()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
}

/// The age in the largest unit that it fills: `250ms`, `12s`, `3m`, `5h`, `2d`.
pub(crate) fn show_age(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{}s", ms / 1_000),
        60_000..3_600_000 => format!("{}m", ms / 60_000),
        3_600_000..86_400_000 => format!("{}h", ms / 3_600_000),
        _ => format!("{}d", ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_the_same_in_both_forms_where_both_have_it() {
        let time = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(in_calendar(time).map(of_calendar), Some(time));
        assert_eq!(in_calendar(Timestamp::from_millis(u64::MAX)), None);
        assert_eq!(of_calendar(jiff::Timestamp::from_millisecond(-1).unwrap()), Timestamp::from_millis(0));
    }

    #[test]
    fn an_age_is_shown_in_its_largest_unit() {
        let ages = [0, 999, 1_000, 59_999, 60_000, 3_600_000, 86_400_000 * 3].map(show_age);
        assert_eq!(ages, ["0ms", "999ms", "1s", "59s", "1m", "1h", "3d"]);
    }
}
