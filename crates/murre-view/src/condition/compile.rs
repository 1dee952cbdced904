//! From a condition's text to an expression that can be evaluated.

use cel::{
    common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators},
    parser::{
        PrattParser,
        pratt_parser::{Lexer, TokenKind},
    },
};
use regex::{Regex, RegexBuilder};

use super::{
    ConditionError, DEPTH_MAX, NODES_MAX,
    expression::{Comparison, Constant, Expression, TextTest, Variable},
    numbers::Arithmetic,
};

/// How deep brackets may be nested. The parser goes a dozen calls deeper for each.
const BRACKETS_MAX: u16 = 24;
/// Bytes of a compiled regular expression, and again of its cache.
const REGEX_BYTES_MAX: usize = 128 * 1024;

const MACROS: [&str; 5] = ["all", "exists", "exists_one", "filter", "map"];

pub(super) fn compile(source: &str) -> Result<Expression, ConditionError> {
    let parser = PrattParser::new()
        .max_recursion_depth(BRACKETS_MAX)
        .error_recovery_limit(1)
        .error_reporting_limit(1)
        .enable_ident_escape_syntax(true);
    let tree = parser.parse(source).map_err(|errors| {
        let first = errors.errors.into_iter().next();
        let (line, column) = first.as_ref().map_or((0, 0), |error| error.pos);
        let reason = first.map_or_else(|| "it can't be read".to_owned(), |error| error.msg);
        let place = |n: isize| usize::try_from(n).unwrap_or(0);
        ConditionError { line: place(line), column: place(column), reason }
    })?;
    Compiler { source, nodes: 0 }.expression(&tree, 0)
}

struct Compiler<'s> {
    source: &'s str,
    nodes: usize,
}

type Compiled = Result<Expression, ConditionError>;

