//! How old a value is.

use std::time::Duration;

/// The age in the largest unit that it fills: `250ms`, `12s`, `3m`, `5h`, `2d`.
pub(crate) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0 => format!("{}ms", age.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_shown_in_its_largest_unit() {
        let ages = [0, 999, 1_000, 59_999, 60_000, 3_600_000, 86_400_000 * 3];
        let shown = ages.map(|ms| age(Duration::from_millis(ms)));
        assert_eq!(shown, ["0ms", "999ms", "1s", "59s", "1m", "1h", "3d"]);
    }
}
