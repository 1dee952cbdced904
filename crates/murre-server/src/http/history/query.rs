//! What a request for history asks for.

use actix_web::http::StatusCode;
use murre_core::log::ReadFrom;
use murre_protocol::{Position, Timestamp, TopicFilter, topic::TopicError};
use murre_view::Plan;
use percent_encoding::percent_decode_str;

use super::{Cursor, CursorError, view::Asked};
use crate::{
    http::{problem::Problem, view::ViewQuery},
    moment,
};

/// Messages of one answer, where the request names no limit.
pub(crate) const LIMIT_DEFAULT: usize = 1_000;
/// Messages of one answer at most; the cursor leads on to the rest.
pub(crate) const LIMIT_MAX: usize = 100_000;

/// What there is to ask by.
const PARAMETERS: &str = "filter, last, since, until, after and limit, and of a view where, select, deadband, window, \
                          max_rate, patch and on_error";

/// A request for history. Each bound that is given holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HistoryQuery {
    /// Which topics: from the path or from `filter`; without either all of them.
    pub(crate) filter: TopicFilter<'static>,
    /// The newest messages of each topic.
    pub(crate) last: Option<u64>,
    /// Taken by the broker at this time or later.
    pub(crate) since: Option<Timestamp>,
    /// Taken by the broker before this time.
    pub(crate) until: Option<Timestamp>,
    /// Behind this cursor.
    pub(crate) after: Option<Cursor>,
    /// Messages of the answer at most; 1 to [`LIMIT_MAX`].
    pub(crate) limit: usize,
    /// What is done with messages before they are written.
    pub(crate) view: Option<Asked>,
}

/// What a query is read against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Against<'a> {
    /// What durations are counted back from.
    pub(crate) now: Timestamp,
    /// The run of positions that cursors have to be of.
    pub(crate) epoch: &'a str,
    /// `limits.history_last_max`.
    pub(crate) last_max: usize,
}

/// Why a request can't be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    /// Bytes that are no text.
    #[error("{0} is not UTF-8")]
    NotText(
        /// Where.
        &'static str,
    ),
    /// A parameter that there is not.
    #[error("there is no parameter {0:?}; there are {PARAMETERS}")]
    Unknown(
        /// Its name.
        String,
    ),
    /// A parameter given twice.
    #[error("{0} is there twice; give it once")]
    Twice(
        /// Its name.
        String,
    ),
    /// A topic in the path and a filter.
    #[error("there is a topic in the path and a filter in the query; give one of them")]
    TwoFilters,
    /// A text that is no filter.
    #[error("{place}: {why}")]
    Filter {
        /// The path or the parameter.
        place: &'static str,
        /// What is wrong with it.
        why: TopicError,
    },
    /// A filter with a group.
    #[error("filter: history has no groups; leave $share/<group>/ out")]
    Shared,
    /// A `+` as it stands in a query, which is a space there.
    #[error(
        "filter: a bare + in a query is a space, so this would look for a level that is one; write %2B for the \
         wildcard (and %20 for a space), or let a tool encode it: curl -G --data-urlencode 'filter=site/+/temp'"
    )]
    BarePlus,
    /// A value that its parameter can't have.
    #[error("{parameter}: {why}")]
    Value {
        /// The parameter.
        parameter: &'static str,
        /// What is wrong, and what was expected.
        why: String,
    },
    /// A view that there can't be.
    #[error("{0}")]
    View(
        /// The option, and what is wrong with it.
        String,
    ),
    /// A cursor that can't be used.
    #[error("after: {0}")]
    Cursor(
        /// Why not.
        #[from]
        CursorError,
    ),
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        let status = match error {
            QueryError::NotText(_) => StatusCode::BAD_REQUEST,
            // it was good once, and is good for nothing any more
            QueryError::Cursor(CursorError::Epoch) => StatusCode::GONE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, error.to_string())
    }
}

