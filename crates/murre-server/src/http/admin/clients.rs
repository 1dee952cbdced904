//! `/admin/clients`: who is connected, and disconnecting.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use murre_core::{
    hub::{ClientPage, ListPlace, ListQuery, Listing, stream_of},
    ids::{SessionKey, WorkerId},
};
use murre_protocol::ClientId;
use serde::{Deserialize, Serialize};

use super::{
    Problem,
    ask::{ask, ask_all, begin},
    check,
    json::{ClientJson, SubscriptionJson},
};
use crate::{http::Shared, process::Process};

/// Clients of one page, where the request names no number.
const PAGE_DEFAULT: usize = 100;
/// Clients of one page at most.
const PAGE_MAX: usize = 1000;
/// Bytes of the text that is searched for.
const SEARCH_BYTES_MAX: usize = 200;
/// Subscriptions of one client that are shown.
const SUBSCRIPTIONS_MAX: usize = 1000;
/// Bytes of the reason that a client is given.
const REASON_BYTES_MAX: usize = 200;
/// The reason where the request gives none.
const REASON_DEFAULT: &str = "disconnected by somebody who runs the broker";

/// The query of `GET /admin/clients`.
#[derive(Debug, Deserialize)]
pub(super) struct ListParameters {
    limit: Option<usize>,
    after: Option<String>,
    search: Option<String>,
}

