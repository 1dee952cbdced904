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
}
