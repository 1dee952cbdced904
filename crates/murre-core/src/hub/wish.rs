//! What a SUBSCRIBE asks for, read and checked.

use murre_protocol::{
    Code, SharedFilter, TopicFilter,
    packet::{From, OnSlow, Subscribe, SubscribeOptions},
};

use crate::{
    ids::{GroupId, SessionKey},
    limits::Limits,
    placement::Placement,
    session::{AckWindow, Replay, Stage, Subscription},
};

/// A SUBSCRIBE whose every part is valid and known to this broker.
pub(super) struct Wish<'a> {
    /// The client's number.
    pub sub: u64,
    /// Which topics.
    pub filter: TopicFilter<'a>,
    /// The group, of a shared one.
    pub group: Option<GroupId>,
    /// Where to begin, if it says so.
    pub replay: Option<Replay>,
    /// The rule for a client that reads too slowly, if it says so.
    pub on_slow: Option<OnSlow>,
    /// Whether messages are acknowledged, if it says so.
    pub ack: Option<bool>,
}

impl<'a> Wish<'a> {
    /// Reads a SUBSCRIBE.
    ///
    /// # Errors
    /// What of it is invalid, or not there.
    pub(super) fn read(subscribe: &'a Subscribe<'_>, placement: &Placement) -> Result<Self, Refusal> {
        let shared = SharedFilter::parse(&subscribe.filter)
            .map_err(|why| Refusal::invalid(format!("SUBSCRIBE.filter: {why}")))?;
        let replay = read_options(&subscribe.options, shared.group.is_some())?;
        let group = shared.group.as_ref().map(|group| placement.group(group, shared.filter.as_str()));
        let SubscribeOptions { on_slow, ack, .. } = subscribe.options;
        Ok(Self { sub: subscribe.sub, filter: shared.filter, group, replay, on_slow, ack })
    }

    /// The subscription that it makes.
    pub(super) fn subscription(&self, key: SessionKey, limits: &Limits) -> Subscription {
        let begin = if self.group.is_some() { Replay::Live } else { Replay::Last };
        let window = || Box::new(AckWindow::new(limits.inflight_max, limits.ack_queue_bytes_max));
        Subscription {
            session: key.slot,
            sub: self.sub,
            filter: self.filter.clone().into_owned(),
            group: self.group,
            on_slow: self.on_slow.unwrap_or_default(),
            ack: (self.ack == Some(true)).then(window),
            live: 0,
            stage: Stage::Announced { replay: self.replay.unwrap_or(begin), answers: 1 },
            dropped: 0,
        }
    }

    /// Whether a subscription can become this in place.
    ///
    /// # Errors
    /// What can't change.
    pub(super) fn check_change(&self, subscription: &Subscription) -> Result<(), Refusal> {
        if subscription.filter != self.filter || subscription.group != self.group {
            let sub = self.sub;
            let why = format!("SUBSCRIBE.filter: subscription {sub} has another filter; UNSUBSCRIBE first");
            return Err(Refusal::invalid(why));
        }
        if self.ack.is_some_and(|ack| ack != subscription.ack.is_some()) {
            return Err(Refusal::invalid("SUBSCRIBE.options.ack: can't change in place; UNSUBSCRIBE first"));
        }
        Ok(())
    }
}

/// A SUBSCRIBE that can't be granted.
pub(super) struct Refusal {
    pub code: Code,
    pub reason: String,
    pub rule: Option<&'static str>,
}

impl Refusal {
    fn invalid(reason: impl Into<String>) -> Self {
        Self { code: Code::INVALID, reason: reason.into(), rule: None }
    }

    fn not_supported(reason: impl Into<String>) -> Self {
        Self { code: Code::NOT_SUPPORTED, reason: reason.into(), rule: None }
    }

    pub(super) fn limit(rule: &'static str, max: usize) -> Self {
        let reason = format!("{rule} is {max}");
        Self { code: Code::QUOTA, reason, rule: Some(rule) }
    }
}

/// Where a subscription is to begin, if it says so; refuses what this broker doesn't have.
fn read_options(options: &SubscribeOptions<'_>, shared: bool) -> Result<Option<Replay>, Refusal> {
    if let Some(error) = &options.invalid {
        return Err(Refusal::invalid(error.to_string()));
    }
    if let Some(key) = options.view.first() {
        let why = format!("SUBSCRIBE.options.{}: this broker has no views yet", key.word());
        return Err(Refusal::not_supported(why));
    }
    if shared && options.ack == Some(true) {
        return Err(Refusal::not_supported(
            "SUBSCRIBE.options.ack: not on shared subscriptions without a store",
        ));
    }
    match &options.from {
        None => Ok(None),
        Some(From::Live) => Ok(Some(Replay::Live)),
        Some(From::Last) if shared => {
            Err(Refusal::invalid("SUBSCRIBE.options.from: a shared subscription begins \"live\" only"))
        }
        Some(From::Last) => Ok(Some(Replay::Last)),
        Some(From::LastN(_) | From::Since(_) | From::After { .. }) => Err(Refusal::not_supported(
            "SUBSCRIBE.options.from: this broker keeps no history; \"last\" and \"live\" are there",
        )),
    }
}
