//! The flags of `murre sub` that say where to begin.

use std::time::Duration;

use murre_client::From;
use murre_protocol::Timestamp;

use crate::{args::duration, time::of_calendar};

/// Where to begin: with one of these at most.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
#[command(next_help_heading = "Where to begin [default: with the last value of each topic]")]
#[group(multiple = false)]
pub(super) struct Start {
    /// With the last N messages of each topic
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    last: Option<u64>,
    /// With what was published since then: a time ago (10m, 2h30m), or a point in time by RFC 3339
    /// (2026-01-31T06:00:00Z)
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// With everything that the broker keeps
    #[arg(long)]
    from_beginning: bool,
    /// With what is published from now on, without the last values; a shared filter always begins so
    #[arg(long)]
    live: bool,
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Since {
    Ago(Duration),
    At(Timestamp),
}

fn since(text: &str) -> Result<Since, String> {
    let at = |text: &str| text.parse::<jiff::Timestamp>().ok().map(|time| Since::At(of_calendar(time)));
    duration(text).ok().map(Since::Ago).or_else(|| at(text)).ok_or_else(|| {
        "expected a time ago with its unit, such as 10m or 2h30m, or a point in time such as 2026-01-31T06:00:00Z"
            .to_owned()
    })
}

impl Start {
    /// Where a subscription to `filter` begins, at the time `now`.
    pub(super) fn of(self, filter: &str, now: jiff::Timestamp) -> From {
        if let Some(last) = self.last {
            return From::LastN(last);
        }
        if let Some(since) = self.since {
            return From::Since(since.before(of_calendar(now)));
        }
        if self.from_beginning {
            return From::Since(Timestamp::from_millis(0));
        }
        if self.live || is_shared(filter) { From::Live } else { From::Last }
    }
}

impl Since {
    fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(ago) => {
                let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
                Timestamp::from_millis(now.millis().saturating_sub(ago))
            }
        }
    }
}

/// Messages of a shared subscription go to one subscriber each, so there is no past that it could begin with.
pub(super) fn is_shared(filter: &str) -> bool {
    filter.starts_with("$share/")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        start: Start,
    }

    fn start(flags: &[&str]) -> Result<Start, clap::Error> {
        Flags::try_parse_from([&["sub"], flags].concat()).map(|flags| flags.start)
    }

    fn begins(flags: &[&str], filter: &str) -> From {
        start(flags).unwrap().of(filter, jiff::Timestamp::from_millisecond(1_000_000).unwrap())
    }

    fn millis(millis: u64) -> From {
        From::Since(Timestamp::from_millis(millis))
    }

    #[test]
    fn a_subscription_begins_where_it_was_told_to() {
        assert_eq!(begins(&["--last", "5"], "a"), From::LastN(5));
        assert_eq!(begins(&["--since", "10m"], "a"), millis(400_000));
        assert_eq!(begins(&["--since", "1h"], "a"), millis(0));
        assert_eq!(begins(&["--since", "1970-01-01T01:00:01.5+01:00"], "a"), millis(1_500));
        assert_eq!(begins(&["--from-beginning"], "a"), millis(0));
        assert_eq!(begins(&["--live"], "a"), From::Live);
    }

    #[test]
    fn without_a_word_it_begins_with_last_values_and_live_where_it_is_shared() {
        assert_eq!((begins(&[], "a/#"), begins(&[], "$share/g/a")), (From::Last, From::Live));
    }

    #[test]
    fn there_is_one_beginning_at_most() {
        let all = ["--last=1", "--since=1m", "--from-beginning", "--live"];
        for (index, one) in all.iter().enumerate() {
            assert!(start(&[one]).is_ok());
            assert!(all[index + 1..].iter().all(|other| start(&[one, other]).is_err()), "{one}");
        }
    }

    #[test]
    fn a_wrong_beginning_is_refused_with_what_was_expected() {
        for wrong in ["--last=0", "--last=-1", "--since=yesterday", "--since=10", "--since=2026-01-31"] {
            assert!(start(&[wrong]).is_err(), "{wrong}");
        }
        assert!(since("yesterday").unwrap_err().contains("10m or 2h30m"));
    }
}
