//! Payloads out of what a person typed.

use murre_protocol::Format;

use crate::failure::Failure;

/// How the text or file of `pub` is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum PayloadFormat {
    /// A JSON value.
    #[default]
    Json,
    /// UTF-8 text.
    Text,
    /// A JSON value, sent as MessagePack.
    Msgpack,
    /// Bytes as they are.
    Raw,
}

impl PayloadFormat {
    /// The format on the wire.
    pub(crate) fn wire(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Text => Format::Text,
            Self::Msgpack => Format::MessagePack,
            Self::Raw => Format::Raw,
        }
    }

    /// Whether a blank line carries nothing in this format.
    pub(crate) fn skips_blank(self) -> bool {
        matches!(self, Self::Json | Self::Msgpack)
    }

    /// The payload's bytes out of `input`.
    ///
    /// # Errors
    /// `input` isn't of this format; says what would do instead.
    pub(crate) fn payload(self, input: Vec<u8>) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Raw => Ok(input),
            Self::Text => match std::str::from_utf8(&input) {
                Ok(_) => Ok(input),
                Err(error) => Err(Failure::Usage(format!(
                    "the payload is not UTF-8 text ({error}); use --format raw to send bytes as they are"
                ))),
            },
            // Sent as typed: numbers keep their digits, keys their order.
            Self::Json => match serde_json::from_slice::<&serde_json::value::RawValue>(&input) {
                Ok(value) => Ok(value.get().as_bytes().to_vec()),
                Err(error) => Err(not_json(&input, &error)),
            },
            Self::Msgpack => {
                let value: serde_json::Value =
                    serde_json::from_slice(&input).map_err(|error| not_json(&input, &error))?;
                rmp_serde::to_vec_named(&value).map_err(Failure::failed)
            }
        }
    }
}

fn not_json(input: &[u8], error: &serde_json::Error) -> Failure {
    let shown = crate::output::escape(&crate::output::shorten(&String::from_utf8_lossy(input), 40));
    Failure::Usage(format!(
        "the payload '{shown}' is not JSON ({error}); quote it for the shell, as in '{{\"celsius\": 21.4}}', \
         or use --format text"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(format: PayloadFormat, input: &str) -> Result<Vec<u8>, String> {
        format.payload(input.into()).map_err(|error| error.to_string())
    }

    #[test]
    fn json_is_sent_as_it_was_typed() {
        let typed = "{\"b\": 1.10, \"a\": 12345678901234567890123}";
        assert_eq!(payload(PayloadFormat::Json, &format!(" {typed}\n")).unwrap(), typed.as_bytes());
        assert_eq!(payload(PayloadFormat::Json, "21.4").unwrap(), b"21.4");
    }

    #[test]
    fn text_that_is_no_json_is_refused_with_advice() {
        let error = payload(PayloadFormat::Json, "{celsius: 21.4}").unwrap_err();
        assert!(error.starts_with("the payload '{celsius: 21.4}' is not JSON"), "{error}");
        assert!(error.contains("quote it") && error.contains("--format text"), "{error}");
        assert_eq!(error.lines().count(), 1);
    }

    #[test]
    fn a_json_argument_becomes_messagepack() {
        let bytes = payload(PayloadFormat::Msgpack, r#"{"celsius": 21.5, "ok": true}"#).unwrap();
        assert_eq!(bytes, b"\x82\xa7celsius\xcb\x40\x35\x80\x00\x00\x00\x00\x00\xa2ok\xc3");
        assert!(payload(PayloadFormat::Msgpack, "x").unwrap_err().contains("is not JSON"));
    }

    #[test]
    fn text_has_to_be_utf_8_and_raw_bytes_may_be_anything() {
        assert!(PayloadFormat::Text.payload(vec![0xff]).is_err());
        assert_eq!(PayloadFormat::Raw.payload(vec![0xff]).unwrap(), [0xff]);
    }
}
