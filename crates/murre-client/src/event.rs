//! What happens to the connection, as a stream.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::Stream;
use murre_protocol::{Code, packet::NoticeKind};

use crate::inbox::{Bounds, Inbox, Queued};

/// Something that happened to the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An attempt to connect begins.
    Connecting {
        /// 1 for the first attempt after the start or after a connection.
        attempt: u32,
    },
    /// The broker took the client.
    Connected {
        /// The client's name, given by the broker where it had none.
        client_id: String,
        /// The broker's name and version.
        server: String,
        /// Names the run of positions that the broker gives.
        epoch: String,
        /// Whether the broker had kept this client's session. Where it had, acknowledged subscriptions go on by
        /// themselves; where it hadn't, all are asked for anew.
        session_present: bool,
    },
    /// The connection, or an attempt to make one, ended.
    Disconnected {
        /// The broker's code, where it gave one.
        code: Option<Code>,
        /// Why, for people.
        reason: String,
        /// When the next attempt begins; none: there will be no other.
        retry_in: Option<Duration>,
    },
    /// The broker tells something.
    Notice {
        /// What it is about.
        kind: NoticeKind,
        /// The filter of the subscription that it concerns.
        filter: Option<String>,
        /// How many messages.
        count: Option<u64>,
        /// Why, for people.
        reason: String,
        /// The code of a refusal.
        code: Option<Code>,
    },
    /// Publishes were left out because the outgoing buffer or the spool was full, or because the broker doesn't take packets of
    /// their size.
    Dropped {
        /// How many.
        count: u64,
    },
    /// The broker refused a message of the [spool](crate::Spool) for good: sending it again could never help. It is no
    /// longer in the spool, so that it blocks nothing.
    SpoolRefused {
        /// Where it was to go.
        topic: String,
        /// Its sequence.
        sequence: u64,
        /// Why, as a code.
        code: Code,
        /// Why, in the broker's words.
        reason: String,
    },
    /// This stream was not read fast enough; so many events are missing here.
    Missed {
        /// How many.
        count: u64,
    },
    /// The client has ended; nothing comes after this.
    Closed,
}

impl Queued for Event {}

/// Events that a stream holds for its reader.
const EVENTS_MAX: usize = 256;

/// The events of a client, from the present state on; ends after [`Event::Closed`].
#[derive(Debug)]
pub struct Events {
    inbox: Arc<Inbox<Event>>,
}

impl Events {
    /// The next event; none after [`Event::Closed`]. Cancellation safe.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| self.poll_event(context)).await
    }

    /// Logs (by `tracing`) when the connection goes and when it is there again, and what is left out; ends when the client
    /// is closed. For programs that want no more than that: `tokio::spawn(client.events().log())`.
    pub async fn log(mut self) {
        let mut away = false;
        while let Some(event) = self.next().await {
            match event {
                Event::Connected { .. } if away => {
                    away = false;
                    tracing::info!("connected again");
                }
                // Once: the attempts that follow say the same.
                Event::Disconnected { reason, .. } if !away => {
                    away = true;
                    tracing::warn!(reason, "disconnected");
                }
                Event::Dropped { count } => tracing::warn!(count, "the buffer was full: messages dropped"),
                _ => {}
            }
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        match self.inbox.take_dropped() {
            0 => self.inbox.poll_next(context),
            count => Poll::Ready(Some(Event::Missed { count })),
        }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(context)
    }
}

/// Spreads events over the streams.
#[derive(Debug, Default)]
pub(crate) struct EventHub {
    state: Mutex<HubState>,
}

#[derive(Debug, Default)]
struct HubState {
    streams: Vec<Weak<Inbox<Event>>>,
    /// The present state of the connection, with which a new stream begins.
    present: Option<Event>,
}

impl EventHub {
    /// Tells all streams.
    pub(crate) fn emit(&self, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.streams.retain(|stream| match stream.upgrade() {
            Some(inbox) => {
                give(&inbox, event.clone());
                true
            }
            None => false,
        });
        if !matches!(event, Event::Notice { .. } | Event::Dropped { .. } | Event::SpoolRefused { .. }) {
            state.present = Some(event);
        }
    }

    /// A new stream.
    pub(crate) fn stream(&self) -> Events {
        let inbox = Arc::new(Inbox::new(Bounds { items: EVENTS_MAX, bytes: usize::MAX }));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(present) = &state.present {
            give(&inbox, present.clone());
        }
        state.streams.retain(|stream| stream.strong_count() > 0);
        state.streams.push(Arc::downgrade(&inbox));
        Events { inbox }
    }
}

fn give(inbox: &Inbox<Event>, event: Event) {
    match event {
        // A full buffer leaves out thousands; one event says how many.
        Event::Dropped { count: more } => inbox.merge_or_push(event, |newest| match newest {
            Event::Dropped { count } => {
                *count += more;
                true
            }
            _ => false,
        }),
        Event::Closed => {
            inbox.push(event, 0);
            inbox.end();
        }
        _ => inbox.push(event, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_begins_with_the_present_state_and_ends_after_closed() {
        let hub = EventHub::default();
        hub.emit(Event::Connecting { attempt: 3 });
        let mut events = hub.stream();
        hub.emit(Event::Closed);
        assert_eq!(events.next().await, Some(Event::Connecting { attempt: 3 }));
        assert_eq!(events.next().await, Some(Event::Closed));
        assert_eq!(events.next().await, None);
    }

    #[tokio::test]
    async fn a_stream_made_after_the_end_says_so_and_ends() {
        let hub = EventHub::default();
        hub.emit(Event::Closed);
        let mut events = hub.stream();
        assert_eq!((events.next().await, events.next().await), (Some(Event::Closed), None));
    }

    #[tokio::test]
    async fn dropped_publishes_in_a_row_are_one_event() {
        let hub = EventHub::default();
        let mut events = hub.stream();
        hub.emit(Event::Dropped { count: 1 });
        hub.emit(Event::Dropped { count: 4 });
        assert_eq!(events.next().await, Some(Event::Dropped { count: 5 }));
    }

    #[tokio::test]
    async fn a_stream_that_is_not_read_says_how_much_it_missed() {
        let hub = EventHub::default();
        let mut events = hub.stream();
        for attempt in 0..(EVENTS_MAX as u32 + 2) {
            hub.emit(Event::Connecting { attempt });
        }
        assert_eq!(events.next().await, Some(Event::Missed { count: 2 }));
        assert_eq!(events.next().await, Some(Event::Connecting { attempt: 2 }));
    }
}
