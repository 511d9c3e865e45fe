//! What is deployed is what was meant: a hardened service, and an image of one static program.

use crate::Finding;
use std::collections::BTreeMap;

const UNIT: &str = "deploy/systemd/rungs-node.service";
const IMAGE: &str = "deploy/docker/Containerfile";
const GUIDE: &str = "deploy/README.md";

/// Section, key and value that the unit must have.
const REQUIRED: &[(&str, &str, &str)] = &[
    ("Unit", "After", "network-online.target"),
    ("Unit", "Wants", "network-online.target"),
    ("Service", "Type", "exec"),
    ("Service", "Restart", "on-failure"),
    ("Service", "KillMode", "mixed"),
    ("Service", "DynamicUser", "yes"),
    ("Service", "StateDirectory", "rungs"),
    ("Service", "UMask", "0077"),
    ("Service", "NoNewPrivileges", "yes"),
    ("Service", "CapabilityBoundingSet", ""),
    ("Service", "AmbientCapabilities", ""),
    ("Service", "ProtectSystem", "strict"),
    ("Service", "ProtectHome", "yes"),
    ("Service", "PrivateTmp", "yes"),
    ("Service", "PrivateDevices", "yes"),
    ("Service", "ProtectClock", "yes"),
    ("Service", "ProtectControlGroups", "yes"),
    ("Service", "ProtectKernelLogs", "yes"),
    ("Service", "ProtectKernelModules", "yes"),
    ("Service", "ProtectKernelTunables", "yes"),
    ("Service", "RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
    ("Service", "RestrictNamespaces", "yes"),
    ("Service", "RestrictRealtime", "yes"),
    ("Service", "RestrictSUIDSGID", "yes"),
    ("Service", "LockPersonality", "yes"),
    ("Service", "MemoryDenyWriteExecute", "yes"),
    ("Service", "SystemCallArchitectures", "native"),
    ("Service", "SystemCallFilter", "@system-service"),
    ("Install", "WantedBy", "multi-user.target"),
];

/// Where the unit finds the program and its configuration.
const START: &str = "/usr/local/bin/rungs node --config /etc/rungs/node.toml";

/// The command that builds the static program, as the image and the guide name it.
const BUILD: &str = "RUSTFLAGS=\"-C target-feature=+crt-static\" cargo build --release --locked -p rungs --target x86_64-unknown-linux-gnu";
/// Where that command leaves the program.
const BUILT: &str = "target/x86_64-unknown-linux-gnu/release/rungs";

/// Everything the unit lacks, and every line in it that is none of a unit's.
pub fn check_unit(unit: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut section = String::new();
    let mut values: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (number, line) in unit.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, value)) = line.split_once('=')
            && !section.is_empty()
        {
            values
                .entry((section.clone(), key.to_owned()))
                .or_default()
                .push(value.to_owned());
        } else {
            findings.push(Finding::at(UNIT, number + 1, "is no section, key or comment"));
        }
    }
    let start = ("Service", "ExecStart", START);
    for (section, key, value) in REQUIRED.iter().chain([&start]) {
        let have = values.get(&((*section).to_owned(), (*key).to_owned()));
        if !have.is_some_and(|have| have.iter().any(|have| have == value)) {
            findings.push(Finding::new(
                UNIT,
                format!("[{section}] has no {key}={value}, but {have:?}"),
            ));
        }
    }
    findings
}

