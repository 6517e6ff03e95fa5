//! `Accept-Encoding`: which codings a caller takes, and how gladly.

use http::HeaderMap;
use http::header::HeaderName;

/// How an answer may be coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// Not at all.
    Identity,
    /// By gzip where that is worth it.
    Gzip,
    /// By gzip, and it must be.
    GzipAlone,
    /// In no way that is known here.
    Nothing,
}

impl Accepted {
    /// What a header says, by RFC 9110; without it, nothing is coded.
    pub(crate) fn read(headers: &HeaderMap, name: &HeaderName) -> Self {
        let (mut gzip, mut identity, mut any) = (None, None, None);
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        for item in values.flat_map(|value| value.split(',')) {
            let Some((coding, weight)) = weighted(item) else { continue };
            match coding.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => gzip = gzip.max(Some(weight)),
                "identity" => identity = Some(weight),
                "*" => any = Some(weight),
                _ => {}
            }
        }
        // What is not named, `*` names; identity may be given unless it is ruled out.
        match (gzip.or(any).unwrap_or(0), identity.or(any)) {
            (0, Some(0)) => Self::Nothing,
            (0, _) => Self::Identity,
            (_, Some(0)) => Self::GzipAlone,
            (gzip, Some(identity)) if identity > gzip => Self::Identity,
            _ => Self::Gzip,
        }
    }

    /// Whether a body of this length is to be packed.
    pub(crate) fn wants_gzip(self, length: u64) -> bool {
        match self {
            Self::Gzip => length >= super::WORTH_IT as u64,
            Self::GzipAlone => length > 0,
            Self::Identity | Self::Nothing => false,
        }
    }
}

/// A coding and its weight in thousandths; `None` when the weight is none.
fn weighted(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let coding = parts.next().filter(|coding| !coding.is_empty())?;
    let Some(parameter) = parts.next() else { return Some((coding, 1000)) };
    let (name, value) = parameter.split_once('=')?;
    if !name.trim_end().eq_ignore_ascii_case("q") || parts.next().is_some() {
        return None;
    }
    thousandths(value.trim_start()).map(|weight| (coding, weight))
}

/// A weight such as `0.5`: up to three digits after the point, and at most 1.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || !digits {
        return None;
    }
    let weight = format!("{whole}{fraction:0<3}").parse().ok()?;
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT_ENCODING;
    use proptest::prelude::*;

    use super::Accepted::{Gzip, GzipAlone, Identity, Nothing};
    use super::*;

    fn read(value: &str) -> Accepted {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
        Accepted::read(&headers, &ACCEPT_ENCODING)
    }

    #[test]
    fn weights_are_kept() {
        for (value, accepted) in [
            ("", Identity),
            ("gzip", Gzip),
            ("GZIP", Gzip),
            ("x-gzip", Gzip),
            ("br, gzip ; q=0.1", Gzip),
            ("gzip;q=0", Identity),
            ("gzip;q=0.000", Identity),
            ("gzip;q=0.5, identity", Identity),
            ("gzip;q=0.5, identity;q=0.5", Gzip),
            ("gzip, identity;q=0", GzipAlone),
            ("gzip, *;q=0", GzipAlone),
            ("*", Gzip),
            ("*;q=0", Nothing),
            ("br, identity;q=0", Nothing),
            ("gzip;q=0, *", Identity),
            ("gzip;q=0, identity;q=0, *", Nothing),
            ("identity;q=0", Nothing),
            ("deflate", Identity),
            ("gzip;q=2", Identity),
            ("gzip;q=0.1234", Identity),
            ("gzip;q=", Identity),
            ("gzip;level=1", Identity),
            (", ,", Identity),
        ] {
            assert_eq!(read(value), accepted, "{value}");
        }
        assert_eq!(Accepted::read(&HeaderMap::new(), &ACCEPT_ENCODING), Identity);
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(value in "[a-z*;=,q0-9. ]{0,40}") {
            let _ = read(&value);
        }
    }
}
