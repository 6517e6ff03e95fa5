//! Filters of lists: the part of AIP-160 that every column can answer.
//!
//! ```text
//! filter     = [ and ]
//! and        = or { "AND" or }
//! or         = term { "OR" term }              OR binds closer than AND, as AIP-160 has it
//! term       = [ "NOT" | "-" ] ( "(" and ")" | comparison )
//! comparison = path ( "=" | "!=" | "<" | "<=" | ">" | ">=" | ":" ) literal
//! ```
//!
//! A comparison with nothing is false, and `!=` is the opposite of `=`. `path:"abc"` holds for texts
//! that begin with it, `path:*` for anything but nothing. Literals are bound, never spliced.

use std::str::FromStr;

use contract::{Column, Kind, Value};
use prost_types::Timestamp;

use crate::error::Error;
use crate::statement::Draft;

const LONGEST: usize = 2048;
const DEEPEST: usize = 16;
const MOST_COMPARISONS: usize = 64;
/// The signs of comparisons, longer ones first, and whether each is the opposite of its operator.
const SIGNS: [(&str, Operator, bool); 7] = [
    ("!=", Operator::Equal, true),
    ("<=", Operator::LessOrEqual, false),
    (">=", Operator::GreaterOrEqual, false),
    ("=", Operator::Equal, false),
    ("<", Operator::Less, false),
    (">", Operator::Greater, false),
    (":", Operator::Has, false),
];

/// A condition on the columns of a resource.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Compare { column: &'static str, nullable: bool, operator: Operator, value: Value },
    Present { column: &'static str },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Begins with.
    Has,
}

/// The condition of a filter; none when it is empty.
pub(super) fn parse(text: &str, columns: &'static [Column]) -> Result<Option<Filter>, Error> {
    if text.len() > LONGEST {
        return Err(invalid(format!("it is longer than {LONGEST} bytes")));
    }
    let mut parser = Parser { rest: text, whole: text, columns, depth: 0, comparisons: 0 };
    parser.space();
    if parser.rest.is_empty() {
        return Ok(None);
    }
    let filter = parser.all()?;
    match parser.rest {
        "" => Ok(Some(filter)),
        _ => Err(parser.expected("AND, OR or the end")),
    }
}

fn invalid(problem: String) -> Error {
    Error::InvalidList { field: "filter", reason: "INVALID_FILTER", problem }
}

struct Parser<'t> {
    rest: &'t str,
    whole: &'t str,
    columns: &'static [Column],
    depth: usize,
    comparisons: usize,
}

