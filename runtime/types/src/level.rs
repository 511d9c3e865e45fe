//! The ladder: levels of autonomy, and how much authority a level has.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A rung. Ordered: a greater level stands on the smaller ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Level {
    /// Self-regulation: predict, act, compare, update. Always on; cannot be frozen.
    #[serde(rename = "L3")]
    L3,
    /// The stability floor that L4.8 falls back to.
    #[serde(rename = "L4.5")]
    L45,
    /// World model, self-model, strategy.
    #[serde(rename = "L4.8")]
    L48,
    /// Own goals, values, survival, trust.
    #[serde(rename = "L4.9")]
    L49,
    /// Meta-autonomy.
    #[serde(rename = "L6")]
    L6,
}

impl Level {
    /// All levels, lowest first.
    pub const ALL: [Level; 5] = [Level::L3, Level::L45, Level::L48, Level::L49, Level::L6];

    /// The level's place on the ladder, 0 for L3.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The role of the level's actor in the agent's tree, such as `l48`.
    pub fn role(self) -> &'static str {
        match self {
            Level::L3 => "kernel",
            Level::L45 => "l45",
            Level::L48 => "l48",
            Level::L49 => "l49",
            Level::L6 => "l6",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::L3 => "L3",
            Level::L45 => "L4.5",
            Level::L48 => "L4.8",
            Level::L49 => "L4.9",
            Level::L6 => "L6",
        })
    }
}

/// A text that is not a level or an authority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {expected}")]
pub struct ParseLevelError {
    found: String,
    expected: &'static str,
}

impl FromStr for Level {
    type Err = ParseLevelError;

    /// Accepts `L4.8`, `l4.8`, `l48`, `4.8` and so on.
    fn from_str(text: &str) -> Result<Self, ParseLevelError> {
        let digits: String = text.chars().take(8).filter(char::is_ascii_digit).collect();
        let shape_ok = text.len() <= 4
            && text
                .strip_prefix(['L', 'l'])
                .unwrap_or(text)
                .chars()
                .all(|c| c.is_ascii_digit() || c == '.');
        match (shape_ok, digits.as_str()) {
            (true, "3") => Ok(Level::L3),
            (true, "45") => Ok(Level::L45),
            (true, "48") => Ok(Level::L48),
            (true, "49") => Ok(Level::L49),
            (true, "6") => Ok(Level::L6),
            _ => Err(ParseLevelError {
                found: text.chars().take(40).collect(),
                expected: "a level; expected L3, L4.5, L4.8, L4.9 or L6",
            }),
        }
    }
}

/// How much of what a level says has an effect. Ordered from none to full.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Authority {
    /// Computes nothing, says nothing.
    #[default]
    Frozen,
    /// Computes; nobody sees it.
    Shadow,
    /// Visible, weight 0.
    Advisory,
    /// Weight 0.5.
    Half,
    /// Weight 1.
    Full,
}

impl Authority {
    /// All values, least first.
    pub const ALL: [Authority; 5] = [
        Authority::Frozen,
        Authority::Shadow,
        Authority::Advisory,
        Authority::Half,
        Authority::Full,
    ];

    /// The share of the decision that follows the level: 0, 0.5 or 1.
    pub fn weight(self) -> f64 {
        match self {
            Authority::Frozen | Authority::Shadow | Authority::Advisory => 0.0,
            Authority::Half => 0.5,
            Authority::Full => 1.0,
        }
    }

    /// The value as a byte for an atomic cell; [`Authority::from_byte`] reads it back.
    pub fn as_byte(self) -> u8 {
        self as u8
    }

    /// The value of a byte written by [`Authority::as_byte`]; any other byte is `Frozen`, the safe reading.
    pub fn from_byte(byte: u8) -> Self {
        Self::ALL.get(usize::from(byte)).copied().unwrap_or(Authority::Frozen)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Authority::Frozen => "frozen",
            Authority::Shadow => "shadow",
            Authority::Advisory => "advisory",
            Authority::Half => "half",
            Authority::Full => "full",
        })
    }
}

impl FromStr for Authority {
    type Err = ParseLevelError;

    fn from_str(text: &str) -> Result<Self, ParseLevelError> {
        let lower = text.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|a| a.to_string() == lower)
            .ok_or_else(|| ParseLevelError {
                found: text.chars().take(40).collect(),
                expected: "an authority; expected frozen, shadow, advisory, half or full",
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_and_authority_reads_back() {
        for level in Level::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        for authority in Authority::ALL {
            assert_eq!(authority.to_string().parse(), Ok(authority));
            assert_eq!(Authority::from_byte(authority.as_byte()), authority);
        }
        assert_eq!("l48".parse(), Ok(Level::L48));
        assert_eq!("4.8".parse(), Ok(Level::L48));
        assert!("L5".parse::<Level>().is_err());
        assert!("x48".parse::<Level>().is_err());
        assert_eq!(Authority::from_byte(200), Authority::Frozen);
    }

    #[test]
    fn only_half_and_full_weigh() {
        assert_eq!(Authority::ALL.map(Authority::weight), [0.0, 0.0, 0.0, 0.5, 1.0]);
    }
}
