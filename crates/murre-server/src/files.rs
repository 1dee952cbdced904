//! How many files the process may have open; each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one.
///
/// The soft limit is 1,024 in most places, for the sake of programs that use `select`; the hard one is what the system
/// really allows. Where it can't be had, the broker goes on with what there is.
pub(crate) fn allow_as_many_as_possible() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::debug!("the limit of open files is now {maximum:?}, and was {current:?}"),
        Err(why) => {
            tracing::warn!(
                "the limit of open files stays {current:?}, and so fewer clients can connect: {why}"
            );
        }
    }
}
