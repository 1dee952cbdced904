//! Any view that SUBSCRIBE may ask for. Boxed: a strategy that is a part of others by value takes stack in each.

use murre_protocol::packet::{Deadband, Figure, LeastChange, OnError, ViewOptions, Window, WindowTime};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::values::text;

/// A view with at least one option.
pub(crate) fn view() -> BoxedStrategy<Box<ViewOptions<'static>>> {
    let on_error = select(vec![OnError::Skip, OnError::Pass]);
    (
        (option::of(0.01..=1000.0), option::of(text()), vec(text(), 0..4), option::of(deadband())),
        (option::of(window()), any::<bool>(), option::of(100..=604_800_000_u64), option::of(on_error)),
    )
        .prop_map(|((max_rate, condition, select, deadband), (window, patch, expect_ms, on_error))| {
            ViewOptions { max_rate, condition, select, deadband, window, patch, expect_ms, on_error }
        })
        .prop_filter("with an option", |view| *view != ViewOptions::default())
        .prop_map(Box::new)
        .boxed()
}

fn deadband() -> BoxedStrategy<Deadband<'static>> {
    let least = prop_oneof![
        (0.0..1e300).prop_map(LeastChange::Absolute),
        (0.001..=1000.0).prop_map(LeastChange::Percent),
    ];
    (text(), least, option::of(100..=86_400_000_u64))
        .prop_map(|(path, least, silence_max_ms)| Deadband { path, least, silence_max_ms })
        .boxed()
}

fn window() -> BoxedStrategy<Window<'static>> {
    let give = proptest::sample::subsequence(Figure::ALL.to_vec(), 1..=Figure::ALL.len());
    let by = select(vec![WindowTime::Broker, WindowTime::Source]);
    (100..=700_000_u64, 1..=120_u64, vec(text(), 1..4), give, by, any::<bool>())
        .prop_map(|(step_ms, steps, of, give, by, empty)| {
            let length_ms = step_ms * steps;
            Window { length_ms, step_ms, of, give, by, empty }
        })
        .boxed()
}