impl HistoryQuery {
    /// Reads a request: `topic` is what follows `/history/` and `query` what follows `?`, both as they came, with their
    /// percent signs. The topic may have wildcards.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn parse(topic: &str, query: &str, against: Against<'_>) -> Result<Self, QueryError> {
        let parameters = parameters(query)?;
        let filter = parameters.iter().find(|(name, _)| name == "filter").map(|(_, value)| *value);
        let mut found = Self {
            filter: filter_of(topic, filter)?,
            last: None,
            since: None,
            until: None,
            after: None,
            limit: LIMIT_DEFAULT,
            view: None,
        };
        let mut view = ViewQuery::default();
        for (name, value) in parameters.iter().filter(|(name, _)| name != "filter") {
            let value = decoded(value, "the query")?;
            if !view.set(name, &value) {
                found.set(name, &value, against)?;
            }
        }
        found.view = asked(&view, found.until.unwrap_or(against.now).min(against.now))?;
        match (found.since, found.until) {
            (Some(since), Some(until)) if since >= until => Err(QueryError::Value {
                parameter: "until",
                why: "expected a time later than since".to_owned(),
            }),
            _ => Ok(found),
        }
    }

    fn set(&mut self, name: &str, value: &str, against: Against<'_>) -> Result<(), QueryError> {
        let moment = |parameter| {
            let time = moment::parse(value, against.now);
            time.map_err(|why| QueryError::Value { parameter, why })
        };
        match name {
            "last" => {
                let last = number("last", value, against.last_max, " (limits.history_last_max)")?;
                self.last = Some(last as u64);
            }
            "since" => self.since = Some(moment("since")?),
            "until" => self.until = Some(moment("until")?),
            "after" => self.after = Some(Cursor::parse(value, against.epoch)?),
            "limit" => self.limit = number("limit", value, LIMIT_MAX, "; the cursor leads on to the rest")?,
            _ => return Err(QueryError::Unknown(name.to_owned())),
        }
        Ok(())
    }

    /// Where the reading of a shard begins: at or before the first message that is wanted. Of what comes from there
    /// [`HistoryQuery::wants`] says what is.
    pub(crate) fn read_from(&self, shard: u8) -> ReadFrom {
        let after = self.after.as_ref().map(|cursor| self.behind(cursor, shard));
        match (self.last, after, self.since) {
            (Some(last), ..) => ReadFrom::LastN(last),
            (None, Some(after), _) if after != Position::NONE => ReadFrom::After(after),
            (None, _, Some(since)) => ReadFrom::Since(since),
            (None, _, None) => ReadFrom::Since(Timestamp::default()),
        }
    }

    /// Up to where a shard is read no more: a view needs what its windows held where the answer before ended.
    fn behind(&self, cursor: &Cursor, shard: u8) -> Position {
        if self.view.is_some() { cursor.held_from(shard) } else { cursor.of_shard(shard) }
    }

    /// Whether a message that matches the filter is within the bounds of time and cursor.
    pub(crate) fn wants(&self, time: Timestamp, position: Position) -> bool {
        let is_behind = |cursor: &Cursor| position > self.behind(cursor, position.shard());
        self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time < until)
            && self.after.as_ref().is_none_or(is_behind)
    }
}

/// The view that a query asks for.
fn asked(query: &ViewQuery, ends_at: Timestamp) -> Result<Option<Asked>, QueryError> {
    let Some(options) = query.view().map_err(QueryError::View)? else { return Ok(None) };
    if options.expect_ms.is_some() {
        let why = "expect: the past has no silence to tell of; ask /events for that";
        return Err(QueryError::View(why.to_owned()));
    }
    let plan = Plan::compile(&options).map_err(|why| QueryError::View(why.to_string()))?;
    Ok(Some(Asked { options, plan: plan.into(), ends_at }))
}

/// Names, and values that are still encoded; each name once.
fn parameters(query: &str) -> Result<Vec<(String, &str)>, QueryError> {
    let mut found: Vec<(String, &str)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name, "the query")?;
        if found.iter().any(|(other, _)| *other == name) {
            return Err(QueryError::Twice(name));
        }
        found.push((name, value));
    }
    Ok(found)
}

/// As forms are encoded: `+` is a space.
fn decoded(text: &str, place: &'static str) -> Result<String, QueryError> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| QueryError::NotText(place))?;
    Ok(decoded.into_owned())
}

