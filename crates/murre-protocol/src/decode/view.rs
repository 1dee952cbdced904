//! The view's options, in SUBSCRIBE and in what SUBSCRIBED grants.

use std::{borrow::Cow, ops::RangeInclusive};

use super::{At, Value};
use crate::{
    DecodeError, Problem,
    packet::{
        Deadband, Figure, LeastChange, OnError, ViewKey, ViewOptions, Window, WindowTime,
        view::{
            EXPECT_MS, MAX_RATE, PATH_BYTES_MAX, PATHS_MAX, PERCENT_MAX, SILENCE_MAX_MS, WHERE_BYTES_MAX,
            WINDOW_MS, WINDOW_STEPS_MAX,
        },
    },
};

/// How errors name the options: in SUBSCRIBE they stand among others, in SUBSCRIBED in a map of their own.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Subscribe,
    Subscribed,
}

impl Place {
    fn of(self, subscribe: &'static str, subscribed: &'static str) -> &'static str {
        match self {
            Self::Subscribe => subscribe,
            Self::Subscribed => subscribed,
        }
    }
}

/// The name of an option in errors, in either place.
macro_rules! named {
    ($place:expr, $name:literal) => {
        $place.of(concat!("options.", $name), concat!("info.view.", $name))
    };
}

/// Reads one of the view's options into `view`; nil takes it away.
pub(super) fn option<'a, V: Value<'a>>(
    (at, place): (At, Place),
    key: ViewKey,
    value: V,
    view: &mut ViewOptions<'a>,
) -> Result<(), DecodeError> {
    match key {
        ViewKey::MaxRate => view.max_rate = at.of(named!(place, "max_rate")).read(value, rate)?,
        ViewKey::Where => view.condition = at.of(named!(place, "where")).read(value, condition)?,
        ViewKey::Select if value.is_nil() => view.select.clear(),
        ViewKey::Select => view.select = paths(at.of(named!(place, "select")), value)?,
        ViewKey::Deadband if value.is_nil() => view.deadband = None,
        ViewKey::Deadband => view.deadband = Some(deadband((at, place), value)?),
        ViewKey::Window if value.is_nil() => view.window = None,
        ViewKey::Window => view.window = Some(window((at, place), value)?),
        ViewKey::Patch => {
            view.patch = at.of(named!(place, "patch")).read(value, V::boolean)?.unwrap_or(false);
        }
        ViewKey::Expect => {
            let expect = |value: V| millis(value, EXPECT_MS, "0.1 to 604800 seconds");
            view.expect_ms = at.of(named!(place, "expect")).read(value, expect)?;
        }
        ViewKey::OnError => {
            view.on_error = at.of(named!(place, "on_error")).read(value, |v| word(v, OnError::from_word))?;
        }
    }
    Ok(())
}

fn rate<'a, V: Value<'a>>(value: V) -> Result<f64, Problem> {
    let rate = value.number()?;
    if MAX_RATE.contains(&rate) {
        Ok(rate)
    } else {
        Err(Problem::bounds(rate, "0.01 to 1000 messages a second"))
    }
}

fn condition<'a, V: Value<'a>>(value: V) -> Result<Cow<'a, str>, Problem> {
    let text = value.text()?;
    match text.len() {
        0..=WHERE_BYTES_MAX => Ok(text),
        bytes => Err(Problem::bounds(format_args!("{bytes} bytes"), "at most 1024")),
    }
}

fn word<'a, V: Value<'a>, T>(value: V, from_word: impl Fn(&str) -> Option<T>) -> Result<T, Problem> {
    let word = value.text()?;
    from_word(&word).ok_or_else(|| Problem::value(&word))
}

/// Seconds, with at most three digits behind the point, as milliseconds.
fn millis<'a, V: Value<'a>>(
    value: V,
    bounds: RangeInclusive<u64>,
    expected: &'static str,
) -> Result<u64, Problem> {
    let seconds = value.number()?;
    let ms = (seconds * 1000.0).round();
    if !(ms >= *bounds.start() as f64 && ms <= *bounds.end() as f64) {
        return Err(Problem::bounds(seconds, expected));
    }
    if (ms / 1000.0 - seconds).abs() > 1e-9 {
        return Err(Problem::bounds(seconds, "whole milliseconds"));
    }
    // Fits: within bounds that do.
    Ok(ms as u64)
}

fn path<'a, V: Value<'a>>(value: V) -> Result<Cow<'a, str>, Problem> {
    let path = value.text()?;
    match path.len() {
        0..=PATH_BYTES_MAX => Ok(path),
        bytes => Err(Problem::bounds(format_args!("a path of {bytes} bytes"), "at most 256")),
    }
}

fn paths<'a, V: Value<'a>>(at: At, value: V) -> Result<Vec<Cow<'a, str>>, DecodeError> {
    let mut paths = Vec::new();
    value.array(at, |item| {
        if paths.len() == PATHS_MAX {
            return Err(at.error(Problem::bounds("a longer list", "at most 32 paths")));
        }
        paths.push(path(item).map_err(|problem| at.error(problem))?);
        Ok(())
    })?;
    if paths.is_empty() {
        return Err(at.error(Problem::bounds("an empty list", "1 to 32 paths")));
    }
    Ok(paths)
}

