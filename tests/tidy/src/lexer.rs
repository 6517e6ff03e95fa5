//! Just enough of Rust's grammar to tell code from comments and strings.

/// A Rust file taken apart.
#[derive(Debug, Default)]
pub(crate) struct Lexed {
    /// The text, with comments and what stands in quotes blanked; offsets and lines stay.
    pub(crate) code: String,
    pub(crate) comments: Vec<Comment>,
    pub(crate) strings: Vec<Literal>,
}

/// A line comment.
#[derive(Debug)]
pub(crate) struct Comment {
    /// Where its first slash is.
    pub(crate) offset: usize,
    /// What it opens with: `//`, `///` or `//!`.
    pub(crate) marker: &'static str,
    pub(crate) text: String,
}

/// A string literal.
#[derive(Debug)]
pub(crate) struct Literal {
    /// Where its text starts, after the quote.
    pub(crate) offset: usize,
    pub(crate) text: String,
}

pub(crate) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer { text, at: 0, code: text.as_bytes().to_vec(), out: Lexed::default() };
    while lexer.at < text.len() {
        lexer.step();
    }
    let Lexer { code, mut out, .. } = lexer;
    out.code = String::from_utf8(code).expect("whole characters are blanked");
    out
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    code: Vec<u8>,
    out: Lexed,
}

impl Lexer<'_> {
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        if rest.starts_with("//") {
            self.line_comment();
        } else if rest.starts_with("/*") {
            self.block_comment();
        } else if let Some(hashes) = self.raw_string() {
            self.string_until(&format!("\"{}", "#".repeat(hashes)), false);
        } else if rest.starts_with('"') {
            self.at += 1;
            self.string_until("\"", true);
        } else if let Some(length) = character(rest) {
            self.blank(self.at + 1, self.at + length - 1);
            self.at += length;
        } else {
            self.at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }

    fn line_comment(&mut self) {
        let rest = &self.text[self.at..];
        let end = self.at + rest.find('\n').unwrap_or(rest.len());
        let marker = match rest.as_bytes().get(2) {
            Some(b'!') => "//!",
            Some(b'/') if rest.as_bytes().get(3) != Some(&b'/') => "///",
            _ => "//",
        };
        let text = self.text[self.at + marker.len()..end].trim().to_owned();
        self.out.comments.push(Comment { offset: self.at, marker, text });
        self.blank(self.at, end);
        self.at = end;
    }

    fn block_comment(&mut self) {
        let start = self.at;
        let mut depth = 0_usize;
        while self.at < self.text.len() {
            let rest = &self.text.as_bytes()[self.at..];
            if rest.starts_with(b"/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with(b"*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    break;
                }
            } else {
                self.at += 1;
            }
        }
        self.blank(start, self.at);
    }

    /// Steps past `r#"`, `br"` and the like, and says how many hashes close it.
    fn raw_string(&mut self) -> Option<usize> {
        let before = self.text[..self.at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            return None;
        }
        let rest = &self.text[self.at..];
        let opened = rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr"));
        let opened = opened.or_else(|| rest.strip_prefix('r'))?;
        let quoted = opened.trim_start_matches('#');
        let hashes = opened.len() - quoted.len();
        let inside = quoted.strip_prefix('"')?;
        self.at = self.text.len() - inside.len();
        Some(hashes)
    }

    fn string_until(&mut self, close: &str, escapes: bool) {
        let start = self.at;
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() && !bytes[self.at..].starts_with(close.as_bytes()) {
            self.at += if escapes && bytes[self.at] == b'\\' { 2 } else { 1 };
        }
        let end = self.at.min(bytes.len());
        self.out.strings.push(Literal { offset: start, text: self.text[start..end].to_owned() });
        self.blank(start, end);
        self.at = (end + close.len()).min(bytes.len());
    }

    fn blank(&mut self, from: usize, to: usize) {
        for byte in &mut self.code[from..to] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
}

/// The length of the character literal that opens `rest`; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    if inside.starts_with('\\') {
        let close = inside.get(2..)?.find('\'')?;
        return Some(1 + 2 + close + 1);
    }
    let letter = inside.chars().next()?.len_utf8();
    inside[letter..].starts_with('\'').then_some(1 + letter + 1)
}

#[test]
fn comments_and_strings_are_told_from_code() {
    let text = "let a = r#\"un\"wrap\"#; // Why: 'x'.\nlet b: &'a str = \"\\\"//\"; let c = '\"'; /* { */ d()";

    let lexed = lex(text);

    assert_eq!(
        lexed.code,
        "let a = r#\"       \"#;             \nlet b: &'a str = \"    \"; let c = ' ';         d()"
    );
    assert_eq!(lexed.comments[0].text, "Why: 'x'.");
    assert_eq!(lexed.strings[0].text, "un\"wrap");
}
