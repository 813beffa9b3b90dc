//! Which numbers survive KV version 2, which reads each of them as a 64-bit binary fraction.
//!
//! Vault and OpenBao store the object as it came and parse it again for each read of version 2, without keeping the
//! digits (seen with OpenBao 2.7.2): `12345678901234567890123` comes back as `1.2345678901234568e+22`. Version 1 keeps
//! them. What would come back as another number is refused before it is written.

use forge_sdk::Error;
use serde_json::value::RawValue;

/// Refuses an object with a number that the server would change.
///
/// # Errors
///
/// `invalid-request`, which doesn't repeat the number: it is part of a secret.
pub(crate) fn check(object: &RawValue) -> Result<(), Error> {
    let mut rest = object.get();
    while let Some(start) = rest.find(|character: char| matches!(character, '"' | '-' | '0'..='9')) {
        let (_, found) = rest.split_at(start);
        let length = if found.starts_with('"') { text_length(found) } else { number_length(found) };
        let (token, behind) = found.split_at_checked(length).unwrap_or((found, ""));
        if !found.starts_with('"') && !survives(token) {
            return Err(Error::invalid_request(
                "a KV version 2 mount would round a number of this object: write it as text, in quotes",
            ));
        }
        rest = behind;
    }
    Ok(())
}

/// The length of a string with its quotes.
fn text_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

fn number_length(text: &str) -> usize {
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    text.bytes().take_while(|byte| is_part(*byte)).count()
}

/// Whether the number means the same after it was read as a 64-bit fraction and printed with as few digits as tell it.
fn survives(number: &str) -> bool {
    let read: f64 = number.parse().unwrap_or(f64::NAN);
    read.is_finite() && decimal(number).is_some_and(|exact| decimal(&format!("{read:e}")) == Some(exact))
}

/// The digits of a number without zeros at either end, and the power of ten of the last of them.
fn decimal(number: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.trim_start_matches('-').split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let significant = digits.trim_end_matches('0');
    let zeros = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some((String::new(), 0));
    }
    let places = i64::try_from(zeros).ok()?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    Some((significant.to_owned(), exponent.parse::<i64>().ok()?.checked_add(places)?))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use forge_sdk::ErrorKind;

    use super::*;

    fn checked(object: &str) -> Result<(), Error> {
        check(serde_json::from_str(object).unwrap())
    }

    #[test]
    fn numbers_that_come_back_the_same_are_stored() {
        for number in [
            "0",
            "-0",
            "0.0",
            "0e9",
            "1",
            "-1",
            "5432",
            "1.10",
            "100",
            "1e2",
            "1E+2",
            "0.1",
            "-12.5e-3",
            "9007199254740992",
            "1.2345678901234568e+22",
            "12345678901234568000000",
            "1e308",
            "5e-324",
            "0.30000000000000004",
        ] {
            assert!(checked(&format!(r#"{{"a":[1,{number}]}}"#)).is_ok(), "{number}");
        }
    }

    #[test]
    fn numbers_that_would_come_back_as_others_are_refused_and_not_repeated() {
        for number in [
            "9007199254740993",
            "-9007199254740993",
            "9007199254740993000e-3",
            "12345678901234567890123",
            "0.1234567890123456789",
            "1e309",
            "-1E400",
            "1e-400",
            "1e99999999999999999999",
            "18446744073709551615",
        ] {
            let error = checked(&format!(r#"{{"a":{{"b":{number}}}}}"#)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(!error.message().contains(number));
        }
    }

    #[test]
    fn digits_in_text_are_no_number() {
        assert!(checked(r#"{"12345678901234567890123":"12345678901234567890123"}"#).is_ok());
        assert!(checked(r#"{"a\"1":"\\","b":"\\\"9007199254740993","é":"9007199254740993"}"#).is_ok());
        assert!(checked(r#"{"a":"\\","b":9007199254740993}"#).is_err());
    }
}
