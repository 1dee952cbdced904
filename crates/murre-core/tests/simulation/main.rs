//! Random clients on a whole broker under a virtual clock, checked against a simple model.
//!
//! A failing seed is printed with how to replay it. `MURRE_SEEDS=5000` runs more seeds than usual.
//!
//! | module | is |
//! |---|---|
//! | `crowd` | the clients, from the first step to the last |
//! | `actions` | what a client may do |
//! | `session` | what one connection said and heard |
//! | `record` | what was published, in the order that the broker gave it |
//! | `wills` | which wills are owed |
//! | `checks` | what has to be true of all that was heard |
//! | `crashes` | a broker with a log that dies again and again, its devices and subscribers |
//! | `kept` | sessions that outlive their connections, and the broker |
//! | `sights` | what their subscriptions see |

mod actions;
mod checks;
mod crashes;
mod crowd;
mod kept;
mod record;
mod session;
mod sights;
mod wills;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

use crowd::Crowd;

/// Seeds that are run where nothing else is said.
const SEEDS: u64 = 200;
const CRASHES_SEEDS: u64 = 300;
/// Steps of a run.
const STEPS: usize = 1_000;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn run(seed: u64) {
    let mut crowd = Crowd::new(seed);
    for _ in 0..STEPS {
        crowd.step();
    }
    crowd.finish();
}

fn run_or_say_how_to_replay(name: &str, run: fn(u64), seed: u64) {
    if let Err(why) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
        eprintln!("seed {seed} fails; replay it: MURRE_SEED={seed} cargo test -p murre-core {name}");
        resume_unwind(why);
    }
}

/// Runs all seeds, or the one that `MURRE_SEED` names.
fn run_seeds(name: &str, run: fn(u64), usual: u64) {
    if let Some(seed) = number("MURRE_SEED") {
        return run_or_say_how_to_replay(name, run, seed);
    }
    let (next, end) = (AtomicU64::new(0), number("MURRE_SEEDS").unwrap_or(usual));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    // each run has one thread to itself
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Relaxed)).filter(|seed| *seed < end) {
                    run_or_say_how_to_replay(name, run, seed);
                }
            });
        }
    });
}

#[test]
fn simulation() {
    run_seeds("simulation", run, SEEDS);
}

/// What was acknowledged is never lost, each reading is logged once, positions never go back, and who resumes misses
/// nothing, wherever between append and commit the process dies.
#[test]
fn simulation_of_crashes() {
    run_seeds("simulation_of_crashes", crashes::run, CRASHES_SEEDS);
}

#[test]
fn kept_sessions() {
    run_seeds("kept_sessions", kept::run, SEEDS);
}
