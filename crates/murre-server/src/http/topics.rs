//! `/topics`: publish, last value, clear, list.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use murre_protocol::{
    Codec, Format, Position, TopicName,
    packet::{
        BrokerPacket, ClientPacket, From, Message, Publish, PublishOptions, Published, Subscribe,
        SubscribeOptions,
    },
};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::{
    Shared,
    problem::{Problem, check_origin},
};
use crate::shell::{local::LocalSession, runtime::Local};

/// `POST /topics/{topic}`: the body is the payload, `Content-Type` gives its format. Query: `retain`, `expiry`.
#[derive(Debug, Deserialize)]
pub(crate) struct PublishQuery {
    #[serde(default)]
    retain: bool,
    expiry: Option<u64>,
}

pub(crate) async fn publish(
    request: HttpRequest,
    shared: web::Data<Shared>,
    query: web::Query<PublishQuery>,
    body: Result<web::Bytes, actix_web::Error>,
) -> Result<HttpResponse, Problem> {
    check_origin(&request, &shared)?;
    let topic = topic(&request)?;
    let max = shared.process.config.limits.max_packet;
    let body = body.map_err(|why| match why.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body may have {max} bytes (limits.max_packet)"),
        ),
        status => Problem::new(status, why.to_string()),
    })?;
    let format = format_of(&request, &body)?;
    let options = PublishOptions { retain: query.retain, expiry: query.expiry, ..Default::default() };
    let position = publish_one(&request, &topic, format, &body, options).await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({ "topic": topic.as_str(), "position": position.get() })))
}

