//! Roles: what a node may be in its cluster. They are written in its certificate; what a node says of itself counts
//! only as far as the certificate allows it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a node is in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Holds a replica of the cluster's store.
    Voter,
    /// Owns agents and is a client of the store.
    Member,
    /// A shell: owns nothing, and may send what only operators may (see `rungs_host::EndpointBuilder::operators_only`).
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 3] = [Role::Voter, Role::Member, Role::Admin];

    /// The name as in a certificate.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Voter => "voter",
            Role::Member => "member",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text is not a [`Role`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a role; expected voter, member or admin")]
pub struct ParseRoleError {
    found: String,
}

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, ParseRoleError> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| ParseRoleError {
                found: text.chars().take(40).collect(),
            })
    }
}

/// A set of roles. Text form: names in order, joined by `+`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Role>", into = "Vec<Role>")]
pub struct Roles(u8);

impl Roles {
    /// The set of these roles.
    pub fn of(roles: &[Role]) -> Self {
        Self(roles.iter().fold(0, |set, role| set | 1 << *role as u8))
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the role is in the set.
    pub fn contains(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    /// Whether all roles of the other set are in this one.
    pub fn contains_all(self, other: Roles) -> bool {
        self.0 & other.0 == other.0
    }

    /// The roles, in order.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.contains(*role))
    }
}

impl From<Vec<Role>> for Roles {
    fn from(roles: Vec<Role>) -> Self {
        Self::of(&roles)
    }
}

impl From<Roles> for Vec<Role> {
    fn from(roles: Roles) -> Self {
        roles.iter().collect()
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Role::as_str).collect();
        f.pad(&names.join("+"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_roles_contains_what_was_put_in() {
        let roles = Roles::of(&[Role::Admin, Role::Voter]);
        assert_eq!(roles.to_string(), "voter+admin");
        assert!(roles.contains(Role::Admin) && !roles.contains(Role::Member));
        assert!(roles.contains_all(Roles::of(&[Role::Voter])));
        assert!(!roles.contains_all(Roles::of(&[Role::Voter, Role::Member])));
        assert_eq!("member".parse(), Ok(Role::Member));
        assert!("root".parse::<Role>().is_err());
    }
}
