//! What has to be true of all that was heard.

use std::collections::{BTreeMap, HashMap, HashSet};

use murre_protocol::Position;

use super::{
    record::Record,
    session::{Received, Replay, Session, Subscription},
};

/// What a subscription's client can be expected to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// All that was published.
    Everything,
    /// All up to some point.
    UpToAPoint,
    /// What was left out may not have been told.
    Anything,
}

/// Checks every subscription of a session at the end of a run.
pub(crate) fn check_session(session: &Session, record: &Record, inflight_max: usize) {
    for (id, position) in &session.answers {
        assert_eq!(
            record.at(*position).payload,
            session.asked[id],
            "the answer to publish {id} names its position"
        );
    }
    for (sub, subscription) in &session.subscriptions {
        let wanted = record.wanted(&subscription.filter);
        let open = session.is_open() && !subscription.unsubscribed;
        for (place, replay) in subscription.replays.iter().enumerate() {
            let last = place + 1 == subscription.replays.len();
            let reach = reach(session, subscription, open && last, inflight_max);
            let (ended, disconnected) = (session.ended, session.disconnected);
            let name = format!(
                "client{}, subscription {sub} ({}), replay {place} of {}, ended {ended:?}, disconnected {disconnected:?}, {reach:?}",
                session.id,
                subscription.text,
                subscription.replays.len(),
            );
            check_contents(replay, &wanted, record, &name);
            if subscription.group.is_none() {
                let missing = check_live(replay, &wanted, record, reach, &name)
                    + check_snapshot(replay, &wanted, record, reach, &name);
                let told = if reach == Reach::Anything { u64::MAX } else { subscription.dropped };
                assert!(missing <= told, "{name}: {missing} messages are missing, {told} were told");
            }
            if reach == Reach::Everything {
                assert!(replay.caught_up.is_some(), "{name}: CAUGHT_UP is missing");
            }
        }
    }
}

fn reach(session: &Session, subscription: &Subscription, current: bool, inflight_max: usize) -> Reach {
    let unacknowledged = subscription.unacknowledged.len();
    assert!(unacknowledged <= inflight_max, "{unacknowledged} messages are unacknowledged");
    match (current, session.ever_stalled) {
        (true, _) if unacknowledged == inflight_max => Reach::UpToAPoint,
        (true, _) => Reach::Everything,
        (false, true) => Reach::Anything,
        (false, false) => Reach::UpToAPoint,
    }
}

/// Every message is one that was published and that the filter wants.
fn check_contents(replay: &Replay, wanted: &[bool], record: &Record, name: &str) {
    for message in &replay.messages {
        let entry = record.at(message.position);
        assert_eq!(message.topic, record.topics[entry.topic], "{name}: {:?}", message.position);
        assert!(message.payload == entry.payload, "{name}: {:?} has another payload", message.position);
        assert!(wanted[entry.topic], "{name}: nobody wanted {}", message.topic);
    }
}

/// After CAUGHT_UP everything comes. Says how much is missing.
fn check_live(replay: &Replay, wanted: &[bool], record: &Record, reach: Reach, name: &str) -> u64 {
    let Some(caught_up) = &replay.caught_up else { return 0 };
    let mut missing = 0;
    for from in caught_up {
        let came: HashSet<u64> =
            of_shard(&replay.messages, *from).map(|message| message.position.offset()).collect();
        let newest = came.iter().max().copied().unwrap_or_default();
        let Some(entries) = record.shards.get(&from.shard()) else { continue };
        for (place, entry) in entries.iter().enumerate().skip(from.offset() as usize) {
            let offset = place as u64 + 1;
            if reach != Reach::Everything && offset > newest {
                break;
            }
            missing += u64::from(wanted[entry.topic] && !came.contains(&offset));
        }
    }
    assert!(caught_up.len() == 16, "{name}: {} positions", caught_up.len());
    missing
}

/// Up to CAUGHT_UP each topic comes at its newest, and what was shown and deleted meanwhile is told. Says how many
/// topics are not as they should be.
fn check_snapshot(replay: &Replay, wanted: &[bool], record: &Record, reach: Reach, name: &str) -> u64 {
    let Some(caught_up) = &replay.caught_up else { return 0 };
    if !replay.is_of_last_values || reach == Reach::Anything {
        return 0;
    }
    let mut wrong = 0;
    for seam in caught_up {
        let mut shown: HashMap<&str, Position> = HashMap::new();
        for message in of_shard(&replay.messages, *seam).filter(|message| message.position <= *seam) {
            shown.insert(&message.topic, message.position);
        }
        let mut newest: BTreeMap<usize, u64> = BTreeMap::new();
        let entries = record.shards.get(&seam.shard()).map(Vec::as_slice).unwrap_or_default();
        for (place, entry) in entries.iter().enumerate().take(seam.offset() as usize) {
            newest.insert(entry.topic, place as u64 + 1);
        }
        for (topic, offset) in newest.into_iter().filter(|(topic, _)| wanted[*topic]) {
            let entry = &entries[offset as usize - 1];
            let gone = entry.payload.is_empty() || entry.payload.contains(r#""state":"offline""#);
            let shown = shown.get(record.topics[topic].as_str()).map(|position| position.offset());
            let right = shown == Some(offset) || (gone && shown.is_none());
            wrong += u64::from(!right);
            assert!(shown <= Some(offset), "{name}: from after the seam");
        }
    }
    wrong
}

fn of_shard(messages: &[Received], of: Position) -> impl Iterator<Item = &Received> {
    messages.iter().filter(move |message| message.position.shard() == of.shard())
}

/// No message of a group went to two of its members.
pub(crate) fn check_groups(sessions: &[Session]) {
    let mut seen: HashSet<(&str, Position)> = HashSet::new();
    for subscription in sessions.iter().flat_map(|session| session.subscriptions.values()) {
        let Some(group) = &subscription.group else { continue };
        for message in subscription.replays.iter().flat_map(|replay| &replay.messages) {
            assert!(seen.insert((group, message.position)), "{group}: {:?} came twice", message.position);
        }
    }
}

/// What each client published is in the record once, in its order.
pub(crate) fn check_publishers(sessions: &[Session], record: &Record) {
    let mut counts = vec![0; sessions.len()];
    for entries in record.shards.values() {
        let mut newest: HashMap<usize, usize> = HashMap::new();
        for entry in entries {
            let Some((publisher, number)) = entry.payload.split_once(':') else { continue };
            let Ok(publisher) = publisher.parse::<usize>() else { continue };
            let number: usize =
                number.split('.').next().and_then(|text| text.parse().ok()).unwrap_or_default();
            let before = newest.insert(publisher, number);
            assert!(before < Some(number), "message {number} of session {publisher} came after {before:?}");
            counts[publisher] += 1;
        }
    }
    for (place, (session, count)) in sessions.iter().zip(counts).enumerate() {
        assert!(count <= session.published);
        if session.is_open() {
            assert_eq!(count, session.published, "publishes of session {place} that arrived");
        }
    }
}

/// Presence: online first, and nobody goes offline twice, but for a session that expires.
pub(crate) fn check_presence(record: &Record) {
    for topic in record.topics.iter().filter(|topic| topic.starts_with("$murre/clients/")) {
        let mut online = false;
        for payload in record.payloads(topic) {
            let now = payload.contains(r#""state":"online""#);
            assert!(now || online || payload.contains("expired"), "{topic}: offline twice");
            online = now;
        }
        assert!(!online || topic.ends_with("observer"), "{topic} is online after all have gone");
    }
}