impl Compiler<'_> {
    /// The error that `name` is not what it may be, at the first place where it stands.
    fn error(&self, name: &str, reason: impl Into<String>) -> ConditionError {
        let (line, column) = place_of(self.source, name).unwrap_or((0, 0));
        ConditionError { line, column, reason: reason.into() }
    }

    fn expression(&mut self, tree: &IdedExpr, depth: usize) -> Compiled {
        self.nodes += 1;
        if depth > DEPTH_MAX || self.nodes > NODES_MAX {
            let reason = format!("it is too large: at most {NODES_MAX} parts, {DEPTH_MAX} deep");
            return Err(self.error("", reason));
        }
        let depth = depth + 1;
        match &tree.expr {
            Expr::Ident(name) => self.variable(name),
            Expr::Literal(literal) => self.constant(literal),
            Expr::Select(select) => {
                let of = Box::new(self.expression(&select.operand, depth)?);
                let name = select.field.as_str().into();
                Ok(if select.test { Expression::Has { of, name } } else { Expression::Field { of, name } })
            }
            Expr::Call(call) => self.call(call, depth),
            Expr::Comprehension(_) => {
                let name = MACROS.into_iter().find(|name| place_of(self.source, name).is_some());
                let reason =
                    "macros that go over a list (all, exists, exists_one, filter, map) are not supported";
                Err(self.error(name.unwrap_or_default(), reason))
            }
            Expr::List(_) => Err(self.error("", "a list can stand only behind `in`")),
            Expr::Map(_) | Expr::Struct(_) => Err(self.error("", "maps and messages can't be made here")),
            Expr::Unspecified => Err(self.error("", "it is empty")),
        }
    }

    fn variable(&self, name: &str) -> Compiled {
        Variable::from_word(name).map(Expression::Variable).ok_or_else(|| {
            let reason = format!("{name:?} is not known; there are payload, topic, levels, time and format");
            self.error(name, reason)
        })
    }

    fn constant(&self, literal: &LiteralValue) -> Compiled {
        Ok(Expression::Constant(match literal {
            LiteralValue::Boolean(value) => Constant::Bool(*value.inner()),
            LiteralValue::Double(value) => Constant::Double(*value.inner()),
            LiteralValue::Int(value) => Constant::Int((*value.inner()).into()),
            LiteralValue::UInt(value) => Constant::Int((*value.inner()).into()),
            LiteralValue::Null => Constant::Null,
            LiteralValue::String(text) => Constant::Text(text.inner().into()),
            LiteralValue::Bytes(bytes) => Constant::Bytes(bytes.inner().into()),
        }))
    }

    fn call(&mut self, call: &CallExpr, depth: usize) -> Compiled {
        let name = call.func_name.as_str();
        let arguments: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        match (name, &*arguments) {
            (operators::CONDITIONAL, [condition, yes, no]) => Ok(Expression::Conditional(Box::new([
                self.expression(condition, depth)?,
                self.expression(yes, depth)?,
                self.expression(no, depth)?,
            ]))),
            (operators::IN, [item, list]) => self.membership(item, list, depth),
            ("matches", [text, pattern]) => {
                let pattern = self.pattern(pattern)?;
                Ok(Expression::Matches { text: Box::new(self.expression(text, depth)?), pattern })
            }
            (_, [one]) => {
                let make = unary(name).ok_or_else(|| self.unknown(name))?;
                Ok(make(Box::new(self.expression(one, depth)?)))
            }
            (_, [left, right]) => {
                let make = binary(name).ok_or_else(|| self.unknown(name))?;
                Ok(make(Box::new([self.expression(left, depth)?, self.expression(right, depth)?])))
            }
            _ => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> ConditionError {
        let known = "has, size, startsWith, endsWith, contains, matches, double and int";
        self.error(name, format!("there is no function {name:?} for these arguments; there are {known}"))
    }

    fn membership(&mut self, item: &IdedExpr, list: &IdedExpr, depth: usize) -> Compiled {
        let item = Box::new(self.expression(item, depth)?);
        if let Expr::List(list) = &list.expr {
            let items: Result<Vec<_>, _> =
                list.elements.iter().map(|item| self.expression(item, depth)).collect();
            return Ok(Expression::IsOneOf { item, items: items? });
        }
        Ok(Expression::IsIn(Box::new([*item, self.expression(list, depth)?])))
    }

    /// A regular expression, which is compiled here and therefore has to be written out.
    fn pattern(&self, tree: &IdedExpr) -> Result<Box<Regex>, ConditionError> {
        let Expr::Literal(LiteralValue::String(pattern)) = &tree.expr else {
            return Err(
                self.error("matches", "the regular expression of matches has to be written out as text")
            );
        };
        let built = RegexBuilder::new(pattern.inner())
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(REGEX_BYTES_MAX)
            .nest_limit(BRACKETS_MAX.into())
            .build();
        built.map(Box::new).map_err(|error| self.error("matches", format!("the regular expression: {error}")))
    }
}

fn unary(name: &str) -> Option<fn(Box<Expression>) -> Expression> {
    Some(match name {
        operators::LOGICAL_NOT => Expression::Not,
        operators::NEGATE => Expression::Negative,
        "size" => Expression::Size,
        "double" => Expression::Double,
        "int" => Expression::Int,
        _ => return None,
    })
}

/// What makes an expression of two.
type Binary = Box<dyn Fn(Box<[Expression; 2]>) -> Expression>;

fn binary(name: &str) -> Option<Binary> {
    let compare = |how| Some(Box::new(move |both| Expression::Compare(how, both)) as Box<_>);
    let compute = |how| Some(Box::new(move |both| Expression::Compute(how, both)) as Box<_>);
    let test = |how| Some(Box::new(move |both| Expression::TextTest(how, both)) as Box<_>);
    match name {
        operators::LOGICAL_AND => Some(Box::new(Expression::And)),
        operators::LOGICAL_OR => Some(Box::new(Expression::Or)),
        operators::INDEX => Some(Box::new(Expression::Index)),
        operators::EQUALS => compare(Comparison::Equal),
        operators::NOT_EQUALS => compare(Comparison::NotEqual),
        operators::LESS => compare(Comparison::Less),
        operators::LESS_EQUALS => compare(Comparison::LessOrEqual),
        operators::GREATER => compare(Comparison::Greater),
        operators::GREATER_EQUALS => compare(Comparison::GreaterOrEqual),
        operators::ADD => compute(Arithmetic::Add),
        operators::SUBSTRACT => compute(Arithmetic::Subtract),
        operators::MULTIPLY => compute(Arithmetic::Multiply),
        operators::DIVIDE => compute(Arithmetic::Divide),
        operators::MODULO => compute(Arithmetic::Modulo),
        "startsWith" => test(TextTest::StartsWith),
        "endsWith" => test(TextTest::EndsWith),
        "contains" => test(TextTest::Contains),
        _ => None,
    }
}

/// The line and column where `name` first stands as a name.
fn place_of(source: &str, name: &str) -> Option<(usize, usize)> {
    if name.is_empty() {
        return None;
    }
    let mut lexer = Lexer::new(source);
    loop {
        let token = lexer.lex();
        match token.kind {
            TokenKind::TokEnd | TokenKind::TokError => return None,
            TokenKind::TokIdent if source.get(token.start..token.end) == Some(name) => {
                let before = source.get(..token.start)?;
                let line = before.matches('\n').count() + 1;
                let start = before.rfind('\n').map_or(0, |at| at + 1);
                return Some((line, before.get(start..)?.chars().count() + 1));
            }
            _ => {}
        }
    }
}
