//! Request and reply.

use std::{fmt::Write, future::IntoFuture, sync::Arc, time::Duration};

use bytes::Bytes;
use murre_protocol::{
    Format,
    packet::{From as WireFrom, SubscribeOptions},
};
use serde::Serialize;
use tokio::sync::{Mutex, oneshot};

use crate::{
    client::Client,
    error::{ClientClosed, EncodeError, RequestError},
    event::Event,
    message::Message,
    payload,
    publish::{BoxFuture, PublishBuilder},
    replies::Replies,
    subscribe::{Registration, granted},
    subscription_state::{Route, Wanted},
};

/// How long an answer may take where it isn't said.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A request before it has its payload: from [`Client::request`](crate::Client::request).
#[derive(Debug)]
#[must_use = "a request needs a payload, and then .await"]
pub struct RequestBuilder {
    client: Client,
    topic: String,
    publish: PublishBuilder,
    timeout: Duration,
}

impl RequestBuilder {
    pub(crate) fn new(client: Client, topic: String) -> Self {
        let publish = client.publish(topic.as_str()).in_memory();
        Self { client, topic, publish, timeout: TIMEOUT }
    }

    /// How long the answer may take, the way to the broker included; 10 s where it isn't said.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// A property of the application's own; may be called several times.
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.publish = self.publish.property(key, value);
        self
    }

    /// The payload as JSON.
    ///
    /// # Errors
    /// Where `value` has no JSON form.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Request, EncodeError> {
        Ok(self.payload(Format::Json, payload::json(value)?))
    }

    /// The payload as MessagePack, structs as maps by their fields' names.
    ///
    /// # Errors
    /// Where `value` has no MessagePack form.
    pub fn msgpack<T: Serialize + ?Sized>(self, value: &T) -> Result<Request, EncodeError> {
        Ok(self.payload(Format::MessagePack, payload::msgpack(value)?))
    }

    /// The payload as text.
    pub fn text(self, text: impl Into<String>) -> Request {
        self.payload(Format::Text, text.into())
    }

    /// The payload as raw bytes.
    pub fn bytes(self, bytes: impl Into<Bytes>) -> Request {
        self.payload(Format::Raw, bytes)
    }

    /// The payload as it is, to be read as `format`.
    pub fn payload(self, format: Format, payload: impl Into<Bytes>) -> Request {
        Request { builder: self, format, payload: payload.into() }
    }
}

/// A request that has all it needs: `.await` it for the answer. Dropping the future lets the answer go.
///
/// The request is published as an acknowledged publish. An answer that is published while this client has no
/// connection is lost; the request then ends by its timeout.
#[derive(Debug)]
#[must_use = "a request is sent by .await"]
pub struct Request {
    builder: RequestBuilder,
    format: Format,
    payload: Bytes,
}

impl Request {
    /// How long the answer may take, the way to the broker included; 10 s where it isn't said.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.builder.timeout = timeout;
        self
    }

    async fn ask(self) -> Result<Message, RequestError> {
        let (topic, after) = (self.builder.topic.clone(), self.builder.timeout);
        let answer = tokio::time::timeout(after, self.ask_patiently()).await;
        answer.unwrap_or(Err(RequestError::Timeout { topic, after }))
    }

    async fn ask_patiently(self) -> Result<Message, RequestError> {
        let RequestBuilder { client, publish, .. } = self.builder;
        let replies = client.requests().replies(&client).await?;
        let mut pending = replies.expect()?;
        let publish = publish.reply_to(replies.topic()).correlation(pending.correlation());
        let acknowledgement = publish.payload(self.format, self.payload).enqueue().await?;
        // The answer may overtake the acknowledgement.
        tokio::select! {
            refused = async { acknowledgement.await.err() } => {
                if let Some(error) = refused {
                    return Err(error.into());
                }
            }
            answer = pending.answer() => return answer.ok_or_else(|| ClientClosed::by_us().into()),
        }
        pending.answer().await.ok_or_else(|| ClientClosed::by_us().into())
    }
}

impl IntoFuture for Request {
    type Output = Result<Message, RequestError>;
    type IntoFuture = BoxFuture<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.ask())
    }
}

/// The one subscription that brings the answers to all requests of a client; made when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    subscription: Mutex<Option<ReplySubscription>>,
}

#[derive(Debug)]
struct ReplySubscription {
    replies: Arc<Replies>,
    _registration: Registration,
}

impl Requests {
    /// The replies' place, with a subscription that the broker has granted.
    async fn replies(&self, client: &Client) -> Result<Arc<Replies>, RequestError> {
        let mut subscription = self.subscription.lock().await;
        if let Some(made) = subscription.as_ref().filter(|made| !made.replies.has_ended()) {
            return Ok(Arc::clone(&made.replies));
        }
        let made = subscribe(client).await?;
        let replies = Arc::clone(&made.replies);
        *subscription = Some(made);
        Ok(replies)
    }
}

async fn subscribe(client: &Client) -> Result<ReplySubscription, RequestError> {
    let topic = format!("reply/{}/{}", known_client_id(client).await?, random_level()?);
    let replies = Arc::new(Replies::new(topic.clone()));
    let options = SubscribeOptions { from: Some(WireFrom::Live), ..Default::default() };
    let route = Route::Replies(Arc::clone(&replies));
    let (answer, granting) = oneshot::channel();
    let wanted = Wanted { filter: topic, options, after: None, resumes: false, route, answer };
    let registration = Registration::begin(client.shared_handle(), wanted)?;
    granted(granting).await?;
    Ok(ReplySubscription { replies, _registration: registration })
}

/// The client's name, waiting for the first connection where the broker has yet to give one.
async fn known_client_id(client: &Client) -> Result<String, RequestError> {
    let mut events = client.events();
    loop {
        if let Some(client_id) = client.client_id() {
            return Ok(client_id);
        }
        if matches!(events.next().await, None | Some(Event::Closed)) {
            return Err(client.closed().await.into());
        }
    }
}

/// A level that nobody else can guess: 128 random bits.
fn random_level() -> Result<String, RequestError> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| RequestError::Random(error.to_string()))?;
    Ok(random.iter().fold(String::with_capacity(32), |mut level, byte| {
        // Writing to a String can't fail.
        let _ = write!(level, "{byte:02x}");
        level
    }))
}
