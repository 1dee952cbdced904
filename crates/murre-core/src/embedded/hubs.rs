//! Which hubs something is for, and lists for each of them.

use smallvec::SmallVec;

use crate::{
    batch::MessageBatch,
    engine::{HubInput, Outputs},
    ids::{SessionAddress, WorkerId},
};

/// The hubs that a batch has messages for, as a set of workers.
pub(crate) fn hubs_of(messages: &MessageBatch) -> u64 {
    let all = messages.entries().iter().fold(0, |hubs, entry| hubs | entry.hubs);
    messages.shares.iter().fold(all, |hubs, share| hubs | share.hub.bit())
}

/// Gives publishers back the bytes that they had under way.
pub(crate) fn give_credit(credits: &[(SessionAddress, usize)], out: &mut Outputs) {
    for (worker, list) in by_worker(credits.iter().map(|(of, bytes)| (of.worker, (of.key, *bytes)))) {
        out.hub(worker, HubInput::Credit(list));
    }
}

/// A list for each worker, in the order in which they first come.
pub(super) fn by_worker<T>(
    items: impl IntoIterator<Item = (WorkerId, T)>,
) -> SmallVec<[(WorkerId, Vec<T>); 2]> {
    let mut lists: SmallVec<[(WorkerId, Vec<T>); 2]> = SmallVec::new();
    for (worker, item) in items {
        match lists.iter_mut().find(|(known, _)| *known == worker) {
            Some((_, list)) => list.push(item),
            None => lists.push((worker, vec![item])),
        }
    }
    lists
}
