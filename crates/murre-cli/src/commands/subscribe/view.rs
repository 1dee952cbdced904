//! The flags of `murre sub` that say what it sees.

use std::time::Duration;

use murre_client::{Deadband, Figure, SubscribeBuilder, Window};

use crate::args::duration;

/// What it sees: the broker does the work.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "What it sees [default: everything]")]
pub(super) struct View {
    /// At most N messages a second for each topic: the newest of what comes faster
    #[arg(long, value_name = "N")]
    max_rate: Option<f64>,
    /// Only what meets a condition in CEL, such as 'payload.celsius > 30.0'
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    /// Only these values of the payload: celsius,position.lat
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    select: Vec<String>,
    /// Nothing until the value has moved: celsius=0.5, or celsius=2% of the value before
    #[arg(long, value_name = "PATH=N[%]", value_parser = deadband)]
    deadband: Option<Deadband>,
    /// Figures over time instead of readings: 60s:celsius:mean,max
    #[arg(long, value_name = "TIME:PATHS:FIGURES", value_parser = window)]
    window: Option<Window>,
    /// Have the broker send only what changed; whole values are printed
    #[arg(long)]
    patch: bool,
    /// Tell of topics that are silent for longer than this, and when they return
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    expect: Option<Duration>,
}

impl View {
    /// Asks for it.
    pub(super) fn ask(&self, mut subscribe: SubscribeBuilder) -> SubscribeBuilder {
        if let Some(rate) = self.max_rate {
            subscribe = subscribe.max_rate(rate);
        }
        if let Some(condition) = &self.condition {
            subscribe = subscribe.where_(condition);
        }
        if !self.select.is_empty() {
            subscribe = subscribe.select(&self.select);
        }
        if let Some(deadband) = &self.deadband {
            subscribe = subscribe.deadband(deadband.clone());
        }
        if let Some(window) = &self.window {
            subscribe = subscribe.window(window.clone());
        }
        if let Some(silence_max) = self.expect {
            subscribe = subscribe.expect(silence_max);
        }
        if self.patch {
            subscribe = subscribe.patch(true);
        }
        subscribe
    }
}

fn deadband(text: &str) -> Result<Deadband, String> {
    let expected = || "expected a path and how far, such as celsius=0.5 or celsius=2%".to_owned();
    let (path, least) = text.rsplit_once('=').ok_or_else(expected)?;
    match least.strip_suffix('%') {
        Some(percent) => percent.parse().map(|percent| Deadband::percent(path, percent)),
        None => least.parse().map(|distance| Deadband::absolute(path, distance)),
    }
    .map_err(|_| expected())
}

fn window(text: &str) -> Result<Window, String> {
    let expected = || "expected a time, paths and figures, such as 60s:celsius:mean,max".to_owned();
    let (length, rest) = text.split_once(':').ok_or_else(expected)?;
    let (paths, figures) = rest.rsplit_once(':').ok_or_else(expected)?;
    let length: Duration = duration(length)?;
    let figure = |word: &str| {
        let known = Figure::ALL.map(Figure::word).join(", ");
        Figure::from_word(word).ok_or_else(|| format!("{word:?} is no figure; there are {known}"))
    };
    let figures = figures.split(',').map(figure).collect::<Result<Vec<_>, _>>()?;
    Ok(Window::new(length, paths.split(','), figures))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadband_is_a_distance_or_a_part() {
        assert_eq!(deadband("a.b=0.5"), Ok(Deadband::absolute("a.b", 0.5)));
        assert_eq!(deadband("a=2%"), Ok(Deadband::percent("a", 2.0)));
        for wrong in ["a", "a=", "a=far", "a=2%%"] {
            assert!(deadband(wrong).unwrap_err().starts_with("expected a path and how far"), "{wrong}");
        }
    }

    #[test]
    fn a_window_has_a_time_paths_and_figures() {
        let minute = Window::new(Duration::from_secs(60), ["a", "b.c"], [Figure::Mean, Figure::P95]);
        assert_eq!(window("60s:a,b.c:mean,p95"), Ok(minute));
        for (wrong, why) in [
            ("60s", "expected a time, paths and figures"),
            ("60s:a", "expected a time, paths and figures"),
            ("60:a:mean", "expected a duration with its unit"),
            ("60s:a:median", "\"median\" is no figure; there are min, max"),
        ] {
            assert!(window(wrong).unwrap_err().starts_with(why), "{wrong}");
        }
    }
}
