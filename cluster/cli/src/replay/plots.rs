//! Where plots go: one file of a single recording, or a folder of one for each.

use super::chart::Notes;
use super::detection::{Detection, Judged, nab};
use super::summary::Summary;
use anyhow::Context as _;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// The files, one for each recording.
#[derive(Debug, PartialEq)]
pub struct Plots {
    files: Vec<PathBuf>,
}

impl Plots {
    /// Makes sure that all of them can be written before anything is replayed. A path that is a folder, or ends as one,
    /// is made and takes a file for each recording; any other is the file of the only one.
    pub fn prepare(path: &Path, recordings: &[String]) -> anyhow::Result<Self> {
        let ends_as_folder = path
            .as_os_str()
            .to_string_lossy()
            .ends_with(['/', std::path::MAIN_SEPARATOR]);
        let files = if ends_as_folder || path.is_dir() {
            std::fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))?;
            names(recordings).into_iter().map(|name| path.join(name)).collect()
        } else if recordings.len() == 1 {
            vec![path.to_owned()]
        } else {
            anyhow::bail!(
                "--plot {}: {} recordings do not go into one file; expected a folder, such as {}/, or --stack",
                path.display(),
                recordings.len(),
                path.with_extension("").display(),
            );
        };
        for file in &files {
            let writable = OpenOptions::new().write(true).create(true).truncate(false).open(file);
            writable.with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(Self { files })
    }

    /// Writes the plot of a recording over what is there.
    pub fn write(&self, index: usize, picture: &str) -> anyhow::Result<()> {
        let file = &self.files[index];
        std::fs::write(file, picture).with_context(|| format!("cannot write {}", file.display()))
    }
}

/// The names of the recordings as those of SVG files, a number behind one that was there before.
fn names(recordings: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(recordings.len());
    for recording in recordings {
        let stem = Path::new(recording)
            .file_stem()
            .map_or_else(|| recording.clone(), |s| s.to_string_lossy().into_owned());
        let numbered = (2_u32..).map(|number| format!("{stem}-{number}.svg"));
        let mut free = std::iter::once(format!("{stem}.svg"))
            .chain(numbered)
            .filter(|name| !names.contains(name));
        let name = free.next().expect("invariant: there are more numbers than names");
        names.push(name);
    }
    names
}

/// What is written beside the lines.
pub fn notes(summary: &Summary, index: usize, labelled: Option<(&Judged, &Detection)>) -> Notes {
    let percent = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share));
    let ratio = summary
        .forecast_ratio
        .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
    let mut notes = Notes {
        recording: summary.recording.clone(),
        figures: format!(
            "{} rows · error relative to persistence {ratio} · {} inside the 90 % interval · {} incidents · {} freezes",
            summary.rows,
            percent(summary.coverage()),
            summary.incidents,
            summary.freezes
        ),
        ..Notes::default()
    };
    let Some((judged, detection)) = labelled else {
        return notes;
    };
    let Ok(series) = judged.series(&summary.recording, true) else {
        return notes;
    };
    let threshold = detection.total.verdict.threshold;
    let judged_rows = nab::probation(series.scores.len());
    let alarms = series
        .scores
        .iter()
        .enumerate()
        .skip(judged_rows)
        .filter(|(_, score)| **score >= threshold);
    notes.alarms = alarms.map(|(row, _)| row as u64).collect();
    notes.windows = series
        .windows
        .iter()
        .map(|window| (window.first as u64, window.last as u64))
        .collect();
    notes.probation = judged_rows as u64;
    notes.threshold = Some(threshold);
    if let Some(of_recording) = detection.recordings.get(index) {
        let verdict = &of_recording.figures.verdict;
        let nab = verdict.nab.map_or_else(|| "-".to_owned(), |nab| format!("{nab:.1}"));
        notes.figures += &format!(
            " · {} of {} windows found, {} false alarms, NAB {nab}",
            verdict.found, verdict.windows, verdict.false_alarms
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_of_the_same_name_have_files_of_their_own() {
        let recordings = ["a.csv", "b", "a.csv", "a.csv"].map(str::to_owned);
        assert_eq!(names(&recordings), ["a.svg", "b.svg", "a-2.svg", "a-3.svg"]);
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_anything_is_replayed() {
        let folder = tempfile::tempdir().expect("a folder");
        let two = ["a.csv", "b.csv"].map(str::to_owned);
        let error = Plots::prepare(&folder.path().join("x.svg"), &two)
            .expect_err("two")
            .to_string();
        assert!(
            error.contains("2 recordings do not go into one file; expected a folder, such as"),
            "{error}"
        );
        let error = Plots::prepare(&folder.path().join("gone/x.svg"), &two[..1])
            .expect_err("gone")
            .to_string();
        assert!(
            error.starts_with("cannot write ") && error.ends_with("gone/x.svg"),
            "{error}"
        );
        let made = folder.path().join("made/");
        let plots = Plots::prepare(&made.join(""), &two).expect("a folder is made");
        assert_eq!(plots.files, [made.join("a.svg"), made.join("b.svg")]);
        plots.write(1, "<svg/>").expect("writes");
        plots.write(1, "<svg />").expect("overwrites");
        assert_eq!(std::fs::read_to_string(made.join("b.svg")).expect("there"), "<svg />");
    }
}
