//! How a kept session stands in the state of its client's shard: a value for the session, one for each subscription.

use std::{collections::BTreeMap, sync::Arc};

use murre_protocol::{
    ClientId, Codec, Timestamp, TopicFilter,
    packet::{ClientPacket, Subscribe, SubscribeOptions, ViewOptions},
};

use super::{Begins, Cursor, Debt, KeptSession, KeptStage, KeptSubscription, ShardState};
use crate::{
    ids::KeptSessionId,
    log::{ShardStart, StateValue},
};

/// What the key of a session begins with; the client id follows.
const SESSION_KEY: &[u8] = b"s";
/// What the key of a subscription begins with; the client id follows, a zero, and the client's number for it.
const SUBSCRIPTION_KEY: &[u8] = b"k";

/// A change of a shard's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose session it is of.
    pub client: ClientId,
    /// Which value.
    pub key: Vec<u8>,
    /// The value; none: it goes.
    pub value: Option<Vec<u8>>,
}

impl Change {
    /// A session's own value.
    pub fn session(client: &ClientId, session: Option<&KeptSession>) -> Self {
        let key = [SESSION_KEY, client.as_str().as_bytes()].concat();
        Self { client: client.clone(), key, value: session.map(encode_session) }
    }

    /// The value of one of its subscriptions.
    pub fn subscription(client: &ClientId, sub: u64, subscription: Option<&KeptSubscription>) -> Self {
        let key = [SUBSCRIPTION_KEY, client.as_str().as_bytes(), &[0], &sub.to_be_bytes()].concat();
        Self { client: client.clone(), key, value: subscription.map(encode_subscription) }
    }
}

/// The sessions that a log held when the process began.
#[derive(Debug, Default)]
pub struct Restored {
    /// In an order that all workers have alike.
    pub sessions: Vec<RestoredSession>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct RestoredSession {
    /// Whose.
    pub client: ClientId,
    /// The shard that has the client's record.
    pub shard: u8,
    /// What was kept.
    pub session: KeptSession,
}

impl Restored {
    /// Reads what all shards held. What can't be read, or has no session any more, is left out.
    pub fn read(starts: &[ShardStart]) -> Self {
        let mut sessions: Vec<RestoredSession> = Vec::new();
        for (shard, start) in (0..).zip(starts) {
            let mut found = sessions_of(&start.state, shard);
            for value in &start.state {
                let Some((client, sub)) = subscription_key(&value.key) else { continue };
                let Some((_, session)) = found.get_mut(client) else { continue };
                if let Some(kept) = decode_subscription(&value.value, session.numbers, starts.len()) {
                    session.numbers += 1;
                    kept.shards.iter().for_each(|state| session.debt.add(state.debt));
                    session.subscriptions.insert(sub, kept);
                }
            }
            let found = found.into_values();
            sessions.extend(found.map(|(client, session)| RestoredSession { client, shard, session }));
        }
        Self { sessions }
    }
}

fn sessions_of(state: &[StateValue], shard: u8) -> BTreeMap<&[u8], (ClientId, KeptSession)> {
    let mut found = BTreeMap::new();
    for value in state {
        let Some(id) = value.key.strip_prefix(SESSION_KEY) else { continue };
        let Some(client) = std::str::from_utf8(id).ok().and_then(|id| ClientId::parse(id).ok()) else {
            continue;
        };
        let id_of_session = KeptSessionId { shard, number: found.len() as u64 };
        if let Some(session) = decode_session(&value.value, id_of_session) {
            found.insert(id, (client, session));
        }
    }
    found
}

fn subscription_key(key: &[u8]) -> Option<(&[u8], u64)> {
    let rest = key.strip_prefix(SUBSCRIPTION_KEY)?;
    let (front, sub) = rest.split_last_chunk::<8>()?;
    Some((front.strip_suffix(&[0])?, u64::from_be_bytes(*sub)))
}

fn encode_session(session: &KeptSession) -> Vec<u8> {
    let mut value = Vec::new();
    put(&mut value, session.expiry);
    put(&mut value, session.ended.map_or(0, Timestamp::millis));
    value
}

fn decode_session(mut value: &[u8], id: KeptSessionId) -> Option<KeptSession> {
    let (expiry, ended) = (take(&mut value)?, take(&mut value)?);
    let ended = (ended > 0).then(|| Timestamp::from_millis(ended));
    Some(KeptSession { ended, ..KeptSession::new(id, expiry) })
}

fn encode_subscription(subscription: &KeptSubscription) -> Vec<u8> {
    let mut value = Vec::new();
    let begins = match subscription.begins {
        Begins::Live => (0, 0),
        Begins::Last => (1, 0),
        Begins::LastN(n) => (2, n),
        Begins::Since(time) => (3, time.millis()),
    };
    let filter = subscription.filter.as_str();
    for number in [begins.0, begins.1, subscription.limited, filter.len() as u64] {
        put(&mut value, number);
    }
    value.extend_from_slice(filter.as_bytes());
    for state in &subscription.shards {
        put(&mut value, state.cursor.kept);
        put(&mut value, state.cursor.begun);
        put(&mut value, state.debt.messages);
        put(&mut value, state.debt.bytes);
    }
    if let Some(view) = &subscription.view {
        encode_view(view, &mut value);
    }
    value
}

/// A view follows all else, as the SUBSCRIBE that asks for it: what was written before there were any ends there.
fn encode_view(view: &ViewOptions<'static>, value: &mut Vec<u8>) {
    let options = SubscribeOptions { view: Some(Box::new(view.clone())), ..Default::default() };
    let subscribe = Subscribe { sub: 0, filter: "#".into(), options };
    Codec::MessagePack.write_client(&ClientPacket::Subscribe(Box::new(subscribe)), value);
}

fn decode_view(value: &[u8]) -> Option<Arc<ViewOptions<'static>>> {
    match Codec::MessagePack.client_packet(value, usize::MAX).ok()?? {
        (ClientPacket::Subscribe(subscribe), _) => Some(Arc::new(subscribe.options.view?.into_owned())),
        _ => None,
    }
}

