//! What a SUBSCRIBE asks for, read and checked.

use std::sync::Arc;

use murre_protocol::{
    Code, Position, SharedFilter, TopicFilter,
    packet::{From, OnSlow, Subscribe, SubscribeOptions, ViewKey, ViewOptions},
};
use murre_view::Plan;

use super::views::as_bytes;
use crate::{
    ids::{GroupId, SessionKey},
    limits::Limits,
    log::Lost,
    placement::Placement,
    session::{AckWindow, LeftOut, Replay, Stage, Subscription, Viewed},
};

/// A SUBSCRIBE whose every part is valid and known to this broker.
pub(super) struct Wish<'a> {
    /// The client's number.
    pub sub: u64,
    /// Which topics.
    pub filter: TopicFilter<'a>,
    /// The group, of a shared one.
    pub group: Option<GroupId>,
    /// The name of the group.
    pub group_name: Option<Box<str>>,
    /// Where to begin, if it says so.
    pub replay: Option<Replay>,
    /// The rule for a client that reads too slowly, if it says so.
    pub on_slow: Option<OnSlow>,
    /// Whether messages are acknowledged, if it says so.
    pub ack: Option<bool>,
    /// What is to be done with messages, if it says so.
    pub view: Option<(ViewOptions<'static>, Arc<Plan>)>,
}

impl<'a> Wish<'a> {
    /// Reads a SUBSCRIBE.
    ///
    /// # Errors
    /// What of it is invalid, or not there.
    pub(super) fn read(subscribe: &'a Subscribe<'_>, broker: &Terms<'_>) -> Result<Self, Refusal> {
        let shared = SharedFilter::parse(&subscribe.filter)
            .map_err(|why| Refusal::invalid(format!("SUBSCRIBE.filter: {why}")))?;
        let replay = read_options(&subscribe.options, shared.group.is_some(), broker)?;
        let SubscribeOptions { on_slow, ack, .. } = subscribe.options;
        let view = read_view(&subscribe.options, shared.group.is_some())?;
        let (filter, group_name) = (shared.filter, shared.group.map(Box::from));
        let mut wish =
            Self { sub: subscribe.sub, filter, group: None, group_name, replay, on_slow, ack, view };
        wish.group = wish.group_with(wish.view.as_ref().map(|(options, _)| options), broker.placement);
        Ok(wish)
    }

    /// The group that it names, for members with this view: who sees something else is of another group.
    fn group_with(&self, view: Option<&ViewOptions<'static>>, placement: &Placement) -> Option<GroupId> {
        let view = view.map_or_else(Box::default, as_bytes);
        self.group_name.as_ref().map(|name| placement.group(name, self.filter.as_str(), &view))
    }

    /// The subscription that it makes.
    pub(super) fn subscription(&self, key: SessionKey, limits: &Limits) -> Subscription {
        let begin = if self.group.is_some() { Replay::Live } else { Replay::Last };
        let (inflight_max, bytes_max) = (limits.inflight_max, limits.ack_queue_bytes_max);
        let window = || match self.group {
            Some(_) => Box::new(AckWindow::shared(inflight_max, bytes_max)),
            None => Box::new(AckWindow::new(inflight_max, bytes_max)),
        };
        Subscription {
            session: key.slot,
            sub: self.sub,
            filter: self.filter.clone().into_owned(),
            group: self.group,
            on_slow: self.on_slow.unwrap_or_default(),
            ack: (self.ack == Some(true)).then(window),
            keeping: None,
            live: 0,
            stage: Stage::Announced { replay: self.replay.clone().unwrap_or(begin), answers: 1 },
            view: None,
            dropped: LeftOut::default(),
            dropped_in_all: 0,
            degraded: None,
            history_end: 0,
        }
    }

    /// The view that it asks for.
    pub(super) fn viewed(&self) -> Option<Box<Viewed>> {
        let (options, plan) = self.view.clone()?;
        Some(Box::new(Viewed { options, plan, at_work: None, of_snapshot: None }))
    }

