//! Conditions on callers, in the Common Expression Language (CEL).
//!
//! An expression is its author's word, and what it is about may be a stranger's, so it is bounded
//! before it is used: in length, in depth, in the functions it knows, and by going through a list
//! within no other list. At worst it looks for each item of a list of claims in another such list,
//! and what credentials hold is bounded by what a request's head may.

use std::fmt;
use std::sync::Arc;
use std::thread;

use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use cel::parser::Parser;
use cel::{Context, Value};
use serde_json::json;

use crate::{Caller, Scopes};

/// Bytes of an expression.
const MOST_BYTES: usize = 2_048;
/// Levels of an expression as the parser counts them.
const MOST_NESTED: u16 = 32;
/// Levels of an expression when it is read: each is a frame or two of the evaluation.
const MOST_DEPTH: usize = 32;
/// Bytes of stack: the parser takes some hundred kilobytes for a few levels, without optimization.
const STACK_BYTES: usize = 32 << 20;

/// What an expression may speak of.
const VARIABLES: [&str; 3] = ["caller", "agent", "skill"];
/// What it may ask of a caller.
const OF_CALLER: [&str; 6] = ["tenant", "subject", "scopes", "roles", "scheme", "claims"];

/// The operators and functions that an expression may have, as the parser calls them.
const FUNCTIONS: [&str; 21] = [
    "_&&_",
    "_||_",
    "!_",
    "_==_",
    "_!=_",
    "_<_",
    "_<=_",
    "_>_",
    "_>=_",
    "@in",
    "_[_]",
    "_?_:_",
    "_+_",
    "_-_",
    "-_",
    "@not_strictly_false",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "string",
];

/// A condition on a caller, ready to be asked.
#[derive(Clone)]
pub struct Expression {
    text: Arc<str>,
    read: Arc<IdedExpr>,
}

/// A text is no expression that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadExpression {
    /// The line of the fault within the text, and its column there, from 1, if they are known.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for BadExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((1, column)) => write!(f, "{} at column {column} of the expression", self.what),
            Some((line, column)) => {
                write!(f, "{} at line {line}, column {column} of the expression", self.what)
            }
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for BadExpression {}

