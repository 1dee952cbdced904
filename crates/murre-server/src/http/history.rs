//! `/history/{topic…}`: messages of the past, as JSON, lines of JSON or CSV.
//!
//! | module | has |
//! |---|---|
//! | `query` | what a request asks for: [`HistoryQuery`] |
//! | `cursor` | where an answer ended: [`Cursor`] |
//! | `form` | which of the three forms `Accept` asks for: [`HistoryForm`] |
//! | `writer` | messages in that form, one at a time: [`HistoryWriter`] |
//! | `answer` | the whole: which messages go in, and what leads on to the rest: [`answer::HistoryAnswer`] |
//! | `view` | what is done with messages before they are written: [`view::HistoryView`] |
//! | `feed` | from the shards' slices into an answer: [`feed::Feed`] |
//! | `body` | the answer on its way to the socket: [`body::HistoryBody`] |
//!
//! All but `body` is plain code: texts and messages in, bytes out.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};

pub(crate) use cursor::{Cursor, CursorError};
pub(crate) use form::HistoryForm;
pub(crate) use query::{Against, HistoryQuery};
pub(crate) use writer::HistoryWriter;

use super::{Shared, problem::Problem};
use crate::reading::Reads;
use body::HistoryBody;

mod answer;
mod body;
mod cursor;
mod feed;
mod form;
mod query;
mod view;
mod writer;

/// `GET /history/{topic…}`, `GET /history?filter=`.
pub(super) async fn history(
    request: HttpRequest,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let process = &shared.process;
    let topic = request.uri().path().strip_prefix("/history/").unwrap_or_default();
    let against = Against {
        now: process.clock.now().wall,
        epoch: process.epoch(),
        last_max: process.config.limits.history_last_max,
    };
    let query = HistoryQuery::parse(topic, request.query_string(), against)?;
    let form = HistoryForm::accepted(&accept(&request))?;
    if form == HistoryForm::Csv && query.view.as_ref().is_some_and(|asked| asked.options.patch) {
        let why = "patch: a table can't say which payloads are patches; ask for JSON or lines of JSON";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    let reads = Reads::begin(process).ok_or_else(too_many)?;
    Ok(HttpResponse::Ok()
        .content_type(form.content_type())
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::VARY, "accept"))
        .body(HistoryBody::begin(reads, query, form, process)))
}

/// All that the request accepts, as one list.
fn accept(request: &HttpRequest) -> String {
    let values = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(",")
}

fn too_many() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too much history is being read at once; try again later")
}
