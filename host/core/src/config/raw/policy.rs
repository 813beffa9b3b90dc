//! `[policy]`: roles and files of Cedar, as the user's and the machine's configuration have them.

use std::path::PathBuf;

use toml::de::DeValue;

use super::{Field, Reader, at};
use crate::config::Error;
use crate::policy::{Member, Role, Rule, Written};
use crate::reference::is_name;

/// The most roles, and the most files.
const MOST: usize = 256;

/// The most members or rules of a role.
const MOST_ITEMS: usize = 1_000;

impl<'t> Reader<'t> {
    pub(super) fn policy(&self, field: &Field<'_, 't>) -> Result<Written, Error> {
        let mut written = Written::default();
        for field in self.fields(field.table()?, &field.name) {
            match field.key {
                "files" => written.files = self.items(&field)?.iter().map(file).collect::<Result<_, _>>()?,
                "roles" => {
                    for field in self.fields(field.table()?, &field.name) {
                        if !is_name(field.key) {
                            return Err(
                                field.refused("can't be a role's name: lower-case letters, digits, `-` and `_`")
                            );
                        }
                        written.roles.insert(field.key.to_owned(), self.role(&field)?);
                    }
                }
                _ => return Err(self.unknown(&field)),
            }
        }
        if written.files.len() > MOST || written.roles.len() > MOST {
            return Err(field.refused("has more than the 256 files or roles that are read"));
        }
        Ok(written)
    }

    fn role(&self, field: &Field<'_, 't>) -> Result<Role, Error> {
        let mut role = Role::default();
        for field in self.fields(field.table()?, &field.name) {
            let rules = |field: &Field<'_, 't>| -> Result<Vec<Rule>, Error> {
                let rule = |item: &Field<'_, 't>| Rule::parse(item.text()?, item.at).map_err(|rule| item.refused(rule));
                self.items(field)?.iter().map(rule).collect()
            };
            match field.key {
                "members" => {
                    let member = |item: &Field<'_, 't>| -> Result<Member, Error> {
                        item.text()?.parse().map_err(|_| {
                            item.refused("must be `user:NAME` or `group:NAME`, or one of them with a number")
                        })
                    };
                    role.members = self.items(&field)?.iter().map(member).collect::<Result<_, _>>()?;
                }
                "allow" => role.allow = rules(&field)?,
                "deny" => role.deny = rules(&field)?,
                _ => return Err(self.unknown(&field)),
            }
        }
        // One that nobody has would deny nothing, which may not be what was meant.
        if role.members.is_empty() {
            return Err(field.refused("needs `members`"));
        }
        Ok(role)
    }

    /// The items of a list, each with its place.
    fn items<'a>(&self, field: &Field<'a, 't>) -> Result<Vec<Field<'a, 't>>, Error> {
        match field.value.get_ref() {
            DeValue::Array(items) if items.len() <= MOST_ITEMS => {
                let item = |value: &'a super::Value<'t>| {
                    let at = at(self.text, value.span().start);
                    Field { key: field.key, value, name: field.name.clone(), at }
                };
                Ok(items.iter().map(item).collect())
            }
            _ => Err(field.refused("must be a list of at most 1000 texts")),
        }
    }
}

fn file(item: &Field<'_, '_>) -> Result<PathBuf, Error> {
    let path = PathBuf::from(item.text()?);
    if path.is_absolute() { Ok(path) } else { Err(item.refused("must be an absolute path")) }
}