/// `DELETE /topics/{topic}`: clears the last value.
pub(crate) async fn clear(request: HttpRequest, shared: web::Data<Shared>) -> Result<HttpResponse, Problem> {
    check_origin(&request, &shared)?;
    let topic = topic(&request)?;
    let options = PublishOptions { retain: true, ..Default::default() };
    publish_one(&request, &topic, Format::Raw, &[], options).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /topics/{topic}`: the last value, as it was published.
pub(crate) async fn last_value(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let topic = topic(&request)?;
    let mut found = None;
    snapshot(&request, topic.as_str(), Codec::MessagePack, |packet| {
        if let BrokerPacket::Message { message, .. } = packet {
            found = Some(response(&message));
        }
    })
    .await?;
    found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("the topic {topic} has no value")))
}

/// `GET /topics?filter=&limit=`: which topics there are, as JSON.
#[derive(Debug, Deserialize)]
pub(crate) struct ListQuery {
    filter: Option<String>,
    limit: Option<usize>,
}

/// Topics of one answer, where the request names no limit.
const LIST_DEFAULT: usize = 10_000;
/// Topics of one answer at most: what an answer takes of memory is bounded.
const LIST_MAX: usize = 100_000;

pub(crate) async fn list(
    request: HttpRequest,
    query: web::Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let ListQuery { filter, limit } = query.into_inner();
    let filter = filter.unwrap_or_else(|| "#".to_owned());
    let limit = limit.unwrap_or(LIST_DEFAULT).min(LIST_MAX);
    let mut topics = Vec::new();
    let mut found = 0;
    snapshot(&request, &filter, Codec::MessagePack, |packet| {
        if let BrokerPacket::Message { message, .. } = packet {
            found += 1;
            if topics.len() >= limit {
                return;
            }
            topics.push(serde_json::json!({
                "topic": message.topic,
                "format": message.format.number(),
                "bytes": message.payload.len(),
                "time": message.time.millis(),
                "position": message.position.get(),
            }));
        }
    })
    .await?;
    topics.sort_by(|a, b| a["topic"].as_str().cmp(&b["topic"].as_str()));
    Ok(HttpResponse::Ok().json(serde_json::json!({ "topics": topics, "count": found })))
}

fn topic(request: &HttpRequest) -> Result<TopicName<'static>, Problem> {
    topic_behind("/topics/", request)
}

/// The topic in the path, which may have encoded characters.
pub(super) fn topic_behind(prefix: &str, request: &HttpRequest) -> Result<TopicName<'static>, Problem> {
    let path = request.uri().path();
    let encoded = path.strip_prefix(prefix).unwrap_or_default();
    let text = percent_decode_str(encoded).decode_utf8();
    let text =
        text.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the topic in the path is not UTF-8"))?;
    let topic = TopicName::parse(text.into_owned());
    topic.map_err(|why| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the topic in the path: {why}"))
    })
}

/// The format that `Content-Type` names; the body has to be what it says.
fn format_of(request: &HttpRequest, body: &[u8]) -> Result<Format, Problem> {
    let given =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let wrong =
        |what: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the body is not {what}"));
    match media_type.as_str() {
        "application/json" => match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
            Ok(_) => Ok(Format::Json),
            Err(why) => Err(wrong(&format!("JSON: {why}"))),
        },
        "text/plain" => match std::str::from_utf8(body) {
            Ok(_) => Ok(Format::Text),
            Err(why) => Err(wrong(&format!("UTF-8: {why}"))),
        },
        "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => {
            Ok(Format::MessagePack)
        }
        // what curl sends unasked says nothing of the body
        "" | "application/octet-stream" | "application/x-www-form-urlencoded" => Ok(Format::Raw),
        other => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!(
                "Content-Type {other} is not known; there are application/json, application/msgpack, text/plain and \
                 application/octet-stream"
            ),
        )),
    }
}

async fn publish_one(
    request: &HttpRequest,
    topic: &TopicName<'_>,
    format: Format,
    payload: &[u8],
    options: PublishOptions<'_>,
) -> Result<Position, Problem> {
    let session = open(request, Codec::MessagePack)?;
    let options = (options != PublishOptions::default()).then(|| Box::new(options));
    session.send(&ClientPacket::Publish(Publish {
        topic: topic.as_str().into(),
        format,
        payload: payload.into(),
        id: 1,
        options,
    }));
    let packets = session.receive().await.ok_or_else(Problem::unavailable)?;
    match Codec::MessagePack.broker_packet(&packets, usize::MAX) {
        Ok(Some((BrokerPacket::Published(Published { code, position, .. }), _))) if code.is_ok() => {
            Ok(position)
        }
        Ok(Some((BrokerPacket::Published(Published { code, reason, .. }), _))) => {
            Err(Problem::from_code(code, reason.as_deref().unwrap_or(code.text())))
        }
        Ok(Some((BrokerPacket::Disconnect(end), _))) => Err(Problem::from_code(end.code, &end.reason)),
        _ => Err(Problem::unavailable()),
    }
}

/// Reads the last values of all topics that match.
async fn snapshot(
    request: &HttpRequest,
    filter: &str,
    codec: Codec,
    mut found: impl FnMut(BrokerPacket<'_>),
) -> Result<(), Problem> {
    let session = open(request, codec)?;
    let options = SubscribeOptions { from: Some(From::Last), ..Default::default() };
    session.send(&ClientPacket::Subscribe(Box::new(Subscribe { sub: 1, filter: filter.into(), options })));
    while let Some(packets) = session.receive().await {
        let mut rest = packets.as_slice();
        while let Ok(Some((packet, behind))) = codec.broker_packet(rest, usize::MAX) {
            match packet {
                BrokerPacket::CaughtUp(_) => return Ok(()),
                BrokerPacket::Subscribed(answer) if !answer.code.is_ok() => {
                    let reason = answer.reason.as_deref().unwrap_or(answer.code.text());
                    return Err(Problem::from_code(answer.code, reason));
                }
                packet => found(packet),
            }
            rest = behind;
        }
    }
    Err(Problem::unavailable())
}

/// A session for a request.
fn open(request: &HttpRequest, codec: Codec) -> Result<LocalSession, Problem> {
    let local = request.app_data::<Local>().ok_or_else(Problem::unavailable)?;
    LocalSession::open(local, codec).map_err(|_| Problem::unavailable())
}

/// A value as the answer to a request.
fn response(message: &Message<'_>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response
        .content_type(message.format.media_type())
        .insert_header(("Murre-Position", message.position.get().to_string()))
        .insert_header(("Murre-Time", message.time.millis().to_string()))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some(time) = message.options.as_ref().and_then(|options| options.time) {
        response.insert_header(("Murre-Source-Time", time.millis().to_string()));
    }
    response.body(message.payload.to_vec())
}
