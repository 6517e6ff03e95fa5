//! The page at `/`: what this is, where to look, what to try. It needs nothing from elsewhere.

use std::fmt::Write;

use contract::mesh::v1::Access;

use crate::binding::{Binding, Source};

/// Stands in the page for the host that the caller used.
pub(super) const HOST: &str = "{host}";

pub(super) const STYLE: &str = "\
    body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}\
    h1,h2,h3{line-height:1.2}h3{margin-bottom:.2rem}\
    pre,code{font:13px/1.5 ui-monospace,monospace;background:#f4f4f2}\
    pre{padding:.8rem;overflow-x:auto}table{border-collapse:collapse;width:100%}\
    td,th{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #e5e5e0}\
    a{color:#0b5c8a}small{color:#666}";

/// A text as HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The host to write in examples: the one that the caller used, if it is one.
pub(super) fn host(authority: Option<&str>) -> &str {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter);
    let authority = authority.filter(|text| !text.is_empty() && text.chars().all(allowed));
    authority.unwrap_or("127.0.0.1:8080")
}

/// A page with a title.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n{body}\n</html>\n"
    )
}

/// The page at `/`.
pub(super) fn home(bindings: &[Binding]) -> String {
    let mut body = String::from(
        "<h1>Tradewind</h1>\n\
         <p>A commerce mesh. This port answers REST with JSON, Connect, gRPC-Web and gRPC, \
         all from the same contracts.</p>\n\
         <ul>\n\
         <li><a href=\"/docs\">API reference</a></li>\n\
         <li><a href=\"/openapi.json\">OpenAPI 3.1</a></li>\n\
         <li><a href=\"/healthz\">Health</a>, <a href=\"/readyz\">readiness</a></li>\n\
         </ul>\n<h2>Try it</h2>\n<pre>",
    );
    // Writing to a string cannot fail.
    let _ = write!(body, "{}", escape(&examples(bindings)));
    body.push_str("</pre>");
    document("Tradewind", &body)
}

fn examples(bindings: &[Binding]) -> String {
    let mut examples = format!("curl http://{HOST}/healthz\ncurl http://{HOST}/openapi.json\n");
    let public = |binding: &&Binding| {
        binding.rpc.policy.access() == Access::Public && binding.body == Source::Nothing
    };
    if let Some(binding) = bindings.iter().find(public) {
        let _ = write!(
            examples,
            "\n# REST: {name}\ncurl 'http://{HOST}{path}'\n\
             \n# The same by Connect\ncurl --json '{{}}' http://{HOST}{rpc}\n\
             \n# What there is, by gRPC\ngrpcurl -plaintext {HOST} list\n",
            name = binding.rpc.method.name(),
            path = binding.text,
            rpc = binding.rpc.uri.path(),
        );
    }
    examples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_none_is_not_repeated() {
        assert_eq!(host(Some("shop.example:8080")), "shop.example:8080");
        assert_eq!(host(Some("<script>")), "127.0.0.1:8080");
        assert_eq!(host(None), "127.0.0.1:8080");
    }

    #[test]
    fn markup_in_comments_stays_text() {
        assert_eq!(escape("<b>&\"</b>"), "&lt;b&gt;&amp;&quot;&lt;/b&gt;");
    }
}
