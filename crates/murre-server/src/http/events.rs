//! `/events?filter=`: Server-Sent Events, for what can't speak WebSocket.
//!
//! Each event's data is the JSON MESSAGE as a WebSocket client would get it, its id the message's position. A
//! snapshot's end is an event `caught_up`, what was left out an event `notice`.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_rt::time::{Instant, Interval, interval_at};
use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, MessageBody},
    http::header,
    web,
};
use murre_protocol::{
    Codec,
    packet::{BrokerPacket, ClientPacket, From, OnSlow, Subscribe, SubscribeOptions},
};
use serde::Deserialize;

use super::{
    problem::Problem,
    view::{ViewQuery, check_names},
};
use crate::shell::{local::LocalSession, runtime::Local};

/// Proxies close what is silent; a comment goes out this often.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The parameters of [`EventsQuery`].
const PARAMETERS: [&str; 3] = ["filter", "from", "on_slow"];

/// The query of `/events`, but for the view.
#[derive(Debug, Deserialize)]
pub(crate) struct EventsQuery {
    filter: Option<String>,
    from: Option<String>,
    on_slow: Option<String>,
}

pub(crate) async fn stream(
    request: HttpRequest,
    query: web::Query<EventsQuery>,
    view: web::Query<ViewQuery>,
) -> Result<HttpResponse, Problem> {
    let bad = |what: &str| Problem::new(actix_web::http::StatusCode::UNPROCESSABLE_ENTITY, what);
    check_names(request.query_string(), &PARAMETERS).map_err(|why| bad(&why))?;
    let from = match query.from.as_deref() {
        None | Some("last") => From::Last,
        Some("live") => From::Live,
        Some(_) => return Err(bad("from may be last or live")),
    };
    let on_slow = match query.on_slow.as_deref() {
        None => None,
        Some(word) => {
            let rule = OnSlow::from_word(word);
            Some(rule.ok_or_else(|| bad("on_slow may be drop_oldest, conflate or disconnect"))?)
        }
    };
    let view = view.view().map_err(|why| bad(&why))?;
    let local = request.app_data::<Local>().ok_or_else(Problem::unavailable)?;
    let session = LocalSession::stream(local, request.peer_addr()).map_err(|_| Problem::unavailable())?;
    let filter = query.filter.as_deref().unwrap_or("#");
    let options = SubscribeOptions { from: Some(from), on_slow, view, ..Default::default() };
    session.send(&ClientPacket::Subscribe(Box::new(Subscribe { sub: 1, filter: filter.into(), options })));
    // the first packets say whether it was granted
    let first = session.receive().await.ok_or_else(Problem::unavailable)?;
    if let Ok(Some((BrokerPacket::Subscribed(answer), _))) = Codec::Json.broker_packet(&first, usize::MAX)
        && !answer.code.is_ok()
    {
        return Err(Problem::from_code(answer.code, answer.reason.as_deref().unwrap_or(answer.code.text())));
    }
    let events =
        Events { session, first: Some(first), heartbeat: interval_at(Instant::now() + HEARTBEAT, HEARTBEAT) };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .body(events))
}

/// The body: packets of a session as events.
struct Events {
    session: LocalSession,
    first: Option<Vec<u8>>,
    heartbeat: Interval,
}

impl MessageBody for Events {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<web::Bytes, Self::Error>>> {
        let this = self.get_mut();
        loop {
            let packets = match this.first.take() {
                Some(first) => Poll::Ready(Some(first)),
                None => this.session.poll_receive(cx),
            };
            match packets {
                Poll::Ready(Some(packets)) => {
                    let events = events(&packets);
                    if !events.is_empty() {
                        return Poll::Ready(Some(Ok(events.into())));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    return match this.heartbeat.poll_tick(cx) {
                        Poll::Ready(_) => Poll::Ready(Some(Ok(web::Bytes::from_static(b": \n\n")))),
                        Poll::Pending => Poll::Pending,
                    };
                }
            }
        }
    }
}

/// Packets, a JSON line each, as events.
fn events(packets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(packets.len() * 2);
    let mut rest = packets;
    while let Some((line, behind)) = Codec::Json.split_packet(rest) {
        if let Ok(Some((packet, _))) = Codec::Json.broker_packet(line, usize::MAX) {
            match packet {
                BrokerPacket::Message { message, .. } => {
                    out.extend_from_slice(format!("id: {}\ndata: ", message.position.get()).as_bytes());
                }
                BrokerPacket::CaughtUp(_) => out.extend_from_slice(b"event: caught_up\ndata: "),
                BrokerPacket::Notice(_) => out.extend_from_slice(b"event: notice\ndata: "),
                BrokerPacket::Disconnect(_) => out.extend_from_slice(b"event: disconnect\ndata: "),
                _ => {
                    rest = behind;
                    continue;
                }
            }
            out.extend_from_slice(line.trim_ascii_end());
            out.extend_from_slice(b"\n\n");
        }
        rest = behind;
    }
    out
}
