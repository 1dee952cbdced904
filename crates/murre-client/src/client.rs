//! The handle of a client.

use std::sync::Arc;

use murre_protocol::Timestamp;

use crate::{
    builder::ClientBuilder,
    clock,
    error::{ClientClosed, SubscribeError},
    event::Events,
    message::Message,
    presence::{Presence, PresenceStream},
    publish::PublishBuilder,
    request::{RequestBuilder, Requests},
    shared::Shared,
    spool::{SpoolStatus, worker::Handle},
    subscribe::SubscribeBuilder,
};

/// A client of a broker: publishes, subscribes, asks and answers over one connection, which a background task keeps
/// and makes again when it breaks.
///
/// Handles are cheap to clone and may be used from any task or thread. When the last one is dropped, the connection
/// is closed cleanly in the background, as by [`close`](Client::close), and its subscriptions end.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    requests: Requests,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close(self.shared.config.close_timeout);
    }
}

impl Client {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { inner: Arc::new(Inner { shared, requests: Requests::default() }) }
    }

    /// Begins to build a client of the broker at `url`: `ws://host:port/ws`, or `wss://` for TLS; the path is `/ws`
    /// where the URL has none.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url.into())
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Begins a publish to `topic`: options first, then the payload, then `.await`.
    ///
    /// ```no_run
    /// # async fn example(client: murre_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let published = client.publish("site/a/temp").retain().json(&21.4)?.await?;
    /// println!("the broker has it at {:?}", published.position);
    /// client.publish("site/a/noise").unacknowledged().text("quiet").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish(&self, topic: impl Into<String>) -> PublishBuilder {
        PublishBuilder::new(Arc::clone(self.shared()), topic.into())
    }

    /// Begins a subscription to the topics that `filter` matches (`+` is one level, `#` the rest,
    /// `$share/<group>/<filter>` shares the messages among the group): options first, then `.await`.
    pub fn subscribe(&self, filter: impl Into<String>) -> SubscribeBuilder {
        SubscribeBuilder::new(Arc::clone(self.shared()), filter.into())
    }

    /// Begins a request to whoever answers on `topic`.
    ///
    /// ```no_run
    /// # async fn example(client: murre_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let answer = client.request("rpc/echo").json("hello")?.await?;
    /// println!("{}", answer.decode::<String>()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn request(&self, topic: impl Into<String>) -> RequestBuilder {
        RequestBuilder::new(self.clone(), topic.into())
    }

    /// Begins an answer to `message`, which is published where it asks for one, with its correlation. Where it asks
    /// for none, publishing gives [`PublishError::NoReplyTo`](crate::PublishError::NoReplyTo).
    ///
    /// ```no_run
    /// # async fn example(client: murre_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut questions = client.subscribe("rpc/echo").await?;
    /// while let Some(question) = questions.next().await {
    ///     let text: String = question.decode()?;
    ///     client.reply(&question).json(&format!("you said {text}"))?.await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn reply(&self, message: &Message) -> PublishBuilder {
        PublishBuilder::answer(Arc::clone(self.shared()), message)
    }

    /// Whether the client `client_id` is online: now, as far as the broker knows it, and whenever that changes.
    ///
    /// # Errors
    /// As for [`subscribe`](Client::subscribe).
    pub async fn presence(&self, client_id: impl AsRef<str>) -> Result<PresenceStream, SubscribeError> {
        Ok(PresenceStream::new(self.subscribe(Presence::filter(client_id.as_ref())).await?))
    }

    /// As [`presence`](Client::presence), of all clients.
    ///
    /// # Errors
    /// As for [`subscribe`](Client::subscribe).
    pub async fn presence_of_all(&self) -> Result<PresenceStream, SubscribeError> {
        self.presence("+").await
    }

    /// What happens to the connection, from its present state on.
    pub fn events(&self) -> Events {
        self.shared().events.stream()
    }

    /// The client's name; none until the broker gave one.
    pub fn client_id(&self) -> Option<String> {
        self.shared().session().client_id().map(str::to_owned)
    }

    /// Whether there is a connection just now.
    pub fn is_connected(&self) -> bool {
        self.shared().session().is_connected()
    }

    /// The present time by the broker's clock, as it said with the last connection: for the age of messages, whose
    /// [`time`](crate::Message::time) is the broker's. By the clock here before the first connection, and where the broker
    /// doesn't say.
    pub fn broker_time(&self) -> Timestamp {
        self.shared().clock.at(clock::now())
    }

    /// How many publishes wait to be sent or answered.
    pub fn pending(&self) -> usize {
        self.shared().session().pending()
    }

    /// How the [spool](crate::Spool) is; none where there is none.
    pub fn spool(&self) -> Option<SpoolStatus> {
        self.shared().spool.as_ref().map(Handle::status)
    }

    /// Closes the client, for all its handles: takes nothing new, sends what is pending and waits for the answers
    /// (for as long as `close_timeout` allows), says farewell (so that no will is published), and closes the
    /// connection. Gives the number of publishes that were not through by then: 0 when all went well. Those in the
    /// [spool](crate::Spool) stay there, and are sent when a client uses it again; its files are closed by then.
    ///
    /// Dropping the future doesn't stop the end; a second call waits for the same one.
    pub async fn close(&self) -> usize {
        self.shared().close(self.shared().config.close_timeout);
        self.shared().ended().await
    }

    /// Waits until the client has ended: closed here, or by a broker that doesn't want it back.
    pub async fn closed(&self) -> ClientClosed {
        self.shared().ended().await;
        self.shared().session().ended().cloned().unwrap_or_else(ClientClosed::by_us)
    }

    pub(crate) fn shared_handle(&self) -> Arc<Shared> {
        Arc::clone(self.shared())
    }

    pub(crate) fn requests(&self) -> &Requests {
        &self.inner.requests
    }
}