fn decode_subscription(mut value: &[u8], number: u64, shards: usize) -> Option<KeptSubscription> {
    let value = &mut value;
    let begins = match (take(value)?, take(value)?) {
        (0, _) => Begins::Live,
        (1, _) => Begins::Last,
        (2, n) => Begins::LastN(n),
        (3, time) => Begins::Since(Timestamp::from_millis(time)),
        _ => return None,
    };
    let (limited, len) = (take(value)?, take(value)? as usize);
    let filter = std::str::from_utf8(value.split_off(..len)?).ok()?;
    let filter = TopicFilter::parse(filter).ok()?.into_owned();
    let mut state = || {
        let cursor = Cursor { kept: take(value)?, begun: take(value)? };
        let (messages, bytes) = (take(value)?, take(value)?);
        Some(ShardState { cursor, debt: Debt { messages, bytes } })
    };
    let shards = (0..shards).map(|_| state()).collect::<Option<Vec<_>>>()?;
    let view = if value.is_empty() { None } else { Some(decode_view(value)?) };
    Some(KeptSubscription { number, filter, begins, shards, limited, view, stage: KeptStage::Kept })
}

/// Appends a number, seven bits a byte, the low ones first.
fn put(value: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        value.push(number as u8 | 0x80);
        number >>= 7;
    }
    value.push(number as u8);
}

/// Takes a number off the front.
fn take(value: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *value.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A view for every other number.
    fn view(number: u64) -> Option<Arc<ViewOptions<'static>>> {
        let view = ViewOptions {
            max_rate: Some(0.5),
            condition: Some(format!("payload.v > {number}").into()),
            patch: true,
            ..Default::default()
        };
        (number % 2 == 1).then(|| Arc::new(view))
    }

    fn session(expiry: u64, subs: Vec<(u64, u64, u64)>) -> KeptSession {
        let mut session = KeptSession::new(KeptSessionId { shard: 0, number: 0 }, expiry);
        for (sub, cursor, messages) in subs {
            let state =
                ShardState { cursor: Cursor::at(cursor), debt: Debt { messages, bytes: messages * 3 } };
            let kept = KeptSubscription {
                number: 0,
                filter: TopicFilter::parse("site/+/t").unwrap().into_owned(),
                begins: Begins::LastN(sub),
                shards: vec![state; 16],
                limited: messages,
                view: view(messages),
                stage: KeptStage::Kept,
            };
            session.subscriptions.insert(sub, kept);
        }
        session
    }

    fn stored(client: &ClientId, session: &KeptSession) -> Vec<StateValue> {
        let subs = session.subscriptions.iter();
        let subs = subs.map(|(sub, kept)| Change::subscription(client, *sub, Some(kept)));
        let all = subs.chain([Change::session(client, Some(session))]);
        all.map(|change| StateValue { key: change.key.into(), value: change.value.unwrap().into() }).collect()
    }

    fn shards(first: ShardStart) -> Vec<ShardStart> {
        std::iter::once(first).chain((1..16).map(|_| ShardStart::default())).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(expiry: u64, subs: Vec<(u64, u64, u16)>) {
            let client = ClientId::parse("panel").unwrap();
            let subs = subs.into_iter().map(|(sub, cursor, n)| (sub, cursor, u64::from(n))).collect();
            let session = session(expiry, subs);
            let start = ShardStart { state: stored(&client, &session), ..Default::default() };
            let restored = Restored::read(&shards(start));
            let read = &restored.sessions[0].session;
            prop_assert_eq!(read.expiry, expiry);
            let same = read.subscriptions.iter().zip(&session.subscriptions).all(|((sub, read), (at, kept))| {
                sub == at && read.shards == kept.shards && read.filter == kept.filter && read.begins == kept.begins
                    && read.view == kept.view
            });
            prop_assert!(same && read.subscriptions.len() == session.subscriptions.len());
        }
    }

    #[test]
    fn one_that_was_written_before_there_were_views_is_read() {
        let client = ClientId::parse("panel").unwrap();
        let mut state = stored(&client, &session(60, vec![(1, 5, 2)]));
        // begins, limited, the filter and its length, and 16 shards of four numbers: nothing else
        assert_eq!(state[0].value.len(), 3 + 1 + "site/+/t".len() + 16 * 4);
        let start = ShardStart { state: state.clone(), ..Default::default() };
        assert_eq!(Restored::read(&shards(start)).sessions[0].session.subscriptions[&1].view, None);
        // a view that can't be read is not taken for none
        state[0].value = [&*state[0].value, b"\xc1"].concat().into();
        let start = ShardStart { state, ..Default::default() };
        assert!(Restored::read(&shards(start)).sessions[0].session.subscriptions.is_empty());
    }

    #[test]
    fn a_subscription_whose_session_is_gone_is_left_out() {
        let client = ClientId::parse("panel").unwrap();
        let mut state = stored(&client, &session(60, vec![(1, 2, 3)]));
        state.pop();
        let start = ShardStart { state, ..Default::default() };
        assert!(Restored::read(&shards(start)).sessions.is_empty());
    }
}
