//! An expression, and what it is worth for a reading.

use std::cmp::Ordering;

use regex::Regex;

use super::{
    Subject,
    numbers::{Arithmetic, is_number, order, whole},
};
use crate::value::{Text, Unusable, Value};

type Two = Box<[Expression; 2]>;

#[derive(Debug)]
pub(super) enum Expression {
    Constant(Constant),
    Variable(Variable),
    Field { of: Box<Expression>, name: Box<str> },
    Has { of: Box<Expression>, name: Box<str> },
    Index(Two),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    And(Two),
    Or(Two),
    Conditional(Box<[Expression; 3]>),
    Compare(Comparison, Two),
    Compute(Arithmetic, Two),
    TextTest(TextTest, Two),
    Matches { text: Box<Expression>, pattern: Box<Regex> },
    IsOneOf { item: Box<Expression>, items: Vec<Expression> },
    IsIn(Two),
    Size(Box<Expression>),
    Double(Box<Expression>),
    Int(Box<Expression>),
}

#[derive(Debug)]
pub(super) enum Constant {
    Null,
    Bool(bool),
    Int(i128),
    Double(f64),
    Text(Box<str>),
    Bytes(Box<[u8]>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Variable {
    Payload,
    Topic,
    Levels,
    Time,
    Format,
}

impl Variable {
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "payload" => Self::Payload,
            "topic" => Self::Topic,
            "levels" => Self::Levels,
            "time" => Self::Time,
            "format" => Self::Format,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

impl Expression {
    /// What it is worth.
    pub(super) fn value<'a>(&'a self, subject: &Subject<'a>) -> Result<Value<'a>, Unusable> {
        match self {
            Self::Constant(constant) => Ok(constant.value()),
            Self::Variable(variable) => variable.value(subject),
            Self::Field { .. } | Self::Index(_) => self.raw(subject),
            Self::Has { of, name } => match of.value(subject)? {
                Value::Map(map) => map.find(name).map(|found| Value::Bool(found.is_some())),
                _ => Err(Unusable::Types),
            },
            Self::Not(one) => one.truth(subject).map(|truth| Value::Bool(!truth)),
            Self::Negative(one) => match one.value(subject)? {
                Value::Int(n) => n.checked_neg().and_then(whole).ok_or(Unusable::Arithmetic),
                Value::Double(n) => Ok(Value::Double(-n)),
                _ => Err(Unusable::Types),
            },
            Self::And(both) => decided(both, subject, false),
            Self::Or(both) => decided(both, subject, true),
            Self::Conditional(three) => {
                let [condition, yes, no] = &**three;
                if condition.truth(subject)? { yes.value(subject) } else { no.value(subject) }
            }
            Self::Compare(how, both) => {
                let [left, right] = both_values(both, subject)?;
                how.holds(left, right).map(Value::Bool)
            }
            Self::Compute(how, both) => {
                let [left, right] = both_values(both, subject)?;
                how.of(left, right)
            }
            Self::TextTest(how, both) => {
                let [text, part] = both_values(both, subject)?;
                how.holds(text, part).map(Value::Bool)
            }
            Self::Matches { text, pattern } => {
                Ok(Value::Bool(pattern.is_match(&text_of(text.value(subject)?)?.plain()?)))
            }
            Self::IsOneOf { item, items } => is_one_of(item.value(subject)?, items, subject),
            Self::IsIn(both) => {
                let [item, list] = both_values(both, subject)?;
                is_in(item, list).map(Value::Bool)
            }
            Self::Size(one) => size(one.value(subject)?),
            Self::Double(one) => double(one.value(subject)?),
            Self::Int(one) => int(one.value(subject)?),
        }
    }

    #[inline]
    fn truth<'a>(&'a self, subject: &Subject<'a>) -> Result<bool, Unusable> {
        match self.value(subject)? {
            Value::Bool(truth) => Ok(truth),
            _ => Err(Unusable::Types),
        }
    }

    /// What stands at a field or an index.
    #[inline]
    fn raw<'a>(&'a self, subject: &Subject<'a>) -> Result<Value<'a>, Unusable> {
        match self {
            Self::Field { of, name } => match of.value(subject)? {
                Value::Map(map) => map.get(name)?.value(),
                _ => Err(Unusable::Missing),
            },
            Self::Index(both) => match both_values(both, subject)? {
                [Value::Levels(topic), Value::Int(at)] => {
                    let level = usize::try_from(at).ok().and_then(|at| topic.split('/').nth(at));
                    level.map(|level| Value::Text(Text::Plain(level))).ok_or(Unusable::Missing)
                }
                [Value::List(list), Value::Int(at)] => {
                    list.at(usize::try_from(at).map_err(|_| Unusable::Missing)?)?.value()
                }
                [Value::Map(map), Value::Text(key)] => map.get(&key.plain()?)?.value(),
                _ => Err(Unusable::Types),
            },
            other => other.value(subject),
        }
    }
}

#[inline]
fn both_values<'a>(both: &'a Two, subject: &Subject<'a>) -> Result<[Value<'a>; 2], Unusable> {
    let [left, right] = &**both;
    Ok([left.value(subject)?, right.value(subject)?])
}

/// `&&` and `||`, which one side that decides settles, whatever is wrong with the other.
fn decided<'a>(both: &'a Two, subject: &Subject<'a>, deciding: bool) -> Result<Value<'a>, Unusable> {
    let [left, right] = &**both;
    let left = left.truth(subject);
    if left == Ok(deciding) {
        return Ok(Value::Bool(deciding));
    }
    let right = right.truth(subject)?;
    if right == deciding { Ok(Value::Bool(right)) } else { left.map(Value::Bool) }
}

impl Constant {
    #[inline]
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(n) => Value::Int(*n),
            Self::Double(n) => Value::Double(*n),
            Self::Text(text) => Value::Text(Text::Plain(text)),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

impl Variable {
    #[inline]
    fn value<'a>(self, subject: &Subject<'a>) -> Result<Value<'a>, Unusable> {
        Ok(match self {
            Self::Payload => return Value::of(subject.format, subject.payload),
            Self::Topic => Value::Text(Text::Plain(subject.topic)),
            Self::Levels => Value::Levels(subject.topic),
            Self::Time => Value::Int(subject.time_ms.into()),
            Self::Format => Value::Int(subject.format.number().into()),
        })
    }
}

