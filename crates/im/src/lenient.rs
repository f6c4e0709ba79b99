//! Field readers that take numbers as strings, flags as numbers, and null as absent. Start at [`number`].
//!
//! Tencent's own samples disagree with its tables on these, so both are accepted; what is written is always the
//! documented form.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::Serializer;
use serde_json::Value;

/// The value as an integer; a fraction is cut off.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?.trunc();
            // Above 2^53 a float no longer says which integer it is.
            (float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(flag) => Some(i64::from(*flag)),
        _ => None,
    }
}

pub(crate) fn number<'de, D: Deserializer<'de>, T: TryFrom<i64>>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = integer(&value).and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| D::Error::custom("not a number in range"))
}

pub(crate) fn opt_number<'de, D: Deserializer<'de>, T: TryFrom<i64>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Ok(None);
    }
    let number = integer(&value).and_then(|number| T::try_from(number).ok());
    number.map(Some).ok_or_else(|| D::Error::custom("not a number in range"))
}

pub(crate) fn float<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite()).ok_or_else(|| D::Error::custom("not a number"))
}

pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(integer(&value).is_some_and(|number| number != 0))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's serialize_with passes a reference")]
pub(crate) fn flag_as_number<S: Serializer>(flag: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(u8::from(*flag))
}

/// A text; null is none, and anything else its JSON.
pub(crate) fn opt_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    })
}

/// A text; null is the empty one.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(opt_text(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn integers_come_in_many_forms() {
        for (value, expected) in [
            (json!(7), Some(7)),
            (json!(-7), Some(-7)),
            (json!("7"), Some(7)),
            (json!(" -7 "), Some(-7)),
            (json!(7.9), Some(7)),
            (json!(1.7e12), Some(1_700_000_000_000)),
            (json!(true), Some(1)),
            (json!(false), Some(0)),
            (json!(i64::MAX), Some(i64::MAX)),
            (json!(u64::MAX), None),
            (json!(1e300), None),
            (json!(""), None),
            (json!("7.5"), None),
            (json!("0x7"), None),
            (json!(null), None),
            (json!([7]), None),
        ] {
            assert_eq!(integer(&value), expected, "{value}");
        }
    }

    #[test]
    fn numbers_keep_their_range() {
        assert_eq!(number::<_, u32>(json!("4294967295")).unwrap(), u32::MAX);
        assert!(number::<_, u32>(json!(4_294_967_296_u64)).is_err());
        assert!(number::<_, u32>(json!(-1)).is_err());
        assert_eq!(opt_number::<_, u32>(json!(null)).unwrap(), None);
        assert_eq!(opt_number::<_, u32>(json!(" ")).unwrap(), None);
        assert!(opt_number::<_, u32>(json!("x")).is_err());
        assert_eq!(float(json!("22.5")).unwrap(), 22.5);
        assert!(float(json!("NaN")).is_err() && float(json!("inf")).is_err() && float(json!(null)).is_err());
    }

    #[test]
    fn flags_and_texts_never_fail() {
        for (value, expected) in
            [(json!(1), true), (json!("1"), true), (json!(true), true), (json!(0), false), (json!({}), false)]
        {
            assert_eq!(flag(value).unwrap(), expected);
        }
        assert_eq!(text(json!(null)).unwrap(), "");
        assert_eq!(text(json!(7)).unwrap(), "7");
        assert_eq!(opt_text(json!([])).unwrap().as_deref(), Some("[]"));
    }
}
