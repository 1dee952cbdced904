//! The view's options, in SUBSCRIBE and in what SUBSCRIBED grants.

use super::Fields;
use crate::packet::{Deadband, Figure, LeastChange, ViewOptions, Window, WindowTime};

/// Writes those that are set into `map`.
pub(super) fn options(view: &ViewOptions<'_>, map: &mut impl Fields) {
    if let Some(rate) = view.max_rate {
        map.number("max_rate", rate);
    }
    map.text_if("where", view.condition.as_deref());
    if !view.select.is_empty() {
        map.list("select", view.select.iter().map(|path| &**path));
    }
    if let Some(deadband) = &view.deadband {
        map.map("deadband", |map| write_deadband(deadband, map));
    }
    if let Some(window) = &view.window {
        map.map("window", |map| write_window(window, map));
    }
    map.true_if("patch", view.patch);
    if let Some(ms) = view.expect_ms {
        map.number("expect", seconds(ms));
    }
    map.text_if("on_error", view.on_error.map(|rule| rule.word()));
}

fn write_deadband(deadband: &Deadband<'_>, map: &mut impl Fields) {
    map.text_if("path", Some(&*deadband.path).filter(|path| !path.is_empty()));
    match deadband.least {
        LeastChange::Absolute(distance) => map.number("abs", distance),
        LeastChange::Percent(percent) => map.number("percent", percent),
    }
    if let Some(ms) = deadband.silence_max_ms {
        map.number("silence_max", seconds(ms));
    }
}

fn write_window(window: &Window<'_>, map: &mut impl Fields) {
    map.number("seconds", seconds(window.length_ms));
    if window.step_ms != window.length_ms {
        map.number("step", seconds(window.step_ms));
    }
    map.list("of", window.of.iter().map(|path| &**path));
    map.list("give", window.give.iter().copied().map(Figure::word));
    if window.by != WindowTime::Broker {
        map.text("by", window.by.word());
    }
    map.true_if("empty", window.empty);
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
