//! Who somebody is: by the numbers that the kernel knows and the names that the machine's own files give them.

use std::collections::BTreeSet;

/// The longest file of users or groups that is read, in bytes.
pub const LONGEST_NAMES: u64 = 4 << 20;

/// The number that no user and no group has (POSIX: `(uid_t)-1`).
const NOBODYS: u32 = u32::MAX;

/// Whom a role is given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// `user:1000`.
    User(u32),
    /// `user:alice`.
    UserName(String),
    /// `group:100`.
    Group(u32),
    /// `group:dev`.
    GroupName(String),
}

/// Why a text is no member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a member is `user:NAME`, `group:NAME` or one of them with a number")]
pub struct MemberError;

impl std::str::FromStr for Member {
    type Err = MemberError;

    fn from_str(text: &str) -> Result<Self, MemberError> {
        let (kind, name) = text.split_once(':').ok_or(MemberError)?;
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
        let number = name.parse().ok().filter(|number| *number != NOBODYS);
        match (kind, is_number) {
            _ if !is_account(name) => Err(MemberError),
            ("user", true) => number.map(Self::User).ok_or(MemberError),
            ("group", true) => number.map(Self::Group).ok_or(MemberError),
            ("user", false) => Ok(Self::UserName(name.to_owned())),
            ("group", false) => Ok(Self::GroupName(name.to_owned())),
            _ => Err(MemberError),
        }
    }
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(number) => write!(f, "user:{number}"),
            Self::UserName(name) => write!(f, "user:{name}"),
            Self::Group(number) => write!(f, "group:{number}"),
            Self::GroupName(name) => write!(f, "group:{name}"),
        }
    }
}

/// Whether a text can be the name or the number of an account.
fn is_account(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b':' | b',' | b'"' | b'\\' | b'`');
    (1..=256).contains(&name.len()) && name.bytes().all(is_plain)
}

/// A group that somebody is in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Joined {
    number: u32,
    /// Its names; a group of a directory service has none here.
    names: Vec<String>,
}

/// Who asks: the kernel's word for numbers and groups, and the machine's own files for names.
///
/// What the environment says counts for nothing: whoever starts the program chooses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    number: u32,
    names: Vec<String>,
    groups: Vec<Joined>,
}

impl Principal {
    /// The user of this number in the groups of these numbers.
    pub fn new(number: u32, groups: impl IntoIterator<Item = u32>, names: &Names) -> Self {
        let groups: BTreeSet<u32> = groups.into_iter().collect();
        let joined = |number: u32| Joined { number, names: names.groups_of(number) };
        Self { number, names: names.users_of(number), groups: groups.into_iter().map(joined).collect() }
    }

    /// Somebody who is only asked about: a user's name or number, and groups besides those that the files say.
    ///
    /// # Errors
    /// A text is no account's name or number.
    pub fn supposed(user: &str, groups: &[String], names: &Names) -> Result<Self, MemberError> {
        let user: Member = format!("user:{user}").parse()?;
        let account = names.users.iter().find(|account| match &user {
            Member::User(number) => account.number == *number,
            _ => user == Member::UserName(account.name.clone()),
        });
        let number = match (&user, account) {
            (_, Some(account)) => account.number,
            (Member::User(number), None) => *number,
            _ => NOBODYS,
        };
        let mut principal = Self::new(number, account.map(|account| account.group), names);
        if let (Member::UserName(name), None) = (&user, account) {
            principal.names.push(name.clone());
        }
        let is_member = |group: &&NamedGroup| group.members.iter().any(|member| principal.names.contains(member));
        let of_files: Vec<u32> = names.groups.iter().filter(is_member).map(|group| group.number).collect();
        of_files.into_iter().for_each(|number| principal.join(number, names));
        for group in groups {
            match format!("group:{group}").parse()? {
                Member::Group(number) => principal.join(number, names),
                _ => match names.groups.iter().find(|known| known.name == *group) {
                    Some(known) => principal.join(known.number, names),
                    None => principal.groups.push(Joined { number: NOBODYS, names: vec![group.clone()] }),
                },
            }
        }
        Ok(principal)
    }

    fn join(&mut self, number: u32, names: &Names) {
        if self.groups.iter().all(|group| group.number != number) {
            self.groups.push(Joined { number, names: names.groups_of(number) });
        }
    }

    /// Whether a role is given to them.
    pub fn is(&self, member: &Member) -> bool {
        match member {
            Member::User(number) => self.number == *number,
            Member::UserName(name) => self.names.contains(name),
            Member::Group(number) => self.groups.iter().any(|group| group.number == *number),
            Member::GroupName(name) => self.groups.iter().any(|group| group.names.contains(name)),
        }
    }

    /// Whether it can't be known here whether they are this member: their name may be in a directory service.
    pub fn may_be(&self, member: &Member) -> bool {
        match member {
            Member::User(_) | Member::Group(_) => false,
            Member::UserName(_) => self.names.is_empty(),
            Member::GroupName(_) => self.groups.iter().any(|group| group.names.is_empty()),
        }
    }

    /// The user's number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What the entity of the user is called in Cedar: the first name, or the number where the files have no name.
    pub fn entity(&self) -> String {
        self.names.first().cloned().unwrap_or_else(|| self.number.to_string())
    }

    /// The user's names, the first one first.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The numbers of the groups.
    pub fn group_numbers(&self) -> impl Iterator<Item = u32> {
        self.groups.iter().map(|group| group.number)
    }

