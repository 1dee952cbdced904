//! Conditions in CEL, the Common Expression Language: read by the crate `cel`, evaluated over the payload as it
//! stands, without turning it into values first.
//!
//! | file | has |
//! |---|---|
//! | `compile` | an expression from the parser's tree, and all that is refused |
//! | `expression` | what an expression is made of, and what it is worth for a reading |
//! | `numbers` | arithmetic and order |
//!
//! What a client can make grow is bounded: 1,024 bytes of text, [`DEPTH_MAX`] and [`NODES_MAX`] of the tree, 128 KiB
//! of a compiled regular expression. Nothing loops: comprehension macros are refused. Evaluating allocates only to
//! take the escapes out of JSON text.
//!
//! Numbers are laxer than CEL's: whole ones and others compare and compute with each other, since a JSON payload
//! says `21` as well as `21.4`.

use murre_protocol::{Format, packet::view::WHERE_BYTES_MAX};

use crate::value::{Unusable, Value};

mod compile;
mod expression;
mod numbers;

use expression::Expression;

/// How deep an expression may be.
pub const DEPTH_MAX: usize = 64;
/// How many operators, names and values an expression may have.
pub const NODES_MAX: usize = 256;

/// Why text is no condition that can be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", place(*.line, *.column))]
pub struct ConditionError {
    /// The line, from 1; 0 where it isn't known.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

fn place(line: usize, column: usize) -> String {
    if line == 0 { String::new() } else { format!("line {line}, column {column}: ") }
}

/// What a condition is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// `topic`, and `levels` as a list.
    pub topic: &'a str,
    /// `time`: Unix milliseconds.
    pub time_ms: u64,
    /// `format`: 0 raw, 1 MessagePack, 2 JSON, 3 text.
    pub format: Format,
    /// `payload`: text and bytes as such, MessagePack and JSON as what they hold.
    pub payload: &'a [u8],
}

/// A condition, compiled once.
#[derive(Debug)]
pub struct Condition {
    expression: Expression,
}

impl Condition {
    /// Compiles a condition.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn compile(source: &str) -> Result<Self, ConditionError> {
        if source.len() > WHERE_BYTES_MAX {
            let reason = format!("it has {} bytes, at most {WHERE_BYTES_MAX} are allowed", source.len());
            return Err(ConditionError { line: 0, column: 0, reason });
        }
        Ok(Self { expression: compile::compile(source)? })
    }

    /// Whether a reading meets it.
    ///
    /// # Errors
    /// It is neither true nor false: the payload lacks something that counts, or a type is the wrong one.
    #[inline]
    pub fn is_met(&self, subject: &Subject<'_>) -> Result<bool, Unusable> {
        match self.expression.value(subject)? {
            Value::Bool(met) => Ok(met),
            _ => Err(Unusable::Types),
        }
    }
}