/// Everything in the image's recipe that is not one static program run by an unprivileged user, and every difference
/// between the recipe and the guide.
pub fn check_image(recipe: &str, guide: &str) -> Vec<Finding> {
    let instructions: Vec<(&str, &str)> = recipe
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .collect();
    let values = |name: &str| -> Vec<&str> {
        let same = instructions.iter().filter(|(instruction, _)| *instruction == name);
        same.map(|(_, value)| value.trim()).collect()
    };
    let mut findings = Vec::new();
    let mut expect = |holds: bool, place: &str, what: &str| {
        if !holds {
            findings.push(Finding::new(place, what));
        }
    };
    expect(values("FROM") == ["scratch"], IMAGE, "is not FROM scratch, once");
    let copied = values("COPY");
    let copies_program = copied.len() == 1 && copied[0].ends_with(&format!("{BUILT} /rungs"));
    expect(
        copies_program,
        IMAGE,
        "does not copy the built program to /rungs, and nothing else",
    );
    let unprivileged = |user: &str| {
        let ids: Vec<Option<u32>> = user.split(':').map(|id| id.parse().ok()).collect();
        ids.len() == 2 && ids.iter().all(|id| id.is_some_and(|id| id > 0))
    };
    let users = values("USER");
    expect(
        users.len() == 1 && unprivileged(users[0]),
        IMAGE,
        "does not name one USER by numbers above zero",
    );
    expect(
        values("ENTRYPOINT") == ["[\"/rungs\"]"],
        IMAGE,
        "does not start /rungs without a shell",
    );
    expect(
        values("RUN").is_empty(),
        IMAGE,
        "runs something, but an empty image has nothing to run it",
    );
    let names_build = |text: &str| text.lines().any(|line| line.trim_start_matches(['#', ' ']) == BUILD);
    expect(
        names_build(recipe),
        IMAGE,
        "does not name the command that builds the static program",
    );
    expect(
        names_build(guide),
        GUIDE,
        "does not name the command that builds the static program",
    );
    expect(guide.contains(IMAGE), GUIDE, "does not name the image's recipe");
    expect(guide.contains(UNIT), GUIDE, "does not name the service's unit");
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> String {
        let mut unit = String::new();
        for section in ["Unit", "Service", "Install"] {
            unit += &format!("# comment\n[{section}]\n");
            for (_, key, value) in REQUIRED.iter().filter(|(have, _, _)| *have == section) {
                unit += &format!("{key}={value}\n");
            }
            if section == "Service" {
                unit += &format!("ExecStart={START}\n");
            }
        }
        unit
    }

    #[test]
    fn a_unit_with_all_keys_is_clean() {
        assert_eq!(check_unit(&unit()), []);
    }

    #[test]
    fn each_missing_or_weakened_key_is_found() {
        for (section, key, value) in REQUIRED {
            let line = format!("\n{key}={value}\n");
            for changed in ["\n".to_owned(), format!("\n{key}=other\n")] {
                let found = check_unit(&unit().replacen(&line, &changed, 1));
                assert_eq!(found.len(), 1, "{section} {key}");
                assert!(
                    found[0].what.starts_with(&format!("[{section}] has no {key}=")),
                    "{found:?}"
                );
            }
        }
        assert_eq!(
            check_unit(&unit().replace("ExecStart=", "ExecStart=/bin/sh -c ")).len(),
            1
        );
    }

    #[test]
    fn a_line_that_is_no_unit_syntax_is_found() {
        let found = check_unit(&format!("Key=before any section\n{}nonsense\n", unit()));
        assert_eq!(found.len(), 2);
    }

    fn image() -> String {
        format!("# {BUILD}\nFROM scratch\nCOPY {BUILT} /rungs\nUSER 65532:65532\nENTRYPOINT [\"/rungs\"]\n")
    }

    fn guide() -> String {
        format!("`{UNIT}` and `{IMAGE}`:\n    {BUILD}\n")
    }

    #[test]
    fn an_image_of_one_static_program_is_clean() {
        assert_eq!(check_image(&image(), &guide()), []);
    }

    #[test]
    fn each_planted_weakness_of_the_image_is_found() {
        for (from, to) in [
            ("FROM scratch", "FROM debian"),
            ("USER 65532:65532", "USER 0:0"),
            ("USER 65532:65532", "USER nobody"),
            ("USER 65532:65532", ""),
            ("[\"/rungs\"]", "/rungs"),
            ("/release/rungs", "/debug/rungs"),
            ("ENTRYPOINT", "RUN true\nENTRYPOINT"),
            ("+crt-static", "-crt-static"),
        ] {
            assert_eq!(
                check_image(&image().replace(from, to), &guide()).len(),
                1,
                "{from} → {to}"
            );
        }
        assert_eq!(check_image(&image(), &guide().replace("--locked ", "")).len(), 1);
        assert_eq!(check_image(&image(), &guide().replace(UNIT, "")).len(), 1);
    }
}