impl Comparison {
    #[inline]
    fn holds(self, left: Value<'_>, right: Value<'_>) -> Result<bool, Unusable> {
        match self {
            Self::Equal => is_equal(left, right),
            Self::NotEqual => is_equal(left, right).map(|equal| !equal),
            _ => Ok(self.fits(ordering(left, right)?)),
        }
    }

    /// Whether an order is the one asked for; none, as with what is not a number, is in no order.
    fn fits(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Less => order.is_some_and(Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
            Self::Greater => order.is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            Self::Equal | Self::NotEqual => false,
        }
    }
}

/// Whether two values are equal; of different types they aren't.
fn is_equal(left: Value<'_>, right: Value<'_>) -> Result<bool, Unusable> {
    match (left, right) {
        (Value::Text(Text::Plain(left)), Value::Text(right))
        | (Value::Text(right), Value::Text(Text::Plain(left))) => Ok(right == *left),
        (Value::List(_) | Value::Map(_), Value::List(_) | Value::Map(_)) => Err(Unusable::Types),
        (left, right) if is_number(left) && is_number(right) => {
            Ok(order(left, right) == Some(Ordering::Equal))
        }
        (left, right) => Ok(left == right),
    }
}

fn ordering(left: Value<'_>, right: Value<'_>) -> Result<Option<Ordering>, Unusable> {
    match (left, right) {
        (left, right) if is_number(left) && is_number(right) => Ok(order(left, right)),
        (Value::Text(left), Value::Text(right)) => Ok(Some(left.plain()?.cmp(&right.plain()?))),
        (Value::Bytes(left), Value::Bytes(right)) => Ok(Some(left.cmp(right))),
        (Value::Bool(left), Value::Bool(right)) => Ok(Some(left.cmp(&right))),
        _ => Err(Unusable::Types),
    }
}

fn text_of(value: Value<'_>) -> Result<Text<'_>, Unusable> {
    if let Value::Text(text) = value { Ok(text) } else { Err(Unusable::Types) }
}

impl TextTest {
    fn holds(self, text: Value<'_>, part: Value<'_>) -> Result<bool, Unusable> {
        let (text, part) = (text_of(text)?.plain()?, text_of(part)?.plain()?);
        Ok(match self {
            Self::StartsWith => text.starts_with(&*part),
            Self::EndsWith => text.ends_with(&*part),
            Self::Contains => text.contains(&*part),
        })
    }
}

fn is_one_of<'a>(
    item: Value<'a>,
    items: &'a [Expression],
    subject: &Subject<'a>,
) -> Result<Value<'a>, Unusable> {
    for other in items {
        if is_equal(item, other.value(subject)?)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// Whether a list has an item, or a map a key.
fn is_in(item: Value<'_>, list: Value<'_>) -> Result<bool, Unusable> {
    match list {
        Value::Levels(topic) => {
            let item = text_of(item)?;
            Ok(topic.split('/').any(|level| item == *level))
        }
        Value::Map(map) => map.find(&text_of(item)?.plain()?).map(|found| found.is_some()),
        Value::List(list) => list.any(|other| is_equal(item, other)),
        _ => Err(Unusable::Types),
    }
}

fn size<'a>(value: Value<'_>) -> Result<Value<'a>, Unusable> {
    let size = match value {
        Value::Text(text) => text.plain()?.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Levels(topic) => topic.split('/').count(),
        Value::List(raw) | Value::Map(raw) => raw.len()?.ok_or(Unusable::Types)?,
        _ => return Err(Unusable::Types),
    };
    Ok(Value::Int(size as i128))
}

fn double<'a>(value: Value<'_>) -> Result<Value<'a>, Unusable> {
    match value {
        Value::Int(n) => Ok(Value::Double(n as f64)),
        Value::Double(n) => Ok(Value::Double(n)),
        Value::Text(text) => {
            text.plain()?.trim().parse().map(Value::Double).map_err(|_| Unusable::NotANumber)
        }
        _ => Err(Unusable::Types),
    }
}

fn int<'a>(value: Value<'_>) -> Result<Value<'a>, Unusable> {
    match value {
        Value::Int(n) => Ok(Value::Int(n)),
        // A float past the range becomes its end, and that is past 64 bits.
        Value::Double(n) if n.is_finite() => whole(n.trunc() as i128).ok_or(Unusable::Arithmetic),
        Value::Text(text) => {
            let number: i128 = text.plain()?.trim().parse().map_err(|_| Unusable::NotANumber)?;
            whole(number).ok_or(Unusable::Arithmetic)
        }
        _ => Err(Unusable::Types),
    }
}
