//! Which tests are asked about a change, in which order, and what they said.

use crate::work::{Program, Stage, Work};
use rungs_tidy::thresholds::Constant;
use rungs_tidy::thresholds::rewrite::Change;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// Tests of a whole level that are too slow for a quick look; those of its modules are asked all the same.
const SLOW: &str = "l48::";

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This test fails.
    Killed(String),
    /// Neither way can it be built.
    NotCompiled,
    /// All tests pass.
    Survived,
}

/// The judge of all changes.
pub(crate) struct Judge<'a> {
    constants: &'a [Constant],
    changes: &'a [Change],
    programs: Vec<Program>,
    results: PathBuf,
    known: BTreeMap<String, String>,
    verdicts: Vec<(usize, Verdict)>,
    /// Only the tests of a constant's own part of the crate are asked, and nothing is kept.
    near: bool,
    /// Stages that pass without a change.
    sound: Vec<Stage>,
}

impl<'a> Judge<'a> {
    /// A judge that takes up what an earlier run found about the same sources.
    pub(crate) fn new(
        work: &Work,
        constants: &'a [Constant],
        changes: &'a [Change],
        near: bool,
    ) -> Result<Self, String> {
        let results = work.results();
        let first = format!("sources\t{:016x}", work.fingerprint);
        let text = fs::read_to_string(&results).unwrap_or_default();
        let mut known = BTreeMap::new();
        if text.lines().next() == Some(first.as_str()) {
            let lines = text.lines().skip(1).filter_map(|line| line.split_once('\t'));
            known.extend(lines.map(|(name, verdict)| (name.to_owned(), verdict.to_owned())));
        } else {
            fs::write(&results, format!("{first}\n")).map_err(|error| error.to_string())?;
        }
        Ok(Self {
            constants,
            changes,
            programs: work.programs.clone(),
            results,
            known,
            verdicts: Vec::new(),
            near,
            sound: Vec::new(),
        })
    }

    /// A test that fails without a change notices nothing. Each stage is asked once.
    fn require_sound(&mut self, stage: &Stage, work: &Work) -> Result<(), String> {
        if self.sound.contains(stage) {
            return Ok(());
        }
        match work.run(stage, None)? {
            Some(test) => Err(format!("{test} fails without a change")),
            None => {
                self.sound.push(stage.clone());
                Ok(())
            }
        }
    }

    /// Fails if a test fails without a change.
    pub(crate) fn baseline(&self, work: &Work) -> Result<(), String> {
        for program in &self.programs {
            let stage = Stage {
                program: program.clone(),
                module: String::new(),
            };
            if let Some(test) = work.run(&stage, None)? {
                return Err(format!("{test} fails without a change"));
            }
        }
        Ok(())
    }

    /// Whether an earlier run judged this change; it is counted then.
    pub(crate) fn known(&mut self, index: usize) -> bool {
        let Some(said) = self.known.get(&self.name(index)) else {
            return false;
        };
        let verdict = match said.split_once('\t').unwrap_or((said, "")) {
            ("killed", by) => Verdict::Killed(by.to_owned()),
            ("not compiled", _) => Verdict::NotCompiled,
            _ => Verdict::Survived,
        };
        self.verdicts.push((index, verdict));
        true
    }

    /// Asks the tests near the constant first, then wider, until one notices.
    pub(crate) fn judge(&mut self, index: usize, work: &Work) -> Result<(), String> {
        if self.known(index) {
            return Ok(());
        }
        let path = &self.constants[self.changes[index].constant].path;
        for stage in self.stages(path, &self.programs) {
            if let Some(test) = work.run(&stage, Some(index))? {
                self.require_sound(&stage, work)?;
                return self.note(index, Verdict::Killed(test));
            }
        }
        self.note(index, Verdict::Survived)
    }

