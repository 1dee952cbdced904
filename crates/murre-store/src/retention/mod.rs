//! Deleting what isn't kept any more, in the background.
//!
//! It goes over closed segments, one after the other. A segment in which nothing is kept is dropped without reading it;
//! one of which more than half is dead is written anew with the rest; the others are left alone. Between two segments
//! it lets the writer have its turn.
//!
//! | file | has |
//! |---|---|
//! | `judge` | what is kept and what isn't, and why: pure |
//! | `limits` | the rules' bounds of bytes, over all shards |
//! | `sweep` | the way over the segments, and the thread |
//! | `rewrite` | a segment without what isn't kept |

pub(crate) use sweep::{Sweeper, run};

mod judge;
mod limits;
mod rewrite;
mod sweep;
