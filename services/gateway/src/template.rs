//! The grammar of path templates, as `google.api.http` has it:
//!
//! ```text
//! Template  = "/" Segments [ ":" LITERAL ]
//! Segments  = Segment { "/" Segment }
//! Segment   = "*" | "**" | LITERAL | Variable
//! Variable  = "{" FieldPath [ "=" Segments ] "}"
//! FieldPath = IDENT { "." IDENT }
//! ```
//!
//! Invariant: `**` stands last, so that a path matches a template in one way only.

use std::ops::Range;

/// A path template, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    /// One entry a segment.
    pub(crate) parts: Vec<Part>,
    /// The variables in the order written.
    pub(crate) variables: Vec<Variable>,
    /// What follows the last colon, such as `cancel`.
    pub(crate) verb: Option<String>,
}

/// What one segment of a path must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// This text.
    Literal(String),
    /// Any one segment.
    One,
    /// All further segments, also none.
    Many,
}

/// A field of the request that is taken from the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// The field, such as `order.id`.
    pub(crate) field: String,
    /// The parts that it covers.
    pub(crate) parts: Range<usize>,
}

impl Template {
    /// Takes a template apart; the error completes the sentence "the template …".
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix('/').ok_or("must begin with `/`")?;
        let (rest, verb) = split_verb(rest);
        let verb = verb.map(literal).transpose()?;
        let mut parser = Parser { rest, parts: Vec::new(), variables: Vec::new() };
        parser.segments()?;
        let Parser { parts, variables, .. } = parser;

        let many = parts.iter().position(|part| *part == Part::Many);
        if many.is_some_and(|position| position + 1 != parts.len()) {
            return Err("has `**` before its end".into());
        }
        Ok(Self { parts, variables, verb })
    }

    /// Whether a variable covers all further segments.
    pub(crate) fn is_open(&self, variable: &Variable) -> bool {
        self.parts[variable.parts.clone()].contains(&Part::Many)
    }

    /// Whether a variable is one whole segment, whose encoded slashes are text.
    pub(crate) fn is_single(&self, variable: &Variable) -> bool {
        self.parts[variable.parts.clone()] == [Part::One]
    }
}

/// The verb is what follows a colon in the last segment, outside of variables.
fn split_verb(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((rest, verb)) if !verb.contains(['/', '}']) => (rest, Some(verb)),
        _ => (text, None),
    }
}

struct Parser<'a> {
    rest: &'a str,
    parts: Vec<Part>,
    variables: Vec<Variable>,
}

impl Parser<'_> {
    fn segments(&mut self) -> Result<(), String> {
        loop {
            match self.rest.strip_prefix('{') {
                Some(after) => self.variable(after)?,
                None => self.segment()?,
            }
            if self.rest.is_empty() {
                return Ok(());
            }
            self.rest = self.rest.strip_prefix('/').ok_or("has text between `}` and `/`")?;
        }
    }

    fn segment(&mut self) -> Result<(), String> {
        let end = self.rest.find('/').unwrap_or(self.rest.len());
        let (segment, rest) = self.rest.split_at(end);
        self.parts.push(part(segment)?);
        self.rest = rest;
        Ok(())
    }

    fn variable(&mut self, after: &str) -> Result<(), String> {
        let end = after.find('}').ok_or("has `{` without `}`")?;
        let inner = &after[..end];
        self.rest = &self.rest[end + 2..];

        let (field, segments) = inner.split_once('=').unwrap_or((inner, "*"));
        if !field.split('.').all(is_identifier) {
            return Err(format!("has a variable `{field}` that is not a field path"));
        }
        if self.variables.iter().any(|variable| variable.field == field) {
            return Err(format!("has the variable `{field}` twice"));
        }
        let start = self.parts.len();
        for segment in segments.split('/') {
            self.parts.push(part(segment)?);
        }
        let parts = start..self.parts.len();
        self.variables.push(Variable { field: field.to_owned(), parts });
        Ok(())
    }
}

fn part(segment: &str) -> Result<Part, String> {
    match segment {
        "*" => Ok(Part::One),
        "**" => Ok(Part::Many),
        text => literal(text).map(Part::Literal),
    }
}

fn literal(text: &str) -> Result<String, String> {
    let allowed =
        |letter: char| letter.is_ascii_alphanumeric() || "-_.~!$&'()+,;@".contains(letter);
    if text.is_empty() {
        return Err("has an empty segment or verb".into());
    }
    if !text.chars().all(allowed) {
        return Err(format!("has a segment or verb `{text}` that cannot stand in a path"));
    }
    Ok(text.to_owned())
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_of_the_grammar_is_read() {
        let template = Template::parse("/v1/{a.b=shelves/*}/x/{rest=**}:cancel").unwrap();

        let literal = |text: &str| Part::Literal(text.to_owned());
        let parts = [literal("v1"), literal("shelves"), Part::One, literal("x"), Part::Many];
        assert_eq!(template.parts, parts);
        assert_eq!(template.variables[0], Variable { field: "a.b".into(), parts: 1..3 });
        assert_eq!(template.variables[1], Variable { field: "rest".into(), parts: 4..5 });
        assert_eq!(template.verb.as_deref(), Some("cancel"));
    }

    #[test]
    fn what_is_not_of_the_grammar_is_refused() {
        for wrong in [
            "",
            "v1",
            "/",
            "//",
            "/v1/",
            "/v1//x",
            "/{",
            "/{}",
            "/{a",
            "/{a}b",
            "/{a=}",
            "/{a.}",
            "/{1}",
            "/{a}/{a}",
            "/**/x",
            "/{a=**}/x",
            "/x:",
            "/x:y/z",
            "/{a={b}}",
            "/a b",
            "/%41",
            "/x/{a=b:c}",
        ] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_parsing_panic(text in "\\PC*|[/{}*=:.a-c]{0,16}") {
            let _ = Template::parse(&text);
        }

        #[test]
        fn variables_cover_parts_that_are_there(text in "/[a-c/{}*=:.]{0,24}") {
            if let Ok(template) = Template::parse(&text) {
                for variable in &template.variables {
                    prop_assert!(variable.parts.end <= template.parts.len());
                    prop_assert!(!variable.parts.is_empty());
                }
            }
        }
    }
}
