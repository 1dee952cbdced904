//! Arithmetic and order of numbers. Whole ones among each other are exact; with others they become floats.

use std::cmp::Ordering;

use crate::value::{Unusable, Value};

/// An operator on two numbers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Arithmetic {
    pub(super) fn of<'a>(self, left: Value<'a>, right: Value<'a>) -> Result<Value<'a>, Unusable> {
        match (left, right) {
            (Value::Int(left), Value::Int(right)) => self.whole(left, right),
            (Value::Int(left), Value::Double(right)) => self.float(left as f64, right),
            (Value::Double(left), Value::Int(right)) => self.float(left, right as f64),
            (Value::Double(left), Value::Double(right)) => self.float(left, right),
            _ => Err(Unusable::Types),
        }
    }

    fn whole<'a>(self, left: i128, right: i128) -> Result<Value<'a>, Unusable> {
        let result = match self {
            Self::Add => left.checked_add(right),
            Self::Subtract => left.checked_sub(right),
            Self::Multiply => left.checked_mul(right),
            Self::Divide => left.checked_div(right),
            Self::Modulo => left.checked_rem(right),
        };
        result.and_then(whole).ok_or(Unusable::Arithmetic)
    }

    fn float<'a>(self, left: f64, right: f64) -> Result<Value<'a>, Unusable> {
        Ok(Value::Double(match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Modulo => return Err(Unusable::Types),
        }))
    }
}

/// A whole number, if it fits into 64 bits with or without a sign.
pub(super) fn whole<'a>(number: i128) -> Option<Value<'a>> {
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number).then_some(Value::Int(number))
}

/// Which of two numbers is greater; none where one is none, or not a number.
#[inline]
pub(super) fn order(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(&right)),
        (Value::Int(left), Value::Double(right)) => (left as f64).partial_cmp(&right),
        (Value::Double(left), Value::Int(right)) => left.partial_cmp(&(right as f64)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(&right),
        _ => None,
    }
}

/// Whether it is a number.
#[inline]
pub(super) fn is_number(value: Value<'_>) -> bool {
    matches!(value, Value::Int(_) | Value::Double(_))
}
