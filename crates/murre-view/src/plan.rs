//! What a view does, compiled once from what a client asked for.

use murre_protocol::packet::{OnError, ViewOptions};

use crate::{
    condition::Condition, deadband::Deadband, fresh::Fresh, path::Path, rate::Rate, select::Selection,
    window::Window,
};

/// A view, compiled. It has no state, so that all who ask for the same can share it.
#[derive(Debug)]
pub struct Plan {
    pub(crate) condition: Option<Condition>,
    pub(crate) selection: Option<Selection>,
    pub(crate) deadband: Option<Deadband>,
    pub(crate) window: Option<Window>,
    pub(crate) rate: Option<Rate>,
    pub(crate) patch: bool,
    pub(crate) fresh: Option<Fresh>,
    pub(crate) on_error: OnError,
}

/// An option that can't be done as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {reason}")]
pub struct PlanError {
    /// The option's name, with dots.
    pub option: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl Plan {
    /// Compiles a view.
    ///
    /// # Errors
    /// The first option that can't be done.
    pub fn compile(options: &ViewOptions<'_>) -> Result<Self, PlanError> {
        let selected = options.select.iter().map(|path| &**path);
        let selection = (!options.select.is_empty()).then(|| Selection::compile(selected)).transpose();
        let deadband = options.deadband.as_ref().map(Deadband::compile).transpose();
        let window = options.window.as_ref().map(Window::compile).transpose();
        let plan = Self {
            condition: options
                .condition
                .as_deref()
                .map(Condition::compile)
                .transpose()
                .map_err(|why| error("where", why))?,
            selection: selection.map_err(|why| error("select", why))?,
            deadband: deadband.map_err(|why| error("deadband.path", why))?,
            window: window.map_err(|why| error("window.of", why))?,
            rate: options.max_rate.map(Rate::new),
            patch: options.patch,
            fresh: options.expect_ms.map(Fresh::new),
            on_error: options.on_error.unwrap_or_default(),
        };
        check_selected(options)?;
        Ok(plan)
    }

    /// A view that lets everything through as it is.
    pub(crate) fn nothing() -> Self {
        Self {
            condition: None,
            selection: None,
            deadband: None,
            window: None,
            rate: None,
            patch: false,
            fresh: None,
            on_error: OnError::default(),
        }
    }

    /// Whether something is remembered of each topic.
    pub fn has_state(&self) -> bool {
        self.deadband.is_some()
            || self.window.is_some()
            || self.rate.is_some()
            || self.patch
            || self.fresh.is_some()
    }
}

fn error(option: &'static str, why: impl ToString) -> PlanError {
    PlanError { option, reason: why.to_string() }
}

/// What comes behind a selection sees only what that lets through.
fn check_selected(options: &ViewOptions<'_>) -> Result<(), PlanError> {
    let deadband = options.deadband.iter().map(|deadband| ("deadband.path", &deadband.path));
    let window = options.window.iter().flat_map(|window| window.of.iter().map(|path| ("window.of", path)));
    for (option, path) in deadband.chain(window) {
        if !options.select.is_empty() && !options.select.iter().any(|selected| leads_through(path, selected))
        {
            return Err(error(option, format!("select leaves {path:?} out, and comes before it")));
        }
    }
    Ok(())
}

/// Whether the way of `path` leads through the end of `selected`.
fn leads_through(path: &str, selected: &str) -> bool {
    let (Ok(path), Ok(selected)) = (Path::parse(path), Path::parse(selected)) else { return false };
    path.names().len() >= selected.names().len() && path.names().zip(selected.names()).all(|(a, b)| a == b)
}
