//! How long, how finished and how safe the code is.

use crate::hold;
use crate::source::{SOURCES, Source, item_end};

const FUNCTION_LINES: usize = 70;
const FILE_LINES: usize = 500;

/// A function in a file.
struct Function<'a> {
    name: &'a str,
    start: usize,
    end: usize,
}

#[test]
fn a_function_fits_on_a_screen() {
    let mut violations = Vec::new();
    for source in SOURCES.iter() {
        for function in functions(source) {
            let lines = source.line(function.end) - source.line(function.start) + 1;
            if lines > FUNCTION_LINES && !source.is_test(function.start) {
                let place = source.place(function.start);
                let name = function.name;
                violations.push(format!(
                    "{place}: `{name}` has {lines} lines of {FUNCTION_LINES}: split it by what it does"
                ));
            }
        }
    }
    hold(&violations);
}

#[test]
fn a_file_reads_in_one_sitting() {
    let long = SOURCES.iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > FILE_LINES).then(|| {
            format!(
                "{}:{lines}: it has {lines} lines of {FILE_LINES}: split it by idea",
                source.path
            )
        })
    });
    hold(&long.collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_for_later() {
    let advice = [
        ("todo!", "write it, or leave it out with all that needs it"),
        ("unimplemented!", "write it, or leave it out with all that needs it"),
        ("#[ignore", "mend the test, or delete it"),
    ];
    hold(&found(&advice, |_, _| true));
}

#[test]
fn nothing_panics_outside_tests() {
    let advice = [
        (".unwrap()", "return the error with `?`, or use a type that cannot fail"),
        (".expect(\"", "return the error with `?`, or use a type that cannot fail"),
    ];
    hold(&found(&advice, |source, offset| {
        let excused = ["expect(clippy::unwrap_used", "expect(clippy::expect_used"];
        !source.is_test(offset) && !excused.iter().any(|it| source.lexed.code.contains(it))
    }));
}

#[test]
fn no_test_sleeps_in_real_time() {
    let advice = [(
        "sleep(",
        "wait for what must happen: pause time, await a notification, or poll in `eventually`",
    )];
    hold(&found(&advice, |source, offset| {
        let paused = source.find("start_paused").next().is_some()
            || source.find("time::pause(").next().is_some();
        let polls = functions(source)
            .iter()
            .any(|it| (it.start..it.end).contains(&offset) && is_polling(it.name));
        source.is_test(offset)
            && !polls
            && (!paused || source.lexed.code[..offset].ends_with("thread::"))
    }));
}

/// Functions that ask again and again until a limit may pause in between.
fn is_polling(name: &str) -> bool {
    ["eventually", "until", "wait", "poll", "within"]
        .iter()
        .any(|word| name.split('_').any(|part| part == *word))
}

fn found(advice: &[(&str, &str)], counts: impl Fn(&Source, usize) -> bool) -> Vec<String> {
    let mut violations = Vec::new();
    for source in SOURCES.iter() {
        for (pattern, advice) in advice {
            let offsets = source.find(pattern).filter(|offset| counts(source, *offset));
            violations.extend(
                offsets.map(|offset| format!("{}: `{pattern}`: {advice}", source.place(offset))),
            );
        }
    }
    violations
}

fn functions(source: &Source) -> Vec<Function<'_>> {
    let code = &source.lexed.code;
    let starts = code.match_indices("fn ").filter(|(offset, _)| {
        let before = code[..*offset].chars().next_back();
        before.is_none_or(|letter| letter.is_whitespace() || letter == '(')
    });
    starts
        .filter_map(|(start, keyword)| {
            let rest = &code[start + keyword.len()..];
            let name =
                &rest[..rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?];
            (!name.is_empty()).then(|| Function {
                name,
                start,
                end: item_end(code, start).saturating_sub(1),
            })
        })
        .collect()
}
