//! The end of a broker, whoever's server it is in: its clients are told, and when they have gone, what they sent is
//! done.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::{process::Process, shell::runtime::Local};

/// How often it is looked whether clients are there, or something is under way.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// What this may take where clients that don't go have used up all the time that there is for stopping.
const TIME_MIN: Duration = Duration::from_secs(1);

/// Lets every worker tell its clients that the broker goes away.
pub(crate) fn say_farewell(process: &Process) {
    process.on_all_workers(|| {
        if let Some(local) = Local::current() {
            local.shut_down();
        }
    });
}

/// Waits until all workers have done what is under way, between them and with the log, or until the deadline. Blocks.
pub(crate) fn settle(process: &Process, deadline: Instant) {
    if process.workers().is_none() || process.is_incomplete() {
        // there was never anything, or some of it will never be done
        return;
    }
    let deadline = deadline.max(Instant::now() + TIME_MIN);
    // what one worker sends in the first round has arrived at the other in the second
    let mut idle_rounds = 0;
    while idle_rounds < 2 && Instant::now() < deadline {
        idle_rounds = if are_idle(process, deadline) { idle_rounds + 1 } else { 0 };
        std::thread::sleep(LOOK_INTERVAL);
    }
    if idle_rounds < 2 {
        tracing::warn!(
            "the broker stops while something is under way; what was not acknowledged may be lost"
        );
    }
}

fn are_idle(process: &Process, deadline: Instant) -> bool {
    let (sender, answers) = mpsc::channel();
    process.on_all_workers(move || {
        // nobody waits any more past the deadline
        let _ = sender.send(Local::current().is_some_and(|local| local.finish_and_is_idle()));
    });
    let answer = || answers.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    (0..process.worker_count()).all(|_| answer().unwrap_or(false))
}
