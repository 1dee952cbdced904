//! What a client looks at: what it heard, and how its connection stands.

use murre_protocol::{Code, Position, packet::NoticeKind};

use super::{
    client::Client,
    said::{Answer, Delivery, Said},
};
use crate::session::Close;

impl Client {
    /// All that came, in order.
    pub fn heard(&self) -> Vec<Said> {
        self.with(|wire| wire.heard.clone())
    }

    /// What came since `seen`, for those that look often; moves `seen` on.
    pub fn heard_since(&self, seen: &mut usize) -> Vec<Said> {
        self.with(|wire| {
            let new = wire.heard.get(*seen..).unwrap_or_default().to_vec();
            *seen = wire.heard.len();
            new
        })
    }

    /// Whether CONNECTED came.
    pub fn is_connected(&self) -> bool {
        self.with(|wire| wire.heard.iter().any(|said| matches!(said, Said::Connected { .. })))
    }

    /// Whether a session was kept for it, as CONNECTED said, and for how many seconds it is to be.
    ///
    /// # Panics
    /// There was no CONNECTED.
    pub fn session(&self) -> (bool, u64) {
        let said = self.heard().into_iter();
        let mut said = said.filter_map(|said| match said {
            Said::Connected { session_present, session_expiry, .. } => {
                Some((session_present, session_expiry))
            }
            _ => None,
        });
        said.next().unwrap_or_else(|| panic!("there was no CONNECTED"))
    }

    /// The messages of a subscription.
    pub fn messages(&self, sub: u64) -> Vec<Delivery> {
        let said = self.heard().into_iter();
        said.filter_map(|said| match said {
            Said::Message(message) if message.sub == sub => Some(message),
            _ => None,
        })
        .collect()
    }

    /// The payloads of a subscription's messages.
    pub fn texts(&self, sub: u64) -> Vec<String> {
        self.messages(sub).iter().map(Delivery::text).collect()
    }

    /// Answers to its publishes.
    pub fn answers(&self) -> Vec<Answer> {
        let said = self.heard().into_iter();
        said.filter_map(|said| if let Said::Published(answer) = said { Some(answer) } else { None }).collect()
    }

    /// Answers to SUBSCRIBE.
    pub fn answers_to_subscribe(&self, number: u64) -> Vec<Code> {
        let said = self.heard().into_iter();
        said.filter_map(|said| match said {
            Said::Subscribed { sub, code, .. } if sub == number => Some(code),
            _ => None,
        })
        .collect()
    }

    /// The positions and count of each CAUGHT_UP of a subscription.
    pub fn caught_up(&self, number: u64) -> Vec<(Vec<Position>, u64)> {
        let said = self.heard().into_iter();
        said.filter_map(|said| match said {
            Said::CaughtUp { sub, positions, count } if sub == number => Some((positions, count)),
            _ => None,
        })
        .collect()
    }

    /// The messages that it was told to have been left out of a subscription.
    pub fn dropped(&self, number: u64) -> u64 {
        let said = self.heard().into_iter();
        said.map(|said| match said {
            Said::Notice { kind: NoticeKind::Dropped, sub, count, .. } if sub == Some(number) => count,
            _ => 0,
        })
        .sum()
    }

    /// The code of the DISCONNECT that came.
    pub fn disconnected(&self) -> Option<Code> {
        self.heard().into_iter().find_map(|said| match said {
            Said::Disconnect { code, .. } => Some(code),
            _ => None,
        })
    }

    /// How the broker closed the connection.
    pub fn closed(&self) -> Option<Close> {
        self.with(|wire| wire.closed.clone())
    }

    /// Whether the connection is no more.
    pub fn is_gone(&self) -> bool {
        self.with(|wire| wire.gone)
    }

    /// Bytes that wait for it at the broker.
    pub fn waiting(&self) -> usize {
        let (worker, key) = self.with(|wire| (wire.worker, wire.key));
        self.world.borrow_mut().with_hub(worker, |_, hub, _| hub.waiting(key))
    }

    /// The most bytes that ever waited for it at the broker.
    pub fn waiting_max(&self) -> usize {
        self.with(|wire| wire.waiting_max)
    }

    /// WebSocket messages that the broker has not read.
    pub fn unread(&self) -> usize {
        self.with(|wire| wire.outgoing.len())
    }
}