impl From<String> for BadExpression {
    fn from(what: String) -> Self {
        Self { at: None, what }
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// ```
    /// use legation_core::Expression;
    ///
    /// assert!(Expression::new("caller.tenant == 'acme' && 'analyst' in caller.roles").is_ok());
    /// assert!(Expression::new("caller.tennant == 'acme'").is_err());
    /// ```
    ///
    /// # Errors
    /// When it is none, or not one that is taken.
    pub fn new(text: &str) -> Result<Self, BadExpression> {
        if text.len() > MOST_BYTES {
            return Err(format!("it has more than {MOST_BYTES} bytes").into());
        }
        let owned = text.to_owned();
        // The parser descends for each level, and on the stack of any other thread might not return.
        let reading = thread::Builder::new().name("expression".into()).stack_size(STACK_BYTES);
        let read = reading.spawn(move || parse(&owned));
        let read = read.map_err(|error| format!("it cannot be read now: {error}"))?;
        let read = read.join().map_err(|_| "it crashed the parser".to_owned())??;
        Survey { bound: Vec::new(), is_inside: false }.visit(&read, 0)?;
        Ok(Self { text: text.into(), read: Arc::new(read) })
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is true of a caller who wants to use a skill of an agent. What cannot be told,
    /// such as of a claim that is not there, is not true.
    pub(super) fn holds(&self, caller: &Caller, agent: &str, skill: &str) -> bool {
        let scopes: Vec<&str> = match &caller.scopes {
            Scopes::All => vec!["*"],
            Scopes::Only(names) => names.iter().map(|name| &**name).collect(),
        };
        let claims = caller.claims.as_ref().and_then(|claims| claims.read().ok());
        let said = json!({
            "tenant": &*caller.tenant,
            "subject": &*caller.subject,
            "scopes": scopes,
            "roles": caller.roles.iter().map(|role| &**role).collect::<Vec<_>>(),
            "scheme": &*caller.scheme,
            "claims": claims.unwrap_or_else(|| json!({})),
        });
        let Ok(said) = cel::to_value(said) else { return false };
        let mut context = Context::default();
        context.add_variable_from_value("caller", said);
        context.add_variable_from_value("agent", agent.to_owned());
        context.add_variable_from_value("skill", skill.to_owned());
        match context.resolve(&self.read) {
            Ok(Value::Bool(holds)) => holds,
            Ok(_) => false,
            Err(error) => {
                // Which kind of fault, and not of which value.
                let fault = std::mem::discriminant(&error);
                tracing::debug!(agent, skill, ?fault, "a condition cannot be told");
                false
            }
        }
    }
}

fn parse(text: &str) -> Result<IdedExpr, BadExpression> {
    Parser::default().max_recursion_depth(MOST_NESTED).parse(text).map_err(|errors| {
        let Some(first) = errors.errors.first() else { return "it is none".to_owned().into() };
        let place = |number: isize| usize::try_from(number).ok().filter(|number| *number > 0);
        let (line, column) = first.pos;
        let what = first.msg.lines().next().unwrap_or_default().chars().take(200).collect();
        BadExpression { at: place(line).zip(place(column)), what }
    })
}

/// Looks through an expression for what is not taken.
struct Survey<'e> {
    /// The variables that going through a list brings.
    bound: Vec<&'e str>,
    is_inside: bool,
}

impl<'e> Survey<'e> {
    fn visit(&mut self, node: &'e IdedExpr, depth: usize) -> Result<(), String> {
        if depth > MOST_DEPTH {
            return Err(format!("it nests deeper than {MOST_DEPTH} levels"));
        }
        let below = depth + 1;
        match &node.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                if let Expr::Ident(name) = &select.operand.expr
                    && name == "caller"
                    && !OF_CALLER.contains(&&*select.field)
                {
                    let known = OF_CALLER.join("`, `");
                    return Err(format!("of a caller there is `{known}`, not `{}`", select.field));
                }
                self.visit(&select.operand, below)
            }
            Expr::Call(call) => {
                if !FUNCTIONS.contains(&&*call.func_name) {
                    return Err(format!("there is no `{}` here", call.func_name));
                }
                let target = call.target.as_deref().into_iter();
                target.chain(&call.args).try_for_each(|node| self.visit(node, below))
            }
            Expr::List(list) => list.elements.iter().try_for_each(|node| self.visit(node, below)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.visit(&entry.key, below)?;
                    self.visit(&entry.value, below)
                }
                EntryExpr::StructField(_) => Err(STRUCTS.to_owned()),
            }),
            Expr::Comprehension(list) => {
                if self.is_inside {
                    return Err("it goes through a list within another".into());
                }
                if let Expr::List(_) = list.accu_init.expr {
                    // What they gather is copied for each item.
                    return Err("`map` and `filter` are not taken".into());
                }
                self.visit(&list.iter_range, below)?;
                self.is_inside = true;
                self.bound.extend([&*list.iter_var, &*list.accu_var]);
                self.bound.extend(list.iter_var2.as_deref());
                let parts = [&list.accu_init, &list.loop_cond, &list.loop_step, &list.result];
                parts.into_iter().try_for_each(|node| self.visit(node, below))?;
                self.bound.clear();
                self.is_inside = false;
                Ok(())
            }
            Expr::Struct(_) => Err(STRUCTS.to_owned()),
            Expr::Unspecified => Err("something is missing in it".into()),
        }
    }

    fn variable(&self, name: &str) -> Result<(), String> {
        if VARIABLES.contains(&name) || self.bound.contains(&name) {
            return Ok(());
        }
        Err(format!("it speaks of `{name}`; there is `{}`", VARIABLES.join("`, `")))
    }
}

const STRUCTS: &str = "it makes a message, and there are none here";

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}