    /// The names of the groups.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flat_map(|group| &group.names).map(String::as_str)
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.names.first(), self.number) {
            (Some(name), NOBODYS) => write!(f, "user `{name}`"),
            (Some(name), number) => write!(f, "user `{name}` ({number})"),
            (None, number) => write!(f, "user {number}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    name: String,
    number: u32,
    group: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct NamedGroup {
    name: String,
    number: u32,
    members: Vec<String>,
}

/// The names of a machine's own users and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    users: Vec<Account>,
    groups: Vec<NamedGroup>,
}

impl Names {
    /// Reads `/etc/passwd` ("passwd(5)": `name:password:UID:GID:…`) and `/etc/group` ("group(5)":
    /// `name:password:GID:members`). A line of another form, as one for a directory service, counts for nothing.
    pub fn read(passwd: &[u8], group: &[u8]) -> Self {
        let fields = |line: &'_ [u8]| -> Option<Vec<String>> {
            let line = std::str::from_utf8(line).ok()?;
            // A name of digits would be somebody's number, and is nobody's name.
            let fields: Vec<String> = line.split(':').map(str::to_owned).collect();
            let name = fields.first()?;
            (is_account(name) && !name.bytes().all(|byte| byte.is_ascii_digit())).then_some(fields)
        };
        let number = |fields: &[String], at: usize| fields.get(at)?.parse::<u32>().ok();
        let account = |line: &[u8]| {
            let fields = fields(line)?;
            Some(Account { number: number(&fields, 2)?, group: number(&fields, 3)?, name: fields.into_iter().next()? })
        };
        let named = |line: &[u8]| {
            let fields = fields(line)?;
            let number = number(&fields, 2)?;
            let members = fields.get(3).map(|members| members.split(',').map(str::to_owned).collect());
            Some(NamedGroup { number, members: members.unwrap_or_default(), name: fields.into_iter().next()? })
        };
        let lines = |file: &'_ [u8]| file.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        Self {
            users: lines(passwd).iter().filter_map(|line| account(line)).collect(),
            groups: lines(group).iter().filter_map(|line| named(line)).collect(),
        }
    }

    fn users_of(&self, number: u32) -> Vec<String> {
        self.users.iter().filter(|account| account.number == number).map(|account| account.name.clone()).collect()
    }

    fn groups_of(&self, number: u32) -> Vec<String> {
        self.groups.iter().filter(|group| group.number == number).map(|group| group.name.clone()).collect()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::read(
            b"root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nalice:x:1000:1000:A:/home/alice:/bin/sh\n+::::::\n7:x:7:7::/:/\nbroken:x:y\n\xff:x:1:1::/:/\n",
            b"dev:x:50:alice,bob\nalice:x:1000:\n+:::\n",
        )
    }

    fn member(text: &str) -> Member {
        text.parse().unwrap()
    }

    #[test]
    fn a_member_is_a_user_or_a_group_by_name_or_number() {
        for text in ["user:1000", "user:alice", "group:100", "group:dev", "user:svc-app$"] {
            assert_eq!(member(text).to_string(), text);
        }
        for text in
            ["alice", "user:", "role:x", "user:a b", "user:4294967295", "user:99999999999", "user:a\"b", "user:é"]
        {
            assert!(text.parse::<Member>().is_err(), "{text}");
        }
    }

    #[test]
    fn somebody_is_who_the_kernel_and_the_machines_files_say() {
        let alice = Principal::new(1000, [1000, 50, 50], &names());
        for text in ["user:1000", "user:alice", "group:dev", "group:50", "group:alice"] {
            assert!(alice.is(&member(text)), "{text}");
        }
        for text in ["user:root", "user:0", "group:wheel", "group:0", "user:dev", "group:1"] {
            assert!(!alice.is(&member(text)), "{text}");
        }
        assert!(!alice.may_be(&member("user:bob")));
        // All names of a number are theirs, and what looks like a number is nobody's name.
        let root = Principal::new(0, [0], &names());
        assert!(root.is(&member("user:toor")) && root.entity() == "root");
        assert_eq!(Principal::new(7, [], &names()).names(), [""; 0]);
    }

    #[test]
    fn a_name_that_only_a_directory_service_has_can_not_be_told_from_here() {
        let somebody = Principal::new(5000, [5000], &names());
        assert!(somebody.may_be(&member("user:bob")) && somebody.may_be(&member("group:dev")));
        assert!(!somebody.may_be(&member("user:1")) && !somebody.may_be(&member("group:1")));
        assert_eq!(somebody.to_string(), "user 5000");
    }

    #[test]
    fn somebody_who_is_only_asked_about_has_the_groups_of_the_files_and_those_that_were_typed() {
        let alice = Principal::supposed("alice", &["ops".to_owned(), "7".to_owned()], &names()).unwrap();
        for text in ["user:1000", "group:dev", "group:alice", "group:ops", "group:7"] {
            assert!(alice.is(&member(text)), "{text}");
        }
        assert_eq!(alice.to_string(), "user `alice` (1000)");
        let bob = Principal::supposed("bob", &[], &names()).unwrap();
        assert!(bob.is(&member("user:bob")) && bob.is(&member("group:dev")) && !bob.is(&member("user:0")));
        assert!(Principal::supposed("a:b", &[], &names()).is_err());
    }
}
