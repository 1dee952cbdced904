//! Points in time as people write them: Unix milliseconds, RFC 3339, or how long ago.

use murre_protocol::Timestamp;

/// What can be written.
const EXPECTED: &str = "Unix milliseconds, a time with its zone such as 2026-11-24T10:00:00Z, or how long ago, such as 10m or 2days";
/// Milliseconds from here on are taken for a time; 0 is the begin of all, and what is between would be in the years 1970
/// to 1973, so it is seconds or something else.
const MILLIS_MIN: u64 = 100_000_000_000;

/// Reads a point in time; `now` is what durations are counted back from. Times before 1970 are its begin.
///
/// # Errors
/// Says what was expected.
pub fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return unix_millis(text);
    }
    if let Ok(ago) = humantime::parse_duration(text) {
        let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        return Ok(Timestamp::from_millis(now.millis().saturating_sub(ago)));
    }
    let time: jiff::Timestamp = with_its_plus(text)
        .parse()
        .map_err(|_| format!("{text:?} is no point in time; expected {EXPECTED}"))?;
    Ok(Timestamp::from_millis(u64::try_from(time.as_millisecond()).unwrap_or(0)))
}

fn unix_millis(text: &str) -> Result<Timestamp, String> {
    match text.parse::<u64>() {
        Ok(millis) if millis == 0 || millis >= MILLIS_MIN => Ok(Timestamp::from_millis(millis)),
        Ok(_) => Err(format!(
            "{text} milliseconds would be before the year 1974; are these seconds? expected {EXPECTED}"
        )),
        Err(_) => Err(format!("{text:?} is no point in time; expected {EXPECTED}")),
    }
}

/// In a query a bare `+` is a space, so that of 10:00:00+01:00 comes 10:00:00 01:00; no time has such a space itself.
fn with_its_plus(text: &str) -> String {
    match text.rsplit_once(' ') {
        Some((time, zone)) if time.contains(':') && zone.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{time}+{zone}")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_503_356_662);

    fn millis(text: &str) -> u64 {
        parse(text, NOW).unwrap().millis()
    }

    #[test]
    fn a_number_is_unix_milliseconds() {
        assert_eq!(millis("1795503356662"), 1_795_503_356_662);
        assert_eq!(millis("0"), 0);
    }

    #[test]
    fn a_duration_is_so_long_ago() {
        assert_eq!(millis("10m"), NOW.millis() - 600_000);
        assert_eq!(millis("1h 30m"), NOW.millis() - 5_400_000);
        assert_eq!(millis("1000years"), 0);
    }

    #[test]
    fn a_time_has_a_zone_and_may_have_lost_its_plus() {
        assert_eq!(millis("2026-11-24T10:00:00Z"), 1_795_514_400_000);
        assert_eq!(millis("2026-11-24T10:00:00.5Z"), 1_795_514_400_500);
        assert_eq!(millis("2026-11-24T11:00:00+01:00"), 1_795_514_400_000);
        assert_eq!(millis("2026-11-24T11:00:00 01:00"), 1_795_514_400_000);
        assert_eq!(millis("2026-11-24 11:00:00 01:00"), 1_795_514_400_000);
        assert_eq!(millis("2026-11-24T05:00:00-05:00"), 1_795_514_400_000);
        assert_eq!(millis("1950-01-01T00:00:00Z"), 0);
    }

    #[test]
    fn what_is_no_point_in_time_is_told_what_one_is() {
        let zoneless = ["2026-11-24", "2026-11-24T10:00:00"];
        for wrong in
            ["", "yesterday", "-5m", "10", "1795503356", "99999999999999999999"].iter().chain(&zoneless)
        {
            let why = parse(wrong, NOW).unwrap_err();
            assert!(why.contains("2026-11-24T10:00:00Z"), "{why}");
        }
        assert!(parse("1795503356", NOW).unwrap_err().contains("are these seconds?"));
    }
}
