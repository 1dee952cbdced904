//! A disk that fails when it is told to, for a process that has this library in `LD_PRELOAD`.
//!
//! `SHIM_FILES` is a folder: writes and syncs of files in it are looked at, all others go through. `SHIM_ORDER` is a
//! file that the test makes when something is to fail, and that is removed here once it has:
//!
//! ```text
//! <write | sync> <n> <how> [<part>]
//! ```
//! The `n`-th such call from then on fails, of those to files with `part` in their path, and `how` says in which way:
//!
//! | how | what happens |
//! |---|---|
//! | `io` | nothing is done, and the call fails with `EIO` |
//! | `full` | the same with `ENOSPC` |
//! | `short` | half of it is written; the next write fails with `ENOSPC` |
//! | `lost` | of a sync: what was written to the file since its last sync turns to zeros, as if the system had thrown it away, and the call fails with `EIO` |
//! | `stuck` | from the n-th on every write fails with `ENOSPC`, until the test removes the order |
//!
//! # Layout
//! | module | holds |
//! |---|---|
//! | `calls` | what stands in the place of the system's functions; all that is unsafe |
//! | `disk` | which files are looked at, and what was written since their last sync |
//! | `order` | what is to fail |

mod calls;
mod disk;
mod order;