fn filter_of(topic: &str, parameter: Option<&str>) -> Result<TopicFilter<'static>, QueryError> {
    let (place, text) = match (topic, parameter) {
        ("", None) => ("filter", "#".to_owned()),
        ("", Some(encoded)) => {
            if encoded.split('/').any(|level| level == "+") {
                return Err(QueryError::BarePlus);
            }
            ("filter", decoded(encoded, "filter")?)
        }
        (_, Some(_)) => return Err(QueryError::TwoFilters),
        // in a path a + is one
        (topic, None) => {
            let topic = percent_decode_str(topic).decode_utf8();
            (
                "the topic in the path",
                topic.map_err(|_| QueryError::NotText("the topic in the path"))?.into_owned(),
            )
        }
    };
    if text.starts_with("$share/") {
        return Err(QueryError::Shared);
    }
    TopicFilter::parse(text).map_err(|why| QueryError::Filter { place, why })
}

/// A number from 1 to `max`; `of` says what that is.
fn number(parameter: &'static str, text: &str, max: usize, of: &str) -> Result<usize, QueryError> {
    match text.parse::<usize>() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        _ => {
            Err(QueryError::Value { parameter, why: format!("expected a whole number from 1 to {max}{of}") })
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use proptest::prelude::*;

    use super::*;

    const AGAINST: Against<'static> =
        Against { now: Timestamp::from_millis(1_795_503_356_662), epoch: "e", last_max: 1_000_000 };

    fn query(topic: &str, query: &str) -> HistoryQuery {
        HistoryQuery::parse(topic, query, AGAINST).unwrap()
    }

    /// The status and the words that a request is refused with.
    fn refused(topic: &str, query: &str) -> (u16, String) {
        let error = HistoryQuery::parse(topic, query, AGAINST).unwrap_err();
        let words = error.to_string();
        (Problem::from(error).status_code().as_u16(), words)
    }

    fn cursor(offset: u64, shard: u8) -> Cursor {
        let mut cursor = Cursor::new(AGAINST.epoch);
        cursor.raise(Position::new(offset, shard));
        cursor
    }

    #[test]
    fn without_a_query_a_topics_oldest_thousand_are_meant() {
        let query = query("site/a/temp", "");
        assert_eq!(query.filter.as_str(), "site/a/temp");
        assert_eq!(query.limit, 1_000);
        assert_eq!(query.read_from(3), ReadFrom::Since(Timestamp::default()));
        assert!(query.wants(Timestamp::from_millis(1), Position::new(1, 3)));
    }

    #[test]
    fn the_path_and_the_filter_may_have_wildcards_and_encoded_characters() {
        assert_eq!(query("", "").filter.as_str(), "#");
        assert_eq!(query("site/+/temp", "").filter.as_str(), "site/+/temp");
        assert_eq!(query("site/%23", "").filter.as_str(), "site/#");
        assert_eq!(query("", "filter=site/%2B/temp").filter.as_str(), "site/+/temp");
        assert_eq!(query("", "%66ilter=a").filter.as_str(), "a");
        assert_eq!(query("", "filter=my+site%2F%C3%A4").filter.as_str(), "my site/ä");
    }

    #[test]
    fn a_plus_that_is_not_encoded_is_answered_with_how_to_encode_it() {
        for filter in ["filter=site/+/temp", "filter=+", "limit=5&filter=a/+"] {
            let (status, words) = refused("", filter);
            assert_eq!(status, 422);
            assert!(words.contains("%2B") && words.contains("--data-urlencode"), "{words}");
        }
    }

    #[test]
    fn every_bound_that_is_given_holds() {
        let text = format!("since=10m&until=5m&after={}&limit=100000", cursor(7, 2));
        let query = query("", &text);
        let wants = |seconds_ago: u64, offset: u64| {
            let time = Timestamp::from_millis(AGAINST.now.millis() - seconds_ago * 1000);
            query.wants(time, Position::new(offset, 2))
        };
        assert_eq!((wants(601, 8), wants(600, 8), wants(301, 8), wants(300, 8)), (false, true, true, false));
        assert_eq!((wants(400, 7), wants(400, 8)), (false, true));
        assert_eq!(query.limit, 100_000);
    }

    #[test]
    fn a_shard_is_read_from_where_the_first_wanted_message_may_be() {
        let since = Timestamp::from_millis(AGAINST.now.millis() - 60_000);
        let after = format!("since=1m&after={}", cursor(7, 2));
        assert_eq!(query("a", "since=1m").read_from(2), ReadFrom::Since(since));
        assert_eq!(query("a", &after).read_from(2), ReadFrom::After(Position::new(7, 2)));
        assert_eq!(query("a", &after).read_from(3), ReadFrom::Since(since));
        assert_eq!(query("a", &format!("last=5&{after}")).read_from(2), ReadFrom::LastN(5));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_parameter_and_what_was_expected() {
        let last = "last: expected a whole number from 1 to 1000000 (limits.history_last_max)";
        for wrong in ["0", "-1", "1000001", "x", ""] {
            assert_eq!(refused("a", &format!("last={wrong}")), (422, last.to_owned()));
        }
        assert!(
            refused("a", "limit=100001").1.starts_with("limit: expected a whole number from 1 to 100000;")
        );
        assert!(refused("a", "since=yesterday").1.starts_with("since: \"yesterday\" is no point in time"));
        assert!(refused("a", "until=").1.starts_with("until: \"\" is no point in time"));
        assert!(refused("a", "since=5m&until=10m").1.starts_with("until: expected a time later than since"));
        assert!(refused("a/#/b", "").1.starts_with("the topic in the path: the wildcard"));
        assert!(refused("", "filter=").1.starts_with("filter: it is empty"));
        assert!(refused("", "filter=$share/g/a").1.starts_with("filter: history has no groups"));
    }

    #[test]
    fn what_is_not_understood_is_refused_and_not_passed_over() {
        assert!(refused("a", "limt=5").1.contains("there are filter, last, since, until, after and limit,"));
        assert!(refused("a", "limit=5&limit=6").1.starts_with("limit is there twice"));
        assert!(refused("a", "filter=b").1.starts_with("there is a topic in the path and a filter"));
        assert_eq!(refused("a", "limit=%FF").0, 400);
        assert_eq!(refused("%FF", "").0, 400);
    }

    #[test]
    fn a_view_is_asked_for_as_events_are_and_windows_end_with_what_was_asked_for() {
        let asked = query("a", "where=payload.c%20%3E%205&select=c,d&until=5m").view.unwrap();
        assert_eq!(asked.options.condition.as_deref(), Some("payload.c > 5"));
        assert_eq!(asked.options.select, ["c", "d"]);
        assert_eq!(asked.ends_at.millis(), AGAINST.now.millis() - 300_000);
        assert_eq!(query("a", "max_rate=2").view.unwrap().ends_at, AGAINST.now);
        assert_eq!(query("a", "limit=5").view, None);
    }

    #[test]
    fn a_view_that_there_cannot_be_is_named_with_its_option() {
        for (text, why) in [
            ("where=payload.c%20%3E", "where: line 1, column 12: "),
            ("window=%7B%7D", "window.seconds: is missing"),
            ("select=a..b", "select: "),
            ("expect=5", "expect: the past has no silence to tell of"),
        ] {
            let (status, words) = refused("a", text);
            assert!(status == 422 && words.starts_with(why), "{words}");
        }
    }

    #[test]
    fn a_cursor_that_cannot_be_used_is_told_why() {
        let foreign = Cursor::new("another").to_string();
        let (status, words) = refused("a", &format!("after={foreign}"));
        assert_eq!(status, 410);
        assert!(words.contains("another store") && words.contains("without after"), "{words}");
        assert_eq!(refused("a", "after=AAAA").0, 422);
    }

    proptest! {
        #[test]
        fn any_request_is_answered(topic in ".*", text in "((filter|last|since|until|after|limit)=.{0,20}&?){0,6}|.*") {
            let answer = HistoryQuery::parse(&topic, &text, AGAINST);
            if let Ok(query) = answer {
                prop_assert!((1..=LIMIT_MAX).contains(&query.limit));
            }
        }
    }
}