impl Parser<'_> {
    fn all(&mut self) -> Result<Filter, Error> {
        let mut parts = vec![self.any()?];
        while self.word("AND") {
            parts.push(self.any()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) })
    }

    fn any(&mut self) -> Result<Filter, Error> {
        let mut parts = vec![self.term()?];
        while self.word("OR") {
            parts.push(self.term()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
    }

    fn term(&mut self) -> Result<Filter, Error> {
        let not = self.word("NOT") || self.symbol("-");
        let filter = if self.symbol("(") { self.group()? } else { self.comparison()? };
        Ok(if not { Filter::Not(Box::new(filter)) } else { filter })
    }

    fn group(&mut self) -> Result<Filter, Error> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(invalid(format!("it nests deeper than {DEEPEST}")));
        }
        let filter = self.all()?;
        if !self.symbol(")") {
            return Err(self.expected("`)`"));
        }
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Filter, Error> {
        self.comparisons += 1;
        if self.comparisons > MOST_COMPARISONS {
            return Err(invalid(format!("it has more than {MOST_COMPARISONS} comparisons")));
        }
        let column = self.column()?;
        let sign = SIGNS.into_iter().find(|(sign, ..)| self.symbol(sign));
        let Some((_, operator, not)) = sign else {
            return Err(self.expected("a comparison: = != < <= > >= :"));
        };
        if operator == Operator::Has && self.symbol("*") {
            return Ok(Filter::Present { column: column.name });
        }
        let value = self.literal(column)?;
        // For anything but texts, to have a value is to be it.
        let has = operator == Operator::Has && column.kind != Kind::Text;
        let operator = if has { Operator::Equal } else { operator };
        let Column { name, nullable, .. } = *column;
        let compare = Filter::Compare { column: name, nullable, operator, value };
        Ok(if not { Filter::Not(Box::new(compare)) } else { compare })
    }

    fn column(&mut self) -> Result<&'static Column, Error> {
        let is_path =
            |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
        let end = self.rest.find(|letter| !is_path(letter)).unwrap_or(self.rest.len());
        let path = &self.rest[..end];
        if path.is_empty() {
            return Err(self.expected("a field"));
        }
        let column = self.columns.iter().find(|column| column.path == path);
        let column = column.ok_or_else(|| invalid(format!("there is no field `{path}`")))?;
        if column.kind == Kind::Bytes {
            return Err(invalid(format!("`{path}` cannot be compared")));
        }
        self.advance(end);
        Ok(column)
    }

    fn literal(&mut self, column: &Column) -> Result<Value, Error> {
        let text = match self.rest.chars().next().filter(|first| matches!(first, '"' | '\'')) {
            Some(quote) => self.quoted(quote)?,
            None => self.bare()?,
        };
        value(column, text)
    }

    fn bare(&mut self) -> Result<String, Error> {
        let ends = |letter: char| letter.is_whitespace() || letter == '(' || letter == ')';
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let word = self.rest[..end].to_owned();
        if word.is_empty() {
            return Err(self.expected("a value"));
        }
        self.advance(end);
        Ok(word)
    }

    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            if letter == quote {
                self.advance(at + 1);
                return Ok(text);
            }
            // A backslash takes the next letter as it is.
            let escaped = letter == '\\';
            text.extend(if escaped { letters.next().map(|(_, next)| next) } else { Some(letter) });
        }
        Err(invalid(format!("a text that begins with {quote} does not end")))
    }

    /// Takes a word in capitals that stands alone.
    fn word(&mut self, word: &str) -> bool {
        let Some(after) = self.rest.strip_prefix(word) else { return false };
        let alone = after.starts_with(|next: char| next.is_whitespace() || next == '(');
        if alone {
            self.advance(word.len());
        }
        alone
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let there = self.rest.starts_with(symbol);
        if there {
            self.advance(symbol.len());
        }
        there
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
        self.space();
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn expected(&self, what: &str) -> Error {
        let at = self.whole.len() - self.rest.len();
        invalid(format!("{what} is expected at byte {at}"))
    }
}

/// A literal in the kind of its column.
fn value(column: &Column, text: String) -> Result<Value, Error> {
    let path = column.path;
    let wrong =
        |what: &str| Err(invalid(format!("`{path}` is compared with {what}, not `{text}`")));
    match column.kind {
        Kind::Text => Ok(Value::Text(Some(text))),
        Kind::Integer => match text.as_str() {
            "true" => Ok(Value::Integer(Some(1))),
            "false" => Ok(Value::Integer(Some(0))),
            text => match text.parse() {
                Ok(integer) => Ok(Value::Integer(Some(integer))),
                Err(_) => wrong("a whole number, true or false"),
            },
        },
        Kind::Double => match text.parse::<f64>() {
            Ok(double) if double.is_finite() => Ok(Value::Double(Some(double))),
            _ => wrong("a number"),
        },
        Kind::Timestamp => match Timestamp::from_str(&text) {
            Ok(time) => Ok(Value::Timestamp(Some(time))),
            Err(_) => wrong("a time such as 2026-01-31T12:00:00Z"),
        },
        Kind::Bytes => wrong("nothing"),
    }
}

impl Filter {
    /// Appends the condition in SQL; it is true or false for every row, never NULL.
    pub(super) fn render(&self, sql: &mut Draft) {
        match self {
            Self::All(parts) => render_joined(parts, " AND ", sql),
            Self::Any(parts) => render_joined(parts, " OR ", sql),
            Self::Not(filter) => {
                sql.push("NOT ");
                filter.render(sql);
            }
            Self::Present { column } => sql.push(format!("(\"{column}\" IS NOT NULL)")),
            Self::Compare { column, nullable, operator, value } => {
                let present = if *nullable {
                    format!("\"{column}\" IS NOT NULL AND ")
                } else {
                    String::new()
                };
                sql.push(format!("({present}\"{column}\" {} ", operator.sign()));
                sql.bind(value.clone());
                // A prefix is a range and not a LIKE: the databases differ in letters' case.
                let end = if *operator == Operator::Has { end_of_prefix(value) } else { None };
                if let Some(end) = end {
                    sql.push(format!(" AND \"{column}\" < "));
                    sql.bind(end);
                }
                sql.push(")");
            }
        }
    }
}

impl Operator {
    fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual | Self::Has => ">=",
        }
    }
}

