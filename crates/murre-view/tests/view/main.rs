//! What views do, against naive models written for the tests.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod composition;
mod conditions;
mod deadbands;
mod document;
mod driver;
mod hostile;
mod patches;
mod paths;
mod positions;
mod rates;
mod selections;
mod values;
mod windows;
