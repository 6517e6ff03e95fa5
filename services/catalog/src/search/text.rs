//! What a description says, without its markup.

/// The text of what may be HTML: without tags, scripts and styles, entities as what they stand for.
pub(super) fn plain(html: &str) -> String {
    let mut plain = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('<') {
            // Two words with a tag between them are two words.
            plain.push(' ');
            after_tag(rest)
        } else {
            after_entity(rest, &mut plain)
        };
    }
    plain.push_str(rest);
    plain
}

/// What follows a tag, and for a script or a style what follows its end.
fn after_tag(text: &str) -> &str {
    if let Some(comment) = text.strip_prefix("<!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    // `a < b` opens nothing.
    if !text[1..].starts_with(|first: char| first.is_ascii_alphabetic() || "/!?".contains(first)) {
        return &text[1..];
    }
    let Some(end) = text.find('>') else { return "" };
    let after = &text[end + 1..];
    for silent in ["script", "style"] {
        let is_named =
            text[1..].get(..silent.len()).is_some_and(|it| it.eq_ignore_ascii_case(silent));
        if is_named {
            return after_end_of(after, silent);
        }
    }
    after
}

fn after_end_of<'t>(text: &'t str, name: &str) -> &'t str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        if rest.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name)) {
            return rest.find('>').map_or("", |end| &rest[end + 1..]);
        }
    }
    ""
}

/// What follows an entity, whose character is added; a lone `&` stands for itself.
fn after_entity<'t>(text: &'t str, plain: &mut String) -> &'t str {
    /// The longest name that is looked for.
    const LONGEST: usize = 10;
    let end = text.char_indices().take(LONGEST).find(|(_, letter)| *letter == ';');
    let named = end.and_then(|(end, _)| Some((character(&text[1..end])?, end)));
    let (character, end) = named.unwrap_or(('&', 0));
    plain.push(character);
    &text[end + 1..]
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "rsquo" => '\u{2019}',
        "ndash" => '\u{2013}',
        "mdash" => '\u{2014}',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn markup_is_not_text() {
        let html =
            "<p>Soft<br>wool &amp; silk</p><STYLE>p { color: red }</STYLE><!-- no -->&#233;t&#xe9;";

        let words: Vec<_> = plain(html).split_whitespace().map(str::to_owned).collect();

        assert_eq!(words, ["Soft", "wool", "&", "silk", "été"]);
    }

    #[test]
    fn what_is_no_markup_stays() {
        assert_eq!(plain("5 < 6 & 7"), "5   6 & 7");
        assert_eq!(plain("cut <b"), "cut  ");
        assert_eq!(plain("<script>never ends"), " ");
    }
}
