//! Values into payloads.

use bytes::Bytes;
use murre_protocol::Format;
use serde::Serialize;

use crate::error::EncodeError;

/// `value` as JSON.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, EncodeError> {
    match serde_json::to_vec(value) {
        Ok(payload) => Ok(payload.into()),
        Err(error) => Err(EncodeError { format: Format::Json, problem: error.to_string() }),
    }
}

/// `value` as MessagePack, structs as maps by their fields' names, so that any language can read them.
pub(crate) fn msgpack<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, EncodeError> {
    match rmp_serde::to_vec_named(value) {
        Ok(payload) => Ok(payload.into()),
        Err(error) => Err(EncodeError { format: Format::MessagePack, problem: error.to_string() }),
    }
}
