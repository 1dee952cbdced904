//! Puts the messages of a subscription with `patch` together again: each has the whole value of its topic.
//!
//! Pure. A patch is always one to the topic's message before it on the same subscription, whatever was left out between
//! others: the broker sends a whole value behind each loss. So only a new connection makes what is known here void, and
//! not a NOTICE, which may come behind the whole value that followed the loss.

use std::collections::HashMap;

use bytes::Bytes;
use murre_protocol::{Format, Position, merge_patch};

use crate::message::Message;

/// How much is remembered of a subscription's topics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) topics: usize,
    /// Of the values, in bytes.
    pub(crate) bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { topics: 65_536, bytes: 64 << 20 }
    }
}

/// The last whole value of each topic.
#[derive(Debug, Default)]
pub(crate) struct Patches {
    values: HashMap<Box<str>, (Format, Bytes)>,
    bytes: usize,
    limits: Limits,
}

impl Patches {
    /// The message with its topic's whole value; none where it is a patch to a value that isn't known. Takes each
    /// message, in the order of the subscription.
    pub(crate) fn whole(&mut self, message: Message) -> Option<Message> {
        if message.position() == Position::NONE {
            // Made for this subscription alone, and never a patch.
            return Some(message);
        }
        let before = self.forget(message.topic());
        if !message.is_patch() {
            // Copied, as it may keep alive all of the frame that it came in.
            let payload = || Bytes::copy_from_slice(message.payload());
            self.keep(message.topic(), message.format(), message.payload().len(), payload);
            return Some(message);
        }
        let format = message.format();
        let (_, value) = before.filter(|(before, _)| *before == format)?;
        let merged: Bytes = merge_patch::merge(format, &value, message.payload()).ok()?.into();
        self.keep(message.topic(), format, merged.len(), || merged.clone());
        Some(message.with_whole(merged))
    }

    /// Forgets all: the broker begins with whole values again.
    pub(crate) fn clear(&mut self) {
        self.values.clear();
        self.bytes = 0;
    }

    fn forget(&mut self, topic: &str) -> Option<(Format, Bytes)> {
        let known = self.values.remove(topic)?;
        self.bytes -= known.1.len();
        Some(known)
    }

    /// Keeps what there may be patches to.
    fn keep(&mut self, topic: &str, format: Format, bytes: usize, payload: impl FnOnce() -> Bytes) {
        let has_structure = matches!(format, Format::Json | Format::MessagePack) && bytes > 0;
        let has_room = self.values.len() < self.limits.topics && self.bytes + bytes <= self.limits.bytes;
        if has_structure && has_room {
            self.values.insert(topic.into(), (format, payload()));
            self.bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use murre_protocol::{
        Timestamp,
        packet::{self, MessageOptions},
    };

    use super::*;

    fn message(topic: &str, payload: &str, patch: bool) -> Message {
        let options = patch.then(|| Box::new(MessageOptions { patch, ..Default::default() }));
        let message = packet::Message {
            topic: topic.into(),
            format: Format::Json,
            payload: payload.as_bytes().into(),
            time: Timestamp::default(),
            position: Position::new(1, 0),
            options,
        };
        Message::from_wire(message, &Bytes::new())
    }

    /// What becomes of messages `(topic, payload, is a patch)`, `-` where there is none.
    fn wholes(patches: &mut Patches, messages: &[(&str, &str, bool)]) -> Vec<String> {
        let whole = |&(topic, payload, patch): &(&str, &str, bool)| {
            let whole = patches.whole(message(topic, payload, patch));
            whole.map_or("-".to_owned(), |whole| String::from_utf8_lossy(whole.payload()).into_owned())
        };
        messages.iter().map(whole).collect()
    }

    #[test]
    fn every_message_has_the_whole_value_of_its_topic() {
        let messages = [
            ("a", r#"{"c":1,"u":"C"}"#, false),
            ("b", r#"{"c":9}"#, false),
            ("a", r#"{"c":2}"#, true),
            ("a", r#"{"u":null}"#, true),
            ("b", r#"{"c":8}"#, true),
        ];
        let whole = wholes(&mut Patches::default(), &messages);
        assert_eq!(
            whole,
            [r#"{"c":1,"u":"C"}"#, r#"{"c":9}"#, r#"{"c":2,"u":"C"}"#, r#"{"c":2}"#, r#"{"c":8}"#]
        );
    }

    #[test]
    fn a_patch_to_a_value_that_is_not_known_is_left_out() {
        let mut patches = Patches::default();
        assert_eq!(wholes(&mut patches, &[("a", "{}", true)]), ["-"]);
        // the empty payload deletes the topic's value
        assert_eq!(
            wholes(&mut patches, &[("a", "{}", false), ("a", "", false), ("a", "{}", true)]),
            ["{}", "", "-"]
        );
        assert_eq!(
            wholes(&mut patches, &[("a", "{}", false), ("a", "{", true), ("a", "{}", true)]),
            ["{}", "-", "-"]
        );
        patches.clear();
        assert_eq!(wholes(&mut patches, &[("a", "{}", true)]), ["-"]);
    }

    #[test]
    fn a_whole_value_is_no_patch_any_more() {
        let mut patches = Patches::default();
        patches.whole(message("a", "{}", false));
        let whole = patches.whole(message("a", r#"{"c":1}"#, true)).unwrap();
        assert!(!whole.is_patch());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let limits = Limits { topics: 2, bytes: 10 };
        let mut patches = Patches { limits, ..Patches::default() };
        let messages = [("a", "{}", false), ("b", "{}", false), ("c", "{}", false)];
        wholes(&mut patches, &messages);
        assert_eq!(
            wholes(&mut patches, &messages.map(|(topic, _, _)| (topic, "{}", true))),
            ["{}", "{}", "-"]
        );
        assert_eq!(
            wholes(&mut patches, &[("a", r#"{"c":123}"#, false), ("a", "{}", true)]),
            [r#"{"c":123}"#, "-"]
        );
        assert_eq!((patches.values.len(), patches.bytes), (1, 2));
    }
}