fn render_joined(parts: &[Filter], between: &str, sql: &mut Draft) {
    sql.push("(");
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            sql.push(between);
        }
        part.render(sql);
    }
    sql.push(")");
}

/// The first text, byte by byte, after all that begin with a prefix; none when there is no such.
fn end_of_prefix(prefix: &Value) -> Option<Value> {
    let Value::Text(Some(prefix)) = prefix else { return None };
    let mut end = prefix.clone();
    while let Some(last) = end.pop() {
        // The step over the surrogates, which are no characters.
        let next =
            if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            end.push(next);
            return Some(Value::Text(Some(end)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COLUMNS: &[Column] = &[
        Column { name: "title", path: "title", kind: Kind::Text, nullable: false },
        Column { name: "price_minor", path: "price.minor", kind: Kind::Integer, nullable: true },
        Column { name: "weight", path: "weight", kind: Kind::Double, nullable: false },
        Column { name: "create_time", path: "create_time", kind: Kind::Timestamp, nullable: false },
        Column { name: "tags", path: "tags", kind: Kind::Bytes, nullable: false },
    ];

    fn rendered(filter: &str) -> (String, Vec<Value>) {
        let mut draft = Draft::new("", Vec::new());
        parse(filter, COLUMNS).unwrap().unwrap().render(&mut draft);
        draft.parts()
    }

    fn sql(filter: &str) -> String {
        rendered(filter).0
    }

    fn problem(filter: &str) -> String {
        parse(filter, COLUMNS).unwrap_err().to_string()
    }

    #[test]
    fn or_binds_closer_than_and() {
        assert_eq!(
            sql("title = a AND weight > 1 OR weight < 0.5 AND NOT price.minor = 3"),
            "((\"title\" = $1) AND ((\"weight\" > $2) OR (\"weight\" < $3)) AND \
             NOT (\"price_minor\" IS NOT NULL AND \"price_minor\" = $4))"
        );
    }

    #[test]
    fn a_prefix_is_a_range() {
        let (sql, values) = rendered("title:'ab\u{d7ff}'");

        assert_eq!(sql, "(\"title\" >= $1 AND \"title\" < $2)");
        assert_eq!(values[1], Value::Text(Some("ab\u{e000}".into())));
    }

    #[test]
    fn quotes_and_their_escapes_are_part_of_no_text() {
        let filter = parse(r#"title = "say \"hi\" ; --""#, COLUMNS).unwrap().unwrap();

        let Filter::Compare { value, .. } = filter else { panic!("{filter:?}") };
        assert_eq!(value, Value::Text(Some(r#"say "hi" ; --"#.into())));
    }

    #[test]
    fn a_wrong_filter_is_refused_with_its_field() {
        assert_eq!(problem("colour = red"), "filter: there is no field `colour`");
        assert_eq!(
            problem("price.minor > 1.5"),
            "filter: `price.minor` is compared with a whole number, true or false, not `1.5`"
        );
        assert_eq!(problem("tags = x"), "filter: `tags` cannot be compared");
        assert_eq!(
            problem("title"),
            "filter: a comparison: = != < <= > >= : is expected at byte 5"
        );
        assert_eq!(problem("title = a b"), "filter: AND, OR or the end is expected at byte 10");
        assert!(problem("create_time > yesterday").contains("a time such as"));
        assert!(problem("title = 'a").contains("does not end"));
        assert!(problem(&"(".repeat(100)).contains("nests deeper"));
        assert!(problem(&vec!["title = a"; 65].join(" OR ")).contains("more than 64"));
        assert!(problem(&"x".repeat(3000)).contains("longer"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = parse(&text, COLUMNS);
        }

        #[test]
        fn no_arrangement_of_its_words_makes_the_parser_panic(words in proptest::collection::vec(
            prop_oneof![
                Just("AND"), Just("OR"), Just("NOT"), Just("-"), Just("("), Just(")"), Just("title"),
                Just("price.minor"), Just("create_time"), Just("="), Just("!="), Just(":"), Just("*"),
                Just("<="), Just("'"), Just("\""), Just("\\"), Just("1e400"), Just("-5"),
                Just("2026-02-30T25:00:00Z"), Just("2026-01-31T12:00:00.5+01:00"), Just("é"), Just(" "),
            ], 0..30,
        )) {
            let _ = parse(&words.join(" "), COLUMNS);
            let _ = parse(&words.concat(), COLUMNS);
        }
    }
}
