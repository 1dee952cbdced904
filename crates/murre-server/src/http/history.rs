//! `/history/{topic…}`: messages of the past, as JSON, lines of JSON or CSV.
//!
//! | module | has |
//! |---|---|
//! | `query` | what a request asks for: [`HistoryQuery`] |
//! | `moment` | points in time as people write them |
//! | `cursor` | where an answer ended: [`Cursor`] |
//! | `form` | which of the three forms `Accept` asks for: [`HistoryForm`] |
//! | `writer` | messages in that form, one at a time: [`HistoryWriter`] |
//! | `answer` | the whole: which messages go in, and what leads on to the rest: [`answer::HistoryAnswer`] |
//!
//! All of it is plain code: texts and messages in, bytes out. What reads the log asks the query where each shard begins
//! ([`HistoryQuery::read_from`]) and offers what it finds to the answer until that is full.

pub(crate) use cursor::{Cursor, CursorError};
pub(crate) use form::HistoryForm;
pub(crate) use query::{Against, HistoryQuery};
pub(crate) use writer::HistoryWriter;

pub(super) mod answer;
mod cursor;
mod form;
mod moment;
mod query;
mod writer;