fn deadband<'a, V: Value<'a>>((at, place): (At, Place), map: V) -> Result<Deadband<'a>, DecodeError> {
    let (mut of, mut absolute, mut percent, mut silence_max_ms) = (None, None, None, None);
    let at = at.of(named!(place, "deadband"));
    map.map(at, |key, value| {
        match key.as_deref() {
            Ok("path") => of = at.of(named!(place, "deadband.path")).read(value, path)?,
            Ok("abs") => absolute = at.of(named!(place, "deadband.abs")).read(value, least)?,
            Ok("percent") => percent = at.of(named!(place, "deadband.percent")).read(value, percentage)?,
            Ok("silence_max") => {
                let silence = |value: V| millis(value, SILENCE_MAX_MS, "0.1 to 86400 seconds");
                silence_max_ms = at.of(named!(place, "deadband.silence_max")).read(value, silence)?;
            }
            _ => {}
        }
        Ok(())
    })?;
    let least = match (absolute, percent) {
        (Some(distance), None) => LeastChange::Absolute(distance),
        (None, Some(percent)) => LeastChange::Percent(percent),
        _ => return Err(at.error(Problem::OneOf("abs and percent"))),
    };
    Ok(Deadband { path: of.unwrap_or_default(), least, silence_max_ms })
}

fn least<'a, V: Value<'a>>(value: V) -> Result<f64, Problem> {
    let distance = value.number()?;
    let is_valid = distance.is_finite() && distance >= 0.0;
    if is_valid { Ok(distance) } else { Err(Problem::bounds(distance, "a finite number, 0 or more")) }
}

fn percentage<'a, V: Value<'a>>(value: V) -> Result<f64, Problem> {
    let percent = value.number()?;
    let is_valid = percent > 0.0 && percent <= PERCENT_MAX;
    if is_valid { Ok(percent) } else { Err(Problem::bounds(percent, "above 0, at most 1000")) }
}

const WINDOW_BOUNDS: &str = "0.1 to 86400 seconds";

fn window<'a, V: Value<'a>>((at, place): (At, Place), map: V) -> Result<Window<'a>, DecodeError> {
    let at = at.of(named!(place, "window"));
    let (mut length, mut step, mut of, mut give) = (None, None, Vec::new(), None);
    let (mut by, mut empty) = (None, None);
    map.map(at, |key, value| {
        let length_of = |value: V| millis(value, WINDOW_MS, WINDOW_BOUNDS);
        match key.as_deref() {
            Ok("seconds") => length = at.of(named!(place, "window.seconds")).read(value, length_of)?,
            Ok("step") => step = at.of(named!(place, "window.step")).read(value, length_of)?,
            Ok("of") if value.is_nil() => of.clear(),
            Ok("of") => of = paths(at.of(named!(place, "window.of")), value)?,
            Ok("give") if value.is_nil() => give = None,
            Ok("give") => give = Some(figures(at.of(named!(place, "window.give")), value)?),
            Ok("by") => {
                by = at.of(named!(place, "window.by")).read(value, |v| word(v, WindowTime::from_word))?;
            }
            Ok("empty") => empty = at.of(named!(place, "window.empty")).read(value, V::boolean)?,
            _ => {}
        }
        Ok(())
    })?;
    let missing = |name| at.of(name).error(Problem::Missing);
    let length_ms = length.ok_or_else(|| missing(named!(place, "window.seconds")))?;
    let step_ms = step.unwrap_or(length_ms);
    let at_step = at.of(named!(place, "window.step"));
    if length_ms % step_ms != 0 {
        let why = Problem::bounds(step_ms as f64 / 1000.0, "a part of window.seconds without a rest");
        return Err(at_step.error(why));
    }
    if length_ms / step_ms > WINDOW_STEPS_MAX {
        let why = Problem::bounds(step_ms as f64 / 1000.0, "at least a 120th of window.seconds");
        return Err(at_step.error(why));
    }
    if of.is_empty() {
        return Err(missing(named!(place, "window.of")));
    }
    let give = give.ok_or_else(|| missing(named!(place, "window.give")))?;
    Ok(Window { length_ms, step_ms, of, give, by: by.unwrap_or_default(), empty: empty.unwrap_or(false) })
}

/// The figures of a list, each once.
fn figures<'a, V: Value<'a>>(at: At, value: V) -> Result<Vec<Figure>, DecodeError> {
    let mut figures = Vec::new();
    value.array(at, |item| {
        let figure = word(item, Figure::from_word).map_err(|problem| at.error(problem))?;
        if !figures.contains(&figure) {
            figures.push(figure);
        }
        Ok(())
    })?;
    if figures.is_empty() {
        return Err(at.error(Problem::bounds("an empty list", "at least one figure")));
    }
    Ok(figures)
}
