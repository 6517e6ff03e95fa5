//! Reads a crate's errors out of its source: each variant's words, and the table of codes and reasons.

/// One way in which a call fails.
pub(super) struct Failure {
    pub(super) variant: String,
    /// As gRPC writes it.
    pub(super) code: String,
    /// Nothing where it differs by what it is of.
    pub(super) reason: Option<String>,
    pub(super) sentence: String,
    pub(super) cause: String,
}

/// What an enum says of one variant.
struct Variant {
    name: String,
    sentence: String,
    cause: String,
}

/// Every arm of the table that has a code of its own, in the order of the table.
pub(super) fn failures(text: &str) -> Vec<Failure> {
    let variants = variants(text);
    let mut failures = Vec::new();
    for arm in arms(verdict(text)) {
        let (names, verdict) = arm.split_once("=>").unwrap();
        let Some((code, reason)) =
            verdict.split_once("Code::").and_then(|(_, it)| it.split_once(','))
        else {
            continue;
        };
        let reason = reason.trim().trim_end_matches([',', ' ', ')', '}']);
        let name = names.split('|').next().unwrap().trim().trim_start_matches("Self::");
        let name = name.split(['(', '{', ' ']).next().unwrap();
        let said = variants.iter().find(|variant| variant.name == name);
        let said = said.unwrap_or_else(|| panic!("the enum has no {name}"));
        failures.push(Failure {
            variant: name.to_owned(),
            code: spelled(code.trim()),
            reason: resolve(reason, text),
            sentence: said.sentence.clone(),
            cause: if said.cause.is_empty() { "As it says.".into() } else { said.cause.clone() },
        });
    }
    failures
}

/// The body of the table.
pub(super) fn verdict(text: &str) -> &str {
    let from = text.rfind("fn verdict(&self) -> (Code, &'static str) {").unwrap();
    let body = &text[from..];
    &body[..body.find("\n    }\n").unwrap()]
}

/// The arms of a table, each on one line; how rustfmt sets them says where one begins.
fn arms(table: &str) -> Vec<String> {
    let mut arms: Vec<String> = Vec::new();
    for line in table.lines().filter(|line| !line.trim_start().starts_with("//")) {
        if line.starts_with("            Self::") {
            arms.push(line.trim().to_owned());
        } else if let Some(arm) = arms.last_mut() {
            arm.push(' ');
            arm.push_str(line.trim());
        }
    }
    arms
}

/// A reason as it is written, or as its constant has it.
fn resolve(reason: &str, text: &str) -> Option<String> {
    if let Some(literal) = reason.strip_prefix('"') {
        return Some(literal.trim_end_matches('"').to_owned());
    }
    let name = reason.trim_start_matches("Self::");
    if name.chars().any(char::is_lowercase) {
        return None;
    }
    let constant = text.split(&format!("const {name}: &'static str = \"")).nth(1);
    let constant = constant.or_else(|| text.split(&format!("const {name}: &str = \"")).nth(1));
    let value = constant.unwrap_or_else(|| panic!("there is no constant {name}"));
    Some(value.split('"').next().unwrap().to_owned())
}

/// `InvalidArgument` as `INVALID_ARGUMENT`.
fn spelled(code: &str) -> String {
    let mut spelled = String::new();
    for letter in code.chars() {
        if letter.is_uppercase() && !spelled.is_empty() {
            spelled.push('_');
        }
        spelled.push(letter.to_ascii_uppercase());
    }
    spelled
}

/// The variants of the enum of failures, with their sentences and what they are documented as.
fn variants(text: &str) -> Vec<Variant> {
    let begin = ["enum Error {\n", "enum Refusal {\n"]
        .iter()
        .find_map(|it| Some(text.find(it)? + it.len()));
    let body = &text[begin.unwrap()..];
    let body = &body[..body.find("\n}\n").unwrap()];
    let mut variants = Vec::new();
    let (mut cause, mut attribute) = (Vec::new(), String::new());
    for line in body.lines() {
        let Some(line) = line.strip_prefix("    ") else { continue };
        if let Some(words) = line.strip_prefix("/// ") {
            cause.push(words.to_owned());
        } else if line.starts_with("#[error") || is_open(&attribute) {
            attribute.push_str(line);
        } else if line.starts_with(char::is_uppercase) {
            let name = line.split(['(', '{', ' ', ',']).next().unwrap().to_owned();
            let sentence = sentence(&attribute);
            variants.push(Variant { name, sentence, cause: cause.join(" ") });
            cause.clear();
            attribute.clear();
        }
    }
    variants
}

/// Whether an attribute goes on in the next line.
fn is_open(attribute: &str) -> bool {
    !attribute.is_empty() && !attribute.ends_with(")]")
}

/// The text between the first quotes, as one line in a cell of a table.
fn sentence(attribute: &str) -> String {
    let Some((_, rest)) = attribute.split_once('"') else { return "what it came from says".into() };
    let mut sentence = String::new();
    let mut letters = rest.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' if letters.peek() == Some(&' ') => {
                while letters.peek() == Some(&' ') {
                    letters.next();
                }
            }
            '\\' => {}
            '|' => sentence.push_str("\\|"),
            '<' => sentence.push_str("&lt;"),
            letter => sentence.push(letter),
        }
    }
    if sentence == "{}" {
        "names each of them, with why".into()
    } else {
        without_numbers(&sentence)
    }
}

/// A format with a word in each place: those that have names keep them, others are `…`.
fn without_numbers(sentence: &str) -> String {
    let mut parts = sentence.split('{');
    let mut shown = parts.next().unwrap().to_owned();
    for part in parts {
        let (place, rest) = part.split_once('}').unwrap();
        if place.starts_with(|letter: char| letter.is_alphabetic()) {
            shown.extend(["{", place, "}"]);
        } else {
            shown.push('…');
        }
        shown.push_str(rest);
    }
    shown
}
