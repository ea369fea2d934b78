//! Type expressions: `list<record<name: text, score: float?>>?` and the like. Depth is bounded, because plugins write
//! them.

use std::str::FromStr;

use super::{Field, Kind, Schema, Type};
use crate::text::is_visible;

/// How deep a type may nest.
pub const DEPTH_MAX: usize = 16;

/// Why a type expression cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at character {at} of `{text}`")]
pub struct ParseError {
    text: String,
    at: usize,
    reason: String,
}

impl FromStr for Type {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Type, ParseError> {
        parse_all(text, |parser, depth| parser.ty(depth))
    }
}

impl FromStr for Schema {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Schema, ParseError> {
        parse_all(text, |parser, depth| parser.schema(depth, None))
    }
}

fn is_name_char(c: char) -> bool {
    // Unicode has letters that nobody sees.
    c.is_alphanumeric() && is_visible(c) || c == '_' || c == '-'
}

fn parse_all<T>(
    text: &str,
    rule: impl FnOnce(&mut Parser<'_>, usize) -> Result<T, ParseError>,
) -> Result<T, ParseError> {
    let mut parser = Parser { text, at: 0 };
    let value = rule(&mut parser, 0)?;
    parser.skip_spaces();
    if parser.at < text.len() { Err(parser.error("expected the end")) } else { Ok(value) }
}

struct Parser<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, reason: impl Into<String>) -> ParseError {
        let at = self.text[..self.at].chars().count() + 1;
        ParseError { text: self.text.to_owned(), at, reason: reason.into() }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: char) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len_utf8();
        }
        found
    }

    fn expect(&mut self, token: char) -> Result<(), ParseError> {
        if self.eat(token) { Ok(()) } else { Err(self.error(format!("expected `{token}`"))) }
    }

    fn name(&mut self) -> Result<&'a str, ParseError> {
        self.skip_spaces();
        let rest = self.rest();
        let end = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.error("expected a name"));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    fn ty(&mut self, depth: usize) -> Result<Type, ParseError> {
        if depth > DEPTH_MAX {
            return Err(self.error(format!("types nest deeper than {DEPTH_MAX}")));
        }
        self.skip_spaces();
        let start = self.at;
        let kind = match self.name()? {
            "boolean" => Kind::Boolean,
            "integer" => Kind::Integer,
            "float" => Kind::Float,
            "text" => Kind::Text,
            "bytes" => Kind::Bytes,
            "timestamp" => Kind::Timestamp,
            "any" => Kind::Any,
            "list" => {
                self.expect('<')?;
                let item = self.ty(depth + 1)?;
                self.expect('>')?;
                Kind::List(Box::new(item))
            }
            "record" => {
                self.expect('<')?;
                let schema = self.schema(depth + 1, Some('>'))?;
                if schema.is_empty() {
                    return Err(self.error("a record needs a field"));
                }
                self.expect('>')?;
                Kind::Record(schema)
            }
            other => {
                self.at = start;
                return Err(self.error(format!(
                    "`{other}` is no type (boolean, integer, float, text, bytes, timestamp, list<...>, record<...>)"
                )));
            }
        };
        Ok(Type { kind, optional: self.eat('?') })
    }

    /// Fields with commas between them, until `end` or the end of the text.
    fn schema(&mut self, depth: usize, end: Option<char>) -> Result<Schema, ParseError> {
        let mut fields = Vec::new();
        loop {
            self.skip_spaces();
            let ended = match end {
                Some(end) => self.rest().starts_with(end),
                None => self.rest().is_empty(),
            };
            if ended {
                break;
            }
            let name = self.name()?.to_owned();
            self.expect(':')?;
            fields.push(Field { name, ty: self.ty(depth)? });
            if !self.eat(',') {
                break;
            }
        }
        Schema::try_new(fields).map_err(|duplicate| self.error(duplicate.to_string()))
    }
}
