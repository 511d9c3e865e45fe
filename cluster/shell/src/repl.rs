//! The reader of lines: `reedline` on a terminal (history, completion, hints), plain lines when piped.

use crate::command;
use crate::completion;
use crate::session::{Flow, Session, ShellError};
use reedline::{
    ColumnarMenu, Completer, CompletionResult, DefaultHinter, DefaultPrompt, DefaultPromptSegment, Emacs,
    FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder, Reedline, ReedlineEvent, ReedlineMenu, Signal, Span,
    Suggestion, default_emacs_keybindings,
};
use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Lines that the history keeps.
const HISTORY_LINES: usize = 1000;
/// Most completions shown at once.
const MAX_COMPLETIONS: usize = 50;

/// Names that complete a word: nodes, agents, actors. Refreshed after each line.
pub type Names = Arc<Mutex<Vec<String>>>;

struct WordCompleter {
    names: Names,
}

impl Completer for WordCompleter {
    fn complete(&mut self, line: &str, position: usize) -> CompletionResult {
        CompletionResult::fresh(self.suggest(line, position))
    }
}

impl WordCompleter {
    fn suggest(&self, line: &str, position: usize) -> Vec<Suggestion> {
        let before = line.get(..position).unwrap_or(line);
        let start = before.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
        let word = &before[start..];
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let candidates = completion::candidates(&before[..start], word, &names);
        let matching = candidates
            .into_iter()
            .filter(|name| name.starts_with(word))
            .take(MAX_COMPLETIONS);
        let span = Span::new(start, before.len());
        matching
            .map(|value| Suggestion {
                value,
                span,
                append_whitespace: true,
                ..Suggestion::default()
            })
            .collect()
    }
}

/// Reads and runs lines until `exit`, Ctrl-D or the end of the input. A failed line does not end a terminal's shell;
/// a piped one stops at the first failure, so that a script does not go on blindly.
pub async fn run(session: &mut Session, history: Option<&Path>) -> Result<(), ShellError> {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        run_terminal(session, history).await
    } else {
        run_piped(session).await
    }
}

async fn run_piped(session: &mut Session) -> Result<(), ShellError> {
    let limit = command::MAX_LINE_BYTES as u64 + 2;
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            std::io::stdin()
                .lock()
                .take(limit)
                .read_line(&mut line)
                .map(|bytes| (bytes, line))
        });
        let (bytes, line) = read.await.map_err(std::io::Error::other)??;
        if bytes == 0 || session.run(&line, &mut std::io::stdout()).await? == Flow::Exit {
            return Ok(());
        }
    }
}

async fn run_terminal(session: &mut Session, history: Option<&Path>) -> Result<(), ShellError> {
    let names = Names::default();
    let mut editor = Some(editor(&names, history));
    let mut out = std::io::stdout();
    writeln!(out, "Type `help` for the commands, Tab to complete, Ctrl-D to leave.")?;
    loop {
        if let Ok(known) = session.names().await {
            *names.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
        let mut reader = editor.take().expect("the editor is put back after each line");
        let prompt = DefaultPrompt::new(DefaultPromptSegment::Basic("rungs".into()), DefaultPromptSegment::Empty);
        let read = tokio::task::spawn_blocking(move || {
            let signal = reader.read_line(&prompt);
            (reader, signal)
        });
        let (reader, signal) = read.await.map_err(std::io::Error::other)?;
        editor = Some(reader);
        match signal? {
            Signal::Success(line) => match session.run(&line, &mut out).await {
                Ok(Flow::Exit) => return Ok(()),
                Ok(Flow::Next) => {}
                Err(error) => writeln!(out, "{}", error.line())?,
            },
            Signal::CtrlC => {}
            _ => return Ok(()),
        }
    }
}

fn editor(names: &Names, history: Option<&Path>) -> Reedline {
    let mut keys = default_emacs_keybindings();
    let complete = ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu("names".into()), ReedlineEvent::MenuNext]);
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, complete);
    let mut editor = Reedline::create()
        .with_completer(Box::new(WordCompleter {
            names: Arc::clone(names),
        }))
        // One that is left is taken at once, and what all have in common is written out.
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(
            ColumnarMenu::default().with_name("names"),
        )))
        .with_hinter(Box::new(DefaultHinter::default()))
        .with_edit_mode(Box::new(Emacs::new(keys)));
    if let Some(path) = history
        && let Ok(history) = FileBackedHistory::with_file(HISTORY_LINES, path.to_owned())
    {
        editor = editor.with_history(Box::new(history));
    }
    editor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_completes_to_commands_and_the_others_to_names() {
        let names = ["ops-1", "ops-2", "n1", "@n1/admin"].map(str::to_owned);
        let names: Names = Arc::new(Mutex::new(names.to_vec()));
        let completer = WordCompleter { names };
        let values = |found: Vec<Suggestion>| found.into_iter().map(|s| s.value).collect::<Vec<_>>();
        assert_eq!(values(completer.suggest("fre", 3)), ["freeze"]);
        assert_eq!(values(completer.suggest("freeze op", 9)), ["ops-1", "ops-2"]);
        assert_eq!(values(completer.suggest("freeze é", 9)), Vec::<String>::new());
        assert_eq!(
            values(completer.suggest("freeze ops-1 L4", 15)),
            ["L4.5", "L4.8", "L4.9"]
        );
    }
}