#[derive(Debug, Serialize)]
struct ListAnswer {
    total: usize,
    clients: Vec<ClientJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /admin/clients`: a page of the clients, the slow ones first.
pub(super) async fn list(
    request: HttpRequest,
    shared: web::Data<Shared>,
    parameters: web::Query<ListParameters>,
) -> Result<HttpResponse, Problem> {
    check(&request)?;
    let process = &shared.process;
    let query = parameters.into_inner().read()?;
    let limit = query.limit;
    let _turn = begin(process)?;
    let pages = ask_all(process, |_| {
        let mut listing = Listing::new(query.clone());
        async move |local| {
            loop {
                let now = local.now();
                if local.peek_hub(|hub| listing.look(hub, now)) {
                    return listing.finish();
                }
                actix_rt::task::yield_now().await;
            }
        }
    });
    let page = ClientPage::merge(pages.await?, limit);
    let next = page.next().map(|place| cursor(&place));
    let outbox_max = process.config.limits.outbox_max;
    let clients = page.clients.into_iter().map(|report| ClientJson::new(report, outbox_max)).collect();
    Ok(HttpResponse::Ok().json(ListAnswer { total: page.total, clients, next }))
}

impl ListParameters {
    fn read(self) -> Result<ListQuery, Problem> {
        let invalid = |what: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what);
        let limit = self.limit.unwrap_or(PAGE_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(invalid(&format!("limit: expected 1 to {PAGE_MAX} clients")));
        }
        if self.search.as_ref().is_some_and(|search| search.len() > SEARCH_BYTES_MAX) {
            return Err(invalid(&format!("search: expected at most {SEARCH_BYTES_MAX} bytes")));
        }
        let place = |text: &String| {
            read_cursor(text)
                .ok_or_else(|| invalid("after: expected what an answer before gave as next, as it is"))
        };
        let after = self.after.as_ref().map(place).transpose()?;
        Ok(ListQuery { after, search: self.search, limit })
    }
}

/// A place in the list as text that means nothing.
fn cursor(place: &ListPlace) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{}{}", u8::from(place.is_fast), place.name))
}

fn read_cursor(text: &str) -> Option<ListPlace> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (is_fast, name) = text.split_at_checked(1)?;
    matches!(is_fast, "0" | "1").then(|| ListPlace { is_fast: is_fast == "1", name: name.to_owned() })
}

#[derive(Debug, Serialize)]
struct ClientAnswer {
    #[serde(flatten)]
    client: ClientJson,
    filters: Vec<SubscriptionJson>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// `GET /admin/clients/{id}`: one client with its subscriptions.
pub(super) async fn one(
    request: HttpRequest,
    shared: web::Data<Shared>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    check(&request)?;
    let process = &shared.process;
    let _turn = begin(process)?;
    let (worker, key) = find(process, &id).await?;
    let report = ask(process, worker, async move |local| {
        let now = local.now();
        local.peek_hub(|hub| {
            let report = hub.report(now, key)?;
            Some((report, hub.report_subscriptions(key, SUBSCRIPTIONS_MAX)))
        })
    });
    let (client, filters) = report.await?.ok_or_else(|| not_connected(&id))?;
    let truncated = client.subscriptions > filters.len();
    let client = ClientJson::new(client, process.config.limits.outbox_max);
    let filters = filters.into_iter().map(SubscriptionJson::from).collect();
    Ok(HttpResponse::Ok().json(ClientAnswer { client, filters, truncated }))
}

/// The body of `POST /admin/clients/{id}/disconnect`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DisconnectBody {
    reason: Option<String>,
}

/// `POST /admin/clients/{id}/disconnect`: ends a client's connection.
pub(super) async fn disconnect(
    request: HttpRequest,
    shared: web::Data<Shared>,
    id: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    check(&request)?;
    let reason = read_reason(&body)?;
    let process = &shared.process;
    let _turn = begin(process)?;
    let (worker, key) = find(process, &id).await?;
    let told = reason.clone();
    let is_done = ask(process, worker, async move |local| {
        local.with_hub(|now, hub, out| hub.expel(now, key, told, out))
    });
    if !is_done.await? {
        return Err(not_connected(&id));
    }
    tracing::info!(client = %*id, reason, "a client was disconnected as was asked for");
    Ok(HttpResponse::NoContent().finish())
}

fn read_reason(body: &[u8]) -> Result<String, Problem> {
    let invalid = |what: String| Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what));
    let body = match body {
        [] => DisconnectBody::default(),
        body => match serde_json::from_slice(body) {
            Ok(body) => body,
            Err(why) => {
                return invalid(format!(r#"the body: {why}; expected {{"reason": "text"}} or nothing"#));
            }
        },
    };
    let reason = body.reason.unwrap_or_else(|| REASON_DEFAULT.to_owned());
    if reason.len() > REASON_BYTES_MAX {
        return invalid(format!("reason: expected at most {REASON_BYTES_MAX} bytes"));
    }
    Ok(reason)
}

/// The session of a client by the name that it is shown as.
async fn find(process: &Process, id: &str) -> Result<(WorkerId, SessionKey), Problem> {
    let stream = stream_of(id).filter(|(worker, _)| worker.index() < process.worker_count());
    if let Some(stream) = stream {
        return Ok(stream);
    }
    let client = ClientId::parse(id).map_err(|_| not_connected(id))?;
    let worker = process.worker_of_client(&client);
    let session =
        ask(process, worker, async move |local| local.peek_engine(|engine| engine.session_of(&client)));
    let session = session.await?.ok_or_else(|| not_connected(id))?;
    Ok((session.worker, session.key))
}

fn not_connected(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("no client {id:?} is connected"))
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;

    #[test]
    fn a_cursor_is_read_back() {
        for (is_fast, name) in [(true, "boiler-7"), (false, "größe ✓"), (true, "")] {
            let place = ListPlace { is_fast, name: name.to_owned() };
            assert_eq!(read_cursor(&cursor(&place)), Some(place));
        }
        for text in ["", "!", "AA", "MnRlc3Q"] {
            assert_eq!(read_cursor(text), None, "{text}");
        }
    }

    #[test]
    fn a_reason_is_optional_and_bounded() {
        let status = |body: &str| read_reason(body.as_bytes()).map_err(|why| why.status_code().as_u16());
        assert_eq!(status(r#"{"reason":"maintenance"}"#), Ok("maintenance".to_owned()));
        assert_eq!(
            (status(""), status("{}")),
            (Ok(REASON_DEFAULT.to_owned()), Ok(REASON_DEFAULT.to_owned()))
        );
        let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(201));
        for body in ["maintenance", r#"{"why":"x"}"#, r#"{"reason":1}"#, &long] {
            assert_eq!(status(body), Err(422), "{body}");
        }
    }
}
