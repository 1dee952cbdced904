//! An answer on its way to the socket: read from the log as the socket takes it.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};
use murre_view::Limits;

use super::{
    HistoryForm, HistoryQuery,
    answer::HistoryAnswer,
    feed::{Feed, Wanted},
    view::Bounds,
};
use crate::{
    process::Process,
    reading::{Reads, What},
};

/// Bytes of messages that are read at once, all shards together.
const SLICES_BYTES: usize = 256 * 1024;
/// Of one shard at least and at most.
const SLICE_BYTES: (usize, usize) = (8 * 1024, 64 * 1024);
/// Messages that a view reads for one answer, so that one that lets nothing through ends.
const VIEW_READ_MAX: u64 = 1_000_000;
/// Bytes that the body gives at once.
const CHUNK_BYTES: usize = 32 * 1024;
/// Slices without a message for the answer that are looked at before others have their turn.
const SLICES_MAX: usize = 16;

/// The body. It is asked for more only when the socket has taken what it gave, and holds no more than a slice of each
/// shard meanwhile.
pub(super) struct HistoryBody {
    reads: Reads,
    feed: Feed,
    slice_bytes: usize,
}

impl HistoryBody {
    /// Begins to read what the query asks for.
    pub(super) fn begin(
        mut reads: Reads,
        query: HistoryQuery,
        form: HistoryForm,
        process: &Arc<Process>,
    ) -> Self {
        let shards = process.shards_of(&query.filter);
        let slice_bytes = (SLICES_BYTES / shards.len().max(1)).clamp(SLICE_BYTES.0, SLICE_BYTES.1);
        for shard in shards.clone() {
            let (filter, from, until) = (query.filter.clone(), query.read_from(shard), query.until);
            reads.open(shard, What { filter, from, until }, slice_bytes);
        }
        let limits = &process.config.limits;
        let limits = Limits { topics_max: limits.view_topics_max, bytes_max: limits.view_bytes_max };
        let bounds = Bounds { limits, read_max: VIEW_READ_MAX };
        let feed = Feed::new(HistoryAnswer::new(query, form, process.epoch(), bounds), shards);
        Self { reads, feed, slice_bytes }
    }

    fn ask(&mut self, wanted: Wanted) {
        for shard in wanted.close {
            self.reads.close(shard);
        }
        for shard in wanted.next {
            self.reads.next(shard, self.slice_bytes);
        }
    }
}

impl MessageBody for HistoryBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        let mut out = Vec::new();
        for _ in 0..SLICES_MAX {
            while let Poll::Ready(Some(slice)) = this.reads.poll_slice(cx) {
                this.feed.take(slice);
            }
            let wanted = this.feed.write(CHUNK_BYTES, &mut out);
            let asks = !wanted.next.is_empty();
            this.ask(wanted);
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(out.into())));
            }
            if this.feed.has_ended() {
                return Poll::Ready(None);
            }
            // what was asked for may have come at once; if not, the channel wakes this task
            if !asks {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