    /// The same for a program that was built with this change alone.
    pub(crate) fn alone(&self, index: usize, work: &mut Work) -> Result<Verdict, String> {
        let path = &self.constants[self.changes[index].constant].path;
        for stage in self.stages(path, &work.programs) {
            if let Some(test) = work.run(&stage, None)? {
                return Ok(Verdict::Killed(test));
            }
        }
        if self.near {
            return Ok(Verdict::Survived);
        }
        if !work.build_all(&[].into())?.is_empty() {
            return Ok(Verdict::NotCompiled);
        }
        for program in work.programs.iter().filter(|program| !program.is_lib) {
            let stage = Stage {
                program: program.clone(),
                module: String::new(),
            };
            if let Some(test) = work.run(&stage, None)? {
                return Ok(Verdict::Killed(test));
            }
        }
        Ok(Verdict::Survived)
    }

    /// Prints and keeps a verdict.
    pub(crate) fn note(&mut self, index: usize, verdict: Verdict) -> Result<(), String> {
        let name = self.name(index);
        let said = match &verdict {
            Verdict::Killed(test) => format!("killed\t{test}"),
            Verdict::NotCompiled => "not compiled\t".to_owned(),
            Verdict::Survived => "SURVIVED\t".to_owned(),
        };
        let line = format!("{name}\t{said}");
        println!("{line}");
        self.verdicts.push((index, verdict));
        if self.near {
            return Ok(());
        }
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(&self.results)
            .map_err(|error| error.to_string())?;
        writeln!(file, "{line}").map_err(|error| error.to_string())
    }

    /// Prints how many changes there were and which survive; how many do.
    pub(crate) fn report(&self) -> usize {
        let count = |wanted: fn(&Verdict) -> bool| self.verdicts.iter().filter(|(_, verdict)| wanted(verdict)).count();
        let survivors: Vec<usize> = self
            .verdicts
            .iter()
            .filter(|(_, verdict)| *verdict == Verdict::Survived)
            .map(|(index, _)| *index)
            .collect();
        println!("\n| changes | noticed by a test | by the compiler | by nobody |");
        println!("| --- | --- | --- | --- |");
        println!(
            "| {} | {} | {} | {} |",
            self.verdicts.len(),
            count(|verdict| matches!(verdict, Verdict::Killed(_))),
            count(|verdict| *verdict == Verdict::NotCompiled),
            survivors.len()
        );
        for index in &survivors {
            println!("survives: {}", self.name(*index));
        }
        survivors.len()
    }

    fn stages(&self, path: &str, programs: &[Program]) -> Vec<Stage> {
        let mut stages = stages(path, programs);
        stages.retain(|stage| !self.near || !(stage.module.is_empty() || stage.module == SLOW));
        stages
    }

    fn name(&self, index: usize) -> String {
        let change = &self.changes[index];
        let constant = &self.constants[change.constant];
        let number = &constant.numbers[change.number];
        format!(
            "{}:{} {}[{}] {} → {}",
            constant.path, constant.line, constant.name, change.number, number.from, number.up
        )
    }
}

/// The tests of the constant's own module, of the one around it, of its crate, and then of the crates above.
fn stages(path: &str, programs: &[Program]) -> Vec<Stage> {
    let mut stages = Vec::new();
    for program in programs {
        let inside = path.strip_prefix(&format!("{}/src/", program.folder));
        if let Some(file) = inside.filter(|_| program.is_lib) {
            let modules: Vec<&str> = file
                .trim_end_matches(".rs")
                .split('/')
                .filter(|name| *name != "mod")
                .collect();
            let depths = (1..=modules.len()).rev().filter(|_| modules != ["lib"]);
            stages.extend(depths.map(|depth| Stage {
                program: program.clone(),
                module: format!("{}::", modules[..depth].join("::")),
            }));
        }
        stages.push(Stage {
            program: program.clone(),
            module: String::new(),
        });
    }
    // Those of the constant's own crate come first.
    stages.sort_by_key(|stage| !(stage.program.is_lib && path.starts_with(&stage.program.folder)));
    stages
}
