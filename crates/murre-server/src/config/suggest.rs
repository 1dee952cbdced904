//! The known key nearest to an unknown one.

use super::{Origin, sources::VARIABLE_PREFIX};

/// How alike (0 to 1, by Damerau-Levenshtein) a known key has to be to be worth naming.
const LIKENESS_MIN: f64 = 0.5;

/// What to tell someone who wrote `unknown`, in the way that `origin` writes keys.
pub(super) fn hint(unknown: &str, known: &[&str], origin: &Origin) -> String {
    let sections: Vec<&str> = known.iter().filter_map(|key| key.split('.').next()).collect();
    let nearest = match unknown.contains('.') {
        true => nearest(unknown, known),
        false => nearest(unknown, known).or_else(|| nearest_section(unknown, &sections)),
    };
    match nearest {
        Some(key) if matches!(origin, Origin::Variable(_)) => format!("did you mean {}?", variable(key)),
        Some(key) => format!("did you mean {key}?"),
        None => "all keys are listed by `murre config show`".to_owned(),
    }
}

/// The variable that sets `key`.
pub(super) fn variable(key: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

fn nearest_section<'a>(unknown: &str, sections: &[&'a str]) -> Option<&'a str> {
    let near = |section: &&str| strsim::normalized_damerau_levenshtein(unknown, section) >= LIKENESS_MIN;
    sections.iter().copied().find(near)
}

/// The one of `known` that is most like `unknown`, if any is like it at all.
pub(super) fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|key| (likeness(unknown, key), *key))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
}

/// A key in the wrong section, or in none, is as near as one with a wrong letter.
fn likeness(unknown: &str, key: &str) -> f64 {
    let whole = strsim::normalized_damerau_levenshtein(unknown, key);
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let by_name = strsim::normalized_damerau_levenshtein(&last(unknown), &last(key));
    whole.max(0.9 * by_name)
}
