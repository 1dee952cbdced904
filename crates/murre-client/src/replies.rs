//! Which answer belongs to which request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{error::RequestError, message::Message};

/// The most requests that may wait for an answer at a time.
pub(crate) const REQUESTS_MAX: usize = 65_536;

/// The requests that wait for an answer on one reply topic.
#[derive(Debug)]
pub(crate) struct Replies {
    topic: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<u64, oneshot::Sender<Message>>,
    last: u64,
    ended: bool,
}

impl Replies {
    pub(crate) fn new(topic: String) -> Self {
        Self { topic, state: Mutex::default() }
    }

    /// Where answers are to be published.
    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one answer.
    pub(crate) fn expect(self: &Arc<Self>) -> Result<PendingReply, RequestError> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        if state.waiting.len() >= REQUESTS_MAX {
            return Err(RequestError::TooMany { max: REQUESTS_MAX });
        }
        state.last += 1;
        let number = state.last;
        // After the end the sender is dropped here, so the receiver knows at once.
        if !state.ended {
            state.waiting.insert(number, sender);
        }
        drop(state);
        Ok(PendingReply { replies: Arc::clone(self), number, receiver })
    }

    /// Hands an answer to its request. One that nobody waits for any longer is let go.
    pub(crate) fn deliver(&self, message: Message) {
        let number =
            message.correlation().and_then(|bytes| bytes.as_ref().try_into().ok()).map(u64::from_be_bytes);
        let waiting = number.and_then(|number| self.state().waiting.remove(&number));
        match waiting {
            // An error means that the request was dropped just now.
            Some(request) => drop(request.send(message)),
            None => tracing::debug!("an answer came that no request waits for"),
        }
    }

    /// No answers will come any more.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.waiting.clear();
    }

    /// Whether [`end`](Replies::end) was called.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().ended
    }
}

/// A request's place among those that wait; given up when it is dropped.
#[derive(Debug)]
pub(crate) struct PendingReply {
    replies: Arc<Replies>,
    number: u64,
    receiver: oneshot::Receiver<Message>,
}

impl PendingReply {
    /// What the answer has to hand back.
    pub(crate) fn correlation(&self) -> Bytes {
        Bytes::copy_from_slice(&self.number.to_be_bytes())
    }

    /// The answer; none when the client ended before.
    pub(crate) async fn answer(&mut self) -> Option<Message> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        self.replies.state().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use murre_protocol::{Format, Position, Timestamp, packet};

    use super::*;

    fn answer(correlation: Option<&Bytes>, text: &str) -> Message {
        let options = packet::MessageOptions {
            correlation: correlation.map(|bytes| bytes.to_vec().into()),
            ..Default::default()
        };
        let message = packet::Message {
            topic: "reply/x".into(),
            format: Format::Text,
            payload: text.as_bytes().into(),
            time: Timestamp::default(),
            position: Position::NONE,
            options: Some(Box::new(options)),
        };
        Message::from_wire(message, &Bytes::new())
    }

    #[test]
    fn answers_find_their_requests_in_any_order() {
        let replies = Arc::new(Replies::new("reply/x".into()));
        let (mut first, mut second) = (replies.expect().unwrap(), replies.expect().unwrap());
        replies.deliver(answer(Some(&second.correlation()), "second"));
        replies.deliver(answer(Some(&first.correlation()), "first"));
        let texts = [first.answer().now_or_never(), second.answer().now_or_never()];
        assert_eq!(texts.map(|m| m.unwrap().unwrap().decode::<String>().unwrap()), ["first", "second"]);
    }

    #[test]
    fn a_dropped_request_leaves_nothing_behind() {
        let replies = Arc::new(Replies::new("reply/x".into()));
        let correlation = replies.expect().unwrap().correlation();
        assert!(replies.state().waiting.is_empty());
        replies.deliver(answer(Some(&correlation), "late"));
        replies.deliver(answer(None, "without a correlation"));
    }

    #[test]
    fn requests_end_with_the_client() {
        let replies = Arc::new(Replies::new("reply/x".into()));
        let mut before = replies.expect().unwrap();
        replies.end();
        let mut after = replies.expect().unwrap();
        assert_eq!(before.answer().now_or_never(), Some(None));
        assert_eq!(after.answer().now_or_never(), Some(None));
    }
}
