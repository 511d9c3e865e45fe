//! Reading a configuration: the file first, then each variable, then each setting, so that whatever is wrong is told
//! with the place that it comes from.

use super::{
    ConfigError, MAX_AGENTS, MAX_CONFIG_BYTES, MAX_MEMBERS, NodeConfig, Origin, VARIABLE_PREFIX, WrongValue,
    check_store,
};
use rungs_directory::placement::{MAX_ZONE_BYTES, Zone};
use rungs_host::telemetry;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::Read as _;
use std::path::Path;

/// Variables with the prefix that are not configuration: they belong to the test suite.
const OTHER_VARIABLES: [&str; 1] = ["RUNGS_CI"];

impl NodeConfig {
    /// Reads a file and puts variables and settings over it.
    pub fn load(
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
        settings: &[String],
    ) -> Result<Self, ConfigError> {
        let text = text_of(path)?;
        Self::parse(&path.display().to_string(), &text, variables, settings)
    }

    /// The same for a text.
    pub fn parse(
        source_name: &str,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
        settings: &[String],
    ) -> Result<Self, ConfigError> {
        let file = Origin::File(source_name.to_owned());
        let overrides = overrides(variables, settings)?;
        // Straight from the text, so that an error names line and column. A key that is only missing may still come.
        let mut config = match toml::from_str::<Self>(text) {
            Ok(config) => Ok(config),
            Err(error) if is_missing(&error) && !overrides.is_empty() => Err(error),
            Err(error) => return Err(toml_error(&file, error)),
        };
        if let Ok(config) = &config {
            config.validate(&file)?;
        }
        let mut table: toml::Table = toml::from_str(text).map_err(|error| toml_error(&file, error))?;
        for Override { origin, key, value } in overrides {
            table.insert(key, value);
            config = toml::Value::Table(table.clone()).try_into();
            match &config {
                Ok(config) => config.validate(&origin)?,
                Err(error) if is_missing(error) => {}
                Err(_) => return config.map_err(|error| toml_error(&origin, error)),
            }
        }
        config.map_err(|error| toml_error(&file, error))
    }

    /// Checks every range; an error tells `origin`.
    pub fn validate(&self, origin: &Origin) -> Result<(), ConfigError> {
        let wrong = |WrongValue { field, found, expected }| ConfigError::OutOfRange {
            origin: origin.clone(),
            field,
            found,
            expected,
        };
        self.check_members().map_err(wrong)?;
        if self.agents.len() > MAX_AGENTS {
            let found = self.agents.len();
            return out_of("agents", &found, &format!("at most {MAX_AGENTS}")).map_err(wrong);
        }
        if let Some(twice) = first_twice(self.agents.iter().map(|spec| &spec.agent)) {
            return out_of("agents", &format!("{twice} twice"), "each name once").map_err(wrong);
        }
        if telemetry::check_filter(&self.log).is_err() {
            let expected = "levels such as info or rungs_mesh=debug, separated by commas";
            return out_of("log", &format!("{:?}", self.log), expected).map_err(wrong);
        }
        for spec in &self.agents {
            spec.validate().map_err(|error| ConfigError::Agent {
                origin: origin.clone(),
                agent: spec.agent.to_string(),
                error,
            })?;
        }
        check_store(&self.name, &self.members, self.store.as_ref()).map_err(wrong)
    }

    fn check_members(&self) -> Result<(), WrongValue> {
        if self.members.len() > MAX_MEMBERS {
            return out_of("members", &self.members.len(), &format!("at most {MAX_MEMBERS}"));
        }
        for member in &self.members {
            let field = |key: &str| format!("members, {}, {key}", member.name);
            if !(1..=1000).contains(&member.weight) {
                return out_of(&field("weight"), &member.weight, "1 to 1000");
            }
            if member.address.port() == 0 {
                return out_of(&field("address"), &member.address, "a port from 1 to 65535");
            }
            if Zone::new(&member.zone).is_err() {
                let expected = format!("1 to {MAX_ZONE_BYTES} visible ASCII characters");
                return out_of(&field("zone"), &format!("{:?}", member.zone), &expected);
            }
        }
        if let Some(twice) = first_twice(self.members.iter().map(|member| &member.name)) {
            return out_of("members", &format!("{twice} twice"), "each name once");
        }
        if let Some(twice) = first_twice(self.members.iter().map(|member| member.address)) {
            return out_of("members", &format!("{twice} twice"), "each address once");
        }
        Ok(())
    }
}

fn out_of(field: &str, found: &dyn Display, expected: &str) -> Result<(), WrongValue> {
    Err(WrongValue {
        field: field.to_owned(),
        found: found.to_string(),
        expected: expected.to_owned(),
    })
}

/// A file's text, if it is one and not too large.
pub(crate) fn text_of(path: &Path) -> Result<String, ConfigError> {
    let read = |error| ConfigError::Read {
        path: path.to_owned(),
        error,
    };
    // Read up to the limit, whatever length is claimed: a device or a pipe claims none.
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(read)?;
    file.take(MAX_CONFIG_BYTES + 1).read_to_end(&mut bytes).map_err(read)?;
    if bytes.len() as u64 > MAX_CONFIG_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ConfigError::NotText {
            path: path.to_owned(),
            line: 1 + good.iter().filter(|byte| **byte == b'\n').count(),
        }
    })
}

/// A value that stands over the file's.
struct Override {
    origin: Origin,
    key: String,
    value: toml::Value,
}

/// Variables by name, then settings as they were given.
fn overrides(
    variables: impl IntoIterator<Item = (String, String)>,
    settings: &[String],
) -> Result<Vec<Override>, ConfigError> {
    let mut variables: Vec<_> = variables
        .into_iter()
        .filter(|(name, _)| !OTHER_VARIABLES.contains(&name.as_str()))
        .filter_map(|(name, value)| {
            Some(Override {
                key: name.strip_prefix(VARIABLE_PREFIX)?.to_ascii_lowercase(),
                value: parse_value(&value),
                origin: Origin::Variable(format!("{name}={value}")),
            })
        })
        .collect();
    variables.sort_by(|a, b| a.key.cmp(&b.key));
    for setting in settings {
        let (key, value) = setting.split_once('=').ok_or_else(|| ConfigError::Setting {
            setting: setting.clone(),
        })?;
        variables.push(Override {
            origin: Origin::Setting(setting.clone()),
            key: key.trim().to_owned(),
            value: parse_value(value),
        });
    }
    Ok(variables)
}

fn toml_error(origin: &Origin, error: toml::de::Error) -> ConfigError {
    ConfigError::Toml {
        origin: origin.clone(),
        error: Box::new(error),
    }
}

fn is_missing(error: &toml::de::Error) -> bool {
    error.message().starts_with("missing field")
}

fn first_twice<T: Ord + Copy>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let mut seen = BTreeSet::new();
    items.find(|item| !seen.insert(*item))
}

/// A TOML value if the text is one, else the text itself: `--set log=debug` needs no quotes.
fn parse_value(text: &str) -> toml::Value {
    let line = format!("value = {}", text.trim());
    let parsed = toml::from_str::<toml::Table>(&line)
        .ok()
        .filter(|table| table.len() == 1);
    parsed
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.trim().to_owned()))
}
