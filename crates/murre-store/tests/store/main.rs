//! The store by its public interface, over real files.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

mod harness;

mod damage;
mod deletion;
mod failures;
mod history;
mod model;
mod restarts;
mod tools;
