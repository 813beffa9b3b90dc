//! Patterns for names that stand in the body of a request: how they begin, or all of them.

use std::fmt;
use std::str::FromStr;

/// A name, or the beginning of names, written with `**` at its end: `app/db`, `app/**`, `**`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    /// What a name is, or begins with.
    pub text: String,
    /// Whether more may follow.
    pub is_open: bool,
}

impl NamePattern {
    /// Whether a name of a request fits.
    ///
    /// The plugin chose the name, so one that a server could read as another is refused: with a control character,
    /// with a space around it, or with a segment that climbs out of the prefix.
    pub fn allows(&self, name: &str) -> bool {
        let fits = if self.is_open { name.starts_with(&self.text) } else { name == self.text };
        fits && name.trim() == name
            && !name.chars().any(char::is_control)
            && !name.split('/').any(|segment| matches!(segment, "." | ".."))
    }

    /// Whether each name that fits `other` fits this one.
    pub fn covers(&self, other: &Self) -> bool {
        if self.is_open { other.text.starts_with(&self.text) } else { self == other }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.is_open { "**" } else { "" })
    }
}

impl FromStr for NamePattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (text, is_open) = text.strip_suffix("**").map_or((text, false), |text| (text, true));
        if text.contains('*') {
            return Err("a name's pattern has one `**`, at its end, or none");
        }
        if is_arn(text) {
            return Err("a pattern that begins with `arn:` stands in `arn`");
        }
        if text.is_empty() && !is_open {
            return Err("a name's pattern is not empty");
        }
        Ok(Self { text: text.to_owned(), is_open })
    }
}

/// Whether a value claims to be an ARN, in whatever case: then no pattern for names counts for it.
pub fn is_arn(value: &str) -> bool {
    value.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("arn:"))
}

