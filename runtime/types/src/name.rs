//! Validated names. One grammar for all of them: 1 to 63 characters of `a-z`, `0-9`, `-` and `_`, beginning with a
//! letter or a digit. A name that exists is valid, wherever it came from.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest name, in characters (a DNS label).
pub const MAX_NAME_CHARS: usize = 63;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error(
        "{} name is empty; expected 1 to {MAX_NAME_CHARS} characters of a-z, 0-9, '-' and '_'",
        one(kind)
    )]
    Empty {
        /// Which name, for example `agent`.
        kind: &'static str,
    },
    /// More than [`MAX_NAME_CHARS`] characters.
    #[error("{} name has {chars} characters; expected at most {MAX_NAME_CHARS}", one(kind))]
    TooLong {
        /// Which name.
        kind: &'static str,
        /// Its length.
        chars: usize,
    },
    /// A character outside the grammar.
    #[error(
        "{} name has {found:?} at position {position}; expected a-z, 0-9, '-' or '_', first a letter or digit",
        one(kind)
    )]
    BadCharacter {
        /// Which name.
        kind: &'static str,
        /// The offending character.
        found: char,
        /// Its position, counted from 1.
        position: usize,
    },
}

/// One of a kind, with its article.
fn one(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}

fn check(kind: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { kind });
    }
    let chars = text.chars().count();
    if chars > MAX_NAME_CHARS {
        return Err(NameError::TooLong { kind, chars });
    }
    for (index, found) in text.chars().enumerate() {
        let inner = matches!(found, '-' | '_') && index > 0;
        if !(found.is_ascii_lowercase() || found.is_ascii_digit() || inner) {
            return Err(NameError::BadCharacter {
                kind,
                found,
                position: index + 1,
            });
        }
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(std::sync::Arc<str>);

        impl $type {
            /// Checks the text against the grammar of names.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check($kind, text)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$",
                })
            }
        }
    };
}

name!(
    /// The name of a tenant; [`TenantName::default`] is `default`.
    TenantName,
    "tenant"
);
name!(
    /// The name of an agent within its tenant.
    AgentName,
    "agent"
);
name!(
    /// The name of a node within its cluster.
    NodeName,
    "node"
);
name!(
    /// A goal, unique within its agent, and never used again there while the goal is remembered.
    GoalId,
    "goal"
);
name!(
    /// The name of a task within its goal.
    TaskName,
    "task"
);
name!(
    /// The name of a skill within its agent.
    SkillName,
    "skill"
);
name!(
    /// The name of a user's own actor, unique in the cluster.
    UserName,
    "actor"
);

impl Default for TenantName {
    fn default() -> Self {
        Self("default".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_name_is_said_with_the_right_article() {
        let said = |error: NameError| error.to_string();
        let of = |kind| {
            [
                said(NameError::Empty { kind }),
                said(NameError::TooLong { kind, chars: 64 }),
                said(NameError::BadCharacter {
                    kind,
                    found: 'W',
                    position: 1,
                }),
            ]
        };
        assert!(of("agent").iter().all(|text| text.starts_with("an agent name ")));
        assert!(of("actor").iter().all(|text| text.starts_with("an actor name ")));
        assert!(of("node").iter().all(|text| text.starts_with("a node name ")));
    }

    #[test]
    fn a_name_is_a_dns_label_with_underscores() {
        for good in ["a", "ops-1", "0x", "a_b", &"n".repeat(63)] {
            assert_eq!(AgentName::new(good).map(String::from).as_deref(), Ok(good));
        }
        assert_eq!(AgentName::new(""), Err(NameError::Empty { kind: "agent" }));
        assert_eq!(
            AgentName::new(&"n".repeat(64)),
            Err(NameError::TooLong {
                kind: "agent",
                chars: 64
            })
        );
        assert_eq!(
            NodeName::new("-a"),
            Err(NameError::BadCharacter {
                kind: "node",
                found: '-',
                position: 1
            })
        );
        assert_eq!(
            NodeName::new("aé"),
            Err(NameError::BadCharacter {
                kind: "node",
                found: 'é',
                position: 2
            })
        );
        assert_eq!(
            NodeName::new("A"),
            Err(NameError::BadCharacter {
                kind: "node",
                found: 'A',
                position: 1
            })
        );
    }
}
