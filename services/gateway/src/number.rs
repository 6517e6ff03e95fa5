//! Numbers as JSON writes them, in the kinds that protobuf has.

use prost_reflect::{Kind, Value};

/// A number, before it is known which kind it must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number {
    /// When it has no fraction, and fits.
    whole: Option<i128>,
    real: f64,
    /// Whether it stood there as digits: `NaN` and the infinities are words.
    digits: bool,
}

impl From<i64> for Number {
    #[expect(clippy::cast_precision_loss, reason = "a double is as near as it can be")]
    fn from(number: i64) -> Self {
        Self { whole: Some(number.into()), real: number as f64, digits: true }
    }
}

impl From<u64> for Number {
    #[expect(clippy::cast_precision_loss, reason = "a double is as near as it can be")]
    fn from(number: u64) -> Self {
        Self { whole: Some(number.into()), real: number as f64, digits: true }
    }
}

impl From<f64> for Number {
    #[expect(clippy::cast_possible_truncation, reason = "what has a fraction is left out")]
    fn from(number: f64) -> Self {
        let whole = number.fract() == 0.0 && number.abs() < 1e30;
        Self { whole: whole.then_some(number as i128), real: number, digits: true }
    }
}

impl Number {
    /// What stands for a text that is no number.
    pub(crate) const NONE: Self = Self { whole: None, real: f64::NAN, digits: true };

    /// A number from its text: by JSON's grammar, or one of the three words.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let word = |real| Some(Self { whole: None, real, digits: false });
        match text {
            "NaN" => return word(f64::NAN),
            "Infinity" => return word(f64::INFINITY),
            "-Infinity" => return word(f64::NEG_INFINITY),
            // The parser would skip space around it.
            spaced if spaced.trim() != spaced => return None,
            _ => {}
        }
        let number: serde_json::Number = serde_json::from_str(text).ok()?;
        let signed = number.as_i64().map(Self::from);
        let whole = signed.or_else(|| number.as_u64().map(Self::from));
        whole.or_else(|| number.as_f64().map(Self::from))
    }

    /// The number in a kind; the error completes the sentence "the parameter …".
    pub(crate) fn as_kind(self, kind: &Kind) -> Result<Value, &'static str> {
        match kind {
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => self.fit().map(Value::I32).ok_or(INT32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => self.fit().map(Value::I64).ok_or(INT64),
            Kind::Uint32 | Kind::Fixed32 => self.fit().map(Value::U32).ok_or(UINT32),
            Kind::Uint64 | Kind::Fixed64 => self.fit().map(Value::U64).ok_or(UINT64),
            Kind::Float => self.single().map(Value::F32).ok_or(FLOAT),
            Kind::Double => self.double().map(Value::F64).ok_or(DOUBLE),
            _ => Err("must not be a number"),
        }
    }

    fn fit<T: TryFrom<i128>>(self) -> Option<T> {
        T::try_from(self.whole?).ok()
    }

    fn double(self) -> Option<f64> {
        (self.real.is_finite() || !self.digits).then_some(self.real)
    }

    #[expect(clippy::cast_possible_truncation, reason = "what does not fit is infinite")]
    fn single(self) -> Option<f32> {
        let single = self.double()? as f32;
        (single.is_finite() || !self.digits).then_some(single)
    }
}

const INT32: &str = "must be a whole number from -2147483648 to 2147483647";
const INT64: &str = "must be a whole number from -9223372036854775808 to 9223372036854775807";
const UINT32: &str = "must be a whole number from 0 to 4294967295";
const UINT64: &str = "must be a whole number from 0 to 18446744073709551615";
const FLOAT: &str = "must be a number that 32 bits hold, `NaN`, `Infinity` or `-Infinity`";
const DOUBLE: &str = "must be a number that 64 bits hold, `NaN`, `Infinity` or `-Infinity`";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(kind: &Kind, text: &str) -> Option<Value> {
        Number::parse(text)?.as_kind(kind).ok()
    }

    #[test]
    fn what_json_writes_is_read() {
        for (kind, text, value) in [
            (Kind::Int32, "1e3", Value::I32(1000)),
            (Kind::Int32, "-2147483648", Value::I32(i32::MIN)),
            (Kind::Int64, "1.0", Value::I64(1)),
            (Kind::Int64, "-9223372036854775808", Value::I64(i64::MIN)),
            (Kind::Uint64, "18446744073709551615", Value::U64(u64::MAX)),
            (Kind::Uint64, "1E2", Value::U64(100)),
            (Kind::Float, "-Infinity", Value::F32(f32::NEG_INFINITY)),
            (Kind::Float, "0.1", Value::F32(0.1)),
            (Kind::Double, "Infinity", Value::F64(f64::INFINITY)),
            (Kind::Double, "9007199254740993", Value::F64(9_007_199_254_740_992.0)),
        ] {
            assert_eq!(read(&kind, text), Some(value), "{text}");
        }
    }

    #[test]
    fn what_it_does_not_write_is_refused() {
        for text in
            ["", " 1", "1 ", "+1", "01", "1.", ".5", "0x1", "inf", "nan", "infinity", "1_0", "٣"]
        {
            assert_eq!(read(&Kind::Double, text), None, "{text}");
        }
        for (kind, text) in [
            (Kind::Int32, "2147483648"),
            (Kind::Int32, "0.5"),
            (Kind::Int32, "NaN"),
            (Kind::Int64, "9223372036854775808"),
            (Kind::Int64, "9.223372036854775808e18"),
            (Kind::Uint64, "18446744073709551616"),
            (Kind::Uint32, "-1"),
            (Kind::Float, "1e39"),
            (Kind::Double, "1e309"),
        ] {
            assert_eq!(read(&kind, text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_integer_comes_back(number in any::<i64>()) {
            prop_assert_eq!(read(&Kind::Int64, &number.to_string()), Some(Value::I64(number)));
        }

        #[test]
        fn every_finite_double_comes_back(number in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            let text = serde_json::to_string(&number).unwrap();
            prop_assert_eq!(read(&Kind::Double, &text), Some(Value::F64(number)));
        }

        #[test]
        fn no_text_makes_reading_panic(text in "[-+0-9.eENaInfity]{0,20}|\\PC{0,8}") {
            let _ = Number::parse(&text);
        }
    }
}