/// The full name of a resource ("Identify resources with Amazon Resource Names (ARNs)", IAM user guide):
/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`, where `*` is any one part and `RESOURCE` may end with `**`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArnPattern {
    /// Partition, service, region and account; `None` is any.
    parts: [Option<String>; 4],
    resource: NamePattern,
}

impl ArnPattern {
    /// Whether an ARN of a request fits, part by part and letter by letter.
    pub fn allows(&self, value: &str) -> bool {
        let Some((parts, resource)) = split(value) else { return false };
        let fits = |(expected, part): (&Option<String>, &str)| match expected {
            Some(expected) => expected == part,
            None => !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
        };
        self.parts.iter().zip(parts).all(fits) && self.resource.allows(resource)
    }

    /// Whether it leaves open whose resource is meant.
    pub fn is_of_any_account(&self) -> bool {
        let [_, _, _, account] = &self.parts;
        account.is_none()
    }

    /// Whether it says what kind of resource is meant, and leaves open which one: `secret:**`, `parameter/**`.
    pub fn is_of_any_name(&self) -> bool {
        let separators = [':', '/'];
        let kind = self.resource.text.trim_end_matches(separators);
        self.resource.is_open && kind.len() < self.resource.text.len() && !kind.contains(separators)
    }

    /// Whether each ARN that fits `other` fits this one.
    pub fn covers(&self, other: &Self) -> bool {
        let holds = |(own, other): (&Option<String>, &Option<String>)| own.is_none() || own == other;
        self.parts.iter().zip(&other.parts).all(holds) && self.resource.covers(&other.resource)
    }
}

/// Partition, service, region and account, and the resource, which may have a `:` of its own.
fn split(arn: &str) -> Option<([&str; 4], &str)> {
    let mut parts = arn.strip_prefix("arn:")?.splitn(5, ':');
    let four = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    Some((four, parts.next()?))
}

impl fmt::Display for ArnPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arn:")?;
        for part in &self.parts {
            write!(f, "{}:", part.as_deref().unwrap_or("*"))?;
        }
        self.resource.fmt(f)
    }
}

impl FromStr for ArnPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (parts, resource) =
            split(text).ok_or("an ARN's pattern is `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`")?;
        let resource: NamePattern = resource.parse()?;
        if resource.text.is_empty() {
            return Err("an ARN's pattern says what kind of resource it is for");
        }
        if parts.iter().any(|part| part.contains('*') && *part != "*") {
            return Err("`*` stands for a whole part of an ARN");
        }
        Ok(Self { parts: parts.map(|part| (part != "*").then(|| part.to_owned())), resource })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn name(pattern: &str, value: &str) -> bool {
        pattern.parse::<NamePattern>().unwrap().allows(value)
    }

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/**";

    fn arn(pattern: &str, value: &str) -> bool {
        pattern.parse::<ArnPattern>().unwrap().allows(value)
    }

    #[test]
    fn a_name_fits_its_prefix_and_nothing_beside_it() {
        for (pattern, value) in
            [("app/**", "app/db"), ("app/**", "app/"), ("**", "x"), ("app", "app"), ("a**", "ab/c:3")]
        {
            assert!(name(pattern, value), "{value} should fit {pattern}");
        }
        for (pattern, value) in [
            ("app/**", "app"),
            ("app/**", "apple"),
            ("app/**", "App/db"),
            ("app/**", "/app/db"),
            ("app/**", "x/app/db"),
            ("app", "app/db"),
            ("app", "ap"),
            ("app/**", "app/../other"),
            ("app/**", "app/./db"),
            ("app/**", "app/db "),
            ("app/**", " app/db"),
            ("app/**", "app/db\n"),
            ("app/**", "app/\u{0}"),
            ("**", " arn:aws:secretsmanager:eu-west-1:1:secret:x"),
        ] {
            assert!(!name(pattern, value), "{value:?} should not fit {pattern}");
        }
    }

    #[test]
    fn an_arn_fits_part_by_part() {
        assert!(arn(ARN, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-AbCdEf"));
        for value in [
            "arn:aws:secretsmanager:eu-west-1:999999999999:secret:app/db",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:app/db",
            "arn:aws-cn:secretsmanager:eu-west-1:123456789012:secret:app/db",
            "arn:aws:kms:eu-west-1:123456789012:secret:app/db",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:other",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/../other",
            "arn:aws:secretsmanager:eu-west-1:123456789012",
            "arn:aws:secretsmanager:eu-west-1:123456789012:",
            "ARN:aws:secretsmanager:eu-west-1:123456789012:secret:app/db",
            "arn:aws:secretsmanager::123456789012:secret:app/db",
            "app/db",
        ] {
            assert!(!arn(ARN, value), "{value}");
        }
    }

    #[test]
    fn any_account_is_one_whole_part_and_not_a_way_around_the_others() {
        let any = ARN.replace("123456789012", "*");
        assert!(arn(&any, "arn:aws:secretsmanager:eu-west-1:999999999999:secret:app/db"));
        for value in [
            "arn:aws:secretsmanager:eu-west-1::secret:app/db",
            "arn:aws:secretsmanager:eu-west-1:1/2:secret:app/db",
            "arn:aws:secretsmanager:us-east-1:1:secret:app/db",
            "arn:aws:secretsmanager:eu-west-1:1:secret:x:1:secret:app/db",
        ] {
            assert!(!arn(&any, value), "{value}");
        }
    }

    #[test]
    fn a_pattern_that_means_two_things_is_refused() {
        for text in ["", "a*", "a**b", "**a**", "*", "***", "arn:aws:x", "ARN:x**"] {
            assert!(text.parse::<NamePattern>().is_err(), "{text}");
        }
        for text in ["", "app/**", "arn:aws:x", "arn:a:b:c:d:**", "arn:a:b:c:1*:secret:x", "arn:a:b:c:d:x**y"] {
            assert!(text.parse::<ArnPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_covers_what_is_within_it() {
        let names = |one: &str, other: &str| one.parse::<NamePattern>().unwrap().covers(&other.parse().unwrap());
        assert!(names("app/**", "app/db/**") && names("app/**", "app/db") && names("**", "x**") && names("a", "a"));
        assert!(!names("app/**", "ap**") && !names("app/db", "app/**") && !names("a", "b"));
        let arns = |one: &str, other: &str| one.parse::<ArnPattern>().unwrap().covers(&other.parse().unwrap());
        let any = ARN.replace("123456789012", "*");
        assert!(arns(ARN, ARN) && arns(&any, ARN) && !arns(ARN, &any));
    }

    #[test]
    fn a_pattern_survives_print_and_parse() {
        for text in ["app/**", "**", "app"] {
            assert_eq!(text.parse::<NamePattern>().unwrap().to_string(), text);
        }
        for text in [ARN, "arn:aws:kms:eu-west-1:*:key/1234"] {
            assert_eq!(text.parse::<ArnPattern>().unwrap().to_string(), text);
        }
    }
}
