//! What every page is made in: its frame, its style, and the policy that allows nothing else.

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");

/// The content security policy: the one style sheet, named by its hash, and no script, image, font or frame.
pub(super) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// A text as HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// A comment as HTML: paragraphs, with what stands in backticks as code.
pub(super) fn prose(comment: &str) -> String {
    let paragraphs = comment.split("\n\n").filter(|text| !text.trim().is_empty());
    paragraphs.map(|text| format!("<p>{}</p>\n", inline(text))).collect::<Vec<_>>().concat()
}

/// One paragraph of a comment as HTML.
pub(super) fn inline(text: &str) -> String {
    let pieces: Vec<_> = text.split('`').collect();
    // An odd backtick is only that.
    if pieces.len().is_multiple_of(2) {
        return escape(text);
    }
    let piece = |(at, piece): (usize, &&str)| match at % 2 {
        0 => escape(piece),
        _ => format!("<code>{}</code>", escape(piece)),
    };
    pieces.iter().enumerate().map(piece).collect()
}

/// Which of the pages one is, for its navigation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    Home,
    Reference,
}

/// A page: its title, what it says of itself to those who link to it, and its body after the header.
pub(super) fn document(place: Place, title: &str, description: &str, body: &str) -> String {
    let link = |to: &str, text: &str, here: bool| {
        let current = if here { " aria-current=\"page\"" } else { "" };
        format!("<a href=\"{to}\"{current}>{text}</a>\n")
    };
    let mut nav = link("/docs", "API reference", place == Place::Reference);
    nav.push_str(&link("/openapi.json", "OpenAPI", false));
    nav.push_str(&link("/readyz", "Readiness", false));
    let class = if place == Place::Reference { " class=\"wide\"" } else { "" };
    let home = if place == Place::Home { " aria-current=\"page\"" } else { "" };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"description\" content=\"{description}\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body{class}>\n<a class=\"skip\" href=\"#main\">Skip to content</a>\n\
         <header><nav class=\"bar\" aria-label=\"Site\">\n\
         <a class=\"name\" href=\"/\"{home}>Tradewind</a>\n{nav}</nav></header>\n{body}\n\
         </body>\n</html>\n",
        title = escape(title),
        description = escape(description),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_comments_stays_text() {
        assert_eq!(escape("<b>&\"'</b>"), "&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;");
    }

    #[test]
    fn backticks_are_code_in_pairs_alone() {
        assert_eq!(inline("a `<b>` c"), "a <code>&lt;b&gt;</code> c");
        assert_eq!(inline("a ` b"), "a ` b");
    }
}