    /// Whether a subscription can become this in place.
    ///
    /// # Errors
    /// What can't change.
    pub(super) fn check_change(
        &self,
        subscription: &Subscription,
        placement: &Placement,
    ) -> Result<(), Refusal> {
        let view = subscription.view.as_ref().map(|viewed| &viewed.options);
        let is_same =
            subscription.filter == self.filter && subscription.group == self.group_with(view, placement);
        if is_same && self.view.is_some() && subscription.group != self.group {
            let why = "SUBSCRIBE.options: the view of a shared subscription is a part of its group, and can't change \
                       in place; UNSUBSCRIBE first";
            return Err(Refusal::invalid(why));
        }
        if !is_same {
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

/// What a wish is judged by.
pub(super) struct Terms<'a> {
    pub placement: &'a Placement,
    pub limits: &'a Limits,
    pub epoch: &'a str,
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

    pub(super) fn too_many(reason: String) -> Self {
        Self { code: Code::QUOTA, reason, rule: None }
    }

    pub(super) fn limit(rule: &'static str, max: usize) -> Self {
        let reason = format!("{rule} is {max}");
        Self { code: Code::QUOTA, reason, rule: Some(rule) }
    }
}

/// Where a subscription is to begin, if it says so; refuses what this broker doesn't have.
fn read_options(
    options: &SubscribeOptions<'_>,
    shared: bool,
    broker: &Terms<'_>,
) -> Result<Option<Replay>, Refusal> {
    if let Some(error) = &options.invalid {
        return Err(Refusal::invalid(error.to_string()));
    }
    match &options.from {
        None => Ok(None),
        Some(From::Live) => Ok(Some(Replay::Live)),
        Some(_) if shared => {
            Err(Refusal::invalid("SUBSCRIBE.options.from: a shared subscription begins \"live\" only"))
        }
        Some(From::Last) => Ok(Some(Replay::Last)),
        Some(From::LastN(asked)) => {
            let last = (*asked).min(broker.limits.history_last_max);
            Ok(Some(Replay::LastN { last, revised: last < *asked }))
        }
        Some(From::Since(time)) => Ok(Some(Replay::Since(*time))),
        Some(From::After { positions, epoch }) => after(positions, epoch, broker).map(Some),
    }
}

/// The view that a SUBSCRIBE asks for, compiled; refuses what this broker doesn't have.
fn read_view(
    options: &SubscribeOptions<'_>,
    shared: bool,
) -> Result<Option<(ViewOptions<'static>, Arc<Plan>)>, Refusal> {
    let Some(view) = &options.view else { return Ok(None) };
    if let Some((key, why)) = view.keys().find_map(|key| Some((key, not_shared(key)?))).filter(|_| shared) {
        let why = format!("SUBSCRIBE.options.{}: not on a shared subscription: {why}", key.word());
        return Err(Refusal::not_supported(why));
    }
    let plan = Plan::compile(view).map_err(|why| Refusal::invalid(format!("SUBSCRIBE.options.{why}")))?;
    Ok(Some(((**view).clone().into_owned(), Arc::new(plan))))
}

/// Why an option is of no use where each member gets some of a topic's messages, if it isn't.
fn not_shared(key: ViewKey) -> Option<&'static str> {
    match key {
        ViewKey::Where | ViewKey::Select | ViewKey::OnError => None,
        ViewKey::MaxRate => Some("the message that would give way to a newer one is another member's"),
        ViewKey::Deadband => Some("the value sent last went to another member"),
        ViewKey::Window => Some("the readings of a window go to many members"),
        ViewKey::Patch => Some("a patch is against a value that another member was sent"),
        ViewKey::Expect => Some("a topic that a member hears nothing of may be heard by another"),
    }
}

/// Behind positions that the client had from this broker. Those of another epoch say nothing: all that is there
/// follows.
fn after(positions: &[Position], epoch: &str, broker: &Terms<'_>) -> Result<Replay, Refusal> {
    let shards = broker.placement.shards;
    let mut by_shard: Vec<Position> = (0..shards).map(|shard| Position::new(0, shard)).collect();
    if epoch != broker.epoch {
        return Ok(Replay::After { positions: by_shard.into(), lost: Some(Lost::Epoch) });
    }
    let mut given = 0_u64;
    for position in positions {
        let Some(place) = by_shard.get_mut(usize::from(position.shard())) else {
            let why =
                format!("SUBSCRIBE.options.from.after: {} is no position of this broker", position.get());
            return Err(Refusal::invalid(why));
        };
        given |= 1 << (position.shard() & 63);
        *place = (*place).max(*position);
    }
    if given != broker.placement.all_shards() {
        let why = format!(
            "SUBSCRIBE.options.from.after: has to be the whole list of CAUGHT_UP, {shards} positions with different \
             low 8 bits; {} were there",
            given.count_ones()
        );
        return Err(Refusal::invalid(why));
    }
    Ok(Replay::After { positions: by_shard.into(), lost: None })
}
