//! Which form of an answer `Accept` asks for.

use actix_web::http::StatusCode;

use crate::http::problem::Problem;

/// How messages are written in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HistoryForm {
    /// One JSON object; also where the request asks for nothing in particular, or for nothing that there is.
    Json,
    /// A JSON object a line.
    Ndjson,
    /// A table, by RFC 4180.
    Csv,
}

impl HistoryForm {
    /// What `Accept` likes best; of several that it likes equally the first. An unknown media type counts for nothing.
    ///
    /// # Errors
    /// 406 where there is nothing left, since even JSON is refused with `q=0`.
    pub(crate) fn accepted(accept: &str) -> Result<Self, Problem> {
        let mut best = None;
        let mut json_refused = false;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
            let Some(form) = Self::of_media_type(&media_type) else { continue };
            let weight = parts.find_map(weight).unwrap_or(1.0);
            if weight <= 0.0 {
                json_refused |= form == Self::Json;
            } else if best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, form));
            }
        }
        match best {
            Some((_, form)) => Ok(form),
            None if json_refused => Err(Problem::new(
                StatusCode::NOT_ACCEPTABLE,
                "there are application/json, application/x-ndjson and text/csv; accept one of them",
            )),
            None => Ok(Self::Json),
        }
    }

    fn of_media_type(media_type: &str) -> Option<Self> {
        match media_type {
            "application/json" | "application/*" | "*/*" => Some(Self::Json),
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines" => Some(Self::Ndjson),
            "text/csv" | "text/*" => Some(Self::Csv),
            _ => None,
        }
    }

    /// The answer's `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// `q=0.5`, or nothing where the part says something else.
fn weight(part: &str) -> Option<f32> {
    let (name, value) = part.split_once('=')?;
    name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;

    fn form(accept: &str) -> HistoryForm {
        HistoryForm::accepted(accept).unwrap()
    }

    #[test]
    fn each_form_has_its_media_type() {
        for kind in [HistoryForm::Json, HistoryForm::Ndjson, HistoryForm::Csv] {
            assert_eq!(form(kind.content_type()), kind);
        }
        assert_eq!(form("Application/JSONL"), HistoryForm::Ndjson);
        assert_eq!(form("text/*"), HistoryForm::Csv);
    }

    #[test]
    fn what_asks_for_nothing_that_there_is_gets_json() {
        for accept in ["", "*/*", "image/png", "text/html,application/xhtml+xml,*/*;q=0.8", ";;,,="] {
            assert_eq!(form(accept), HistoryForm::Json, "{accept}");
        }
    }

    #[test]
    fn the_form_that_is_liked_best_is_given() {
        assert_eq!(form("*/*;q=0.1, text/csv"), HistoryForm::Csv);
        assert_eq!(form("text/csv;q=0.5, application/x-ndjson; q=0.9"), HistoryForm::Ndjson);
        assert_eq!(form("application/x-ndjson, application/json"), HistoryForm::Ndjson);
        assert_eq!(form("application/json;q=0, text/csv;q=0.1"), HistoryForm::Csv);
    }

    #[test]
    fn only_what_refuses_json_itself_gets_nothing() {
        let refused = HistoryForm::accepted("application/json;q=0, image/png").unwrap_err();
        assert_eq!(refused.status_code(), StatusCode::NOT_ACCEPTABLE);
        assert_eq!(form("text/csv;q=0"), HistoryForm::Json);
    }
}
