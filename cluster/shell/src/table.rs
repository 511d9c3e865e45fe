//! Tables for people: columns as wide as their content, numbers to the right, colours only where asked for.

use std::borrow::Cow;
use std::fmt::Write;
use std::io::IsTerminal;

/// Longest cell, in characters; longer ones are cut with `…`.
pub const MAX_CELL_CHARS: usize = 60;
/// Blanks between two columns.
const GAP: usize = 2;
/// What the last column keeps on the narrowest terminal.
const MIN_LAST_CHARS: usize = 10;

/// How a cell is emphasised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Needs somebody.
    Bad,
    /// Less important.
    Dim,
}

/// One cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    tone: Tone,
    right: bool,
}

impl Cell {
    /// A text, to the left.
    pub fn text(text: impl std::fmt::Display) -> Self {
        Self {
            text: clean(&text.to_string()),
            ..Self::default()
        }
    }

    /// A number, to the right.
    pub fn number(text: impl std::fmt::Display) -> Self {
        Self {
            right: true,
            ..Self::text(text)
        }
    }

    /// A number with so many decimals; `-` when there is none.
    pub fn maybe(value: Option<f64>, decimals: usize) -> Self {
        Self::number(value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}")))
    }

    /// The cell in a tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

/// One line without control characters: what comes from other nodes must not move a terminal's cursor. For what has a
/// bound already.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// One line of at most [`MAX_CELL_CHARS`] characters without control characters: what comes from other nodes must not
/// move a terminal's cursor.
pub fn clean(text: &str) -> String {
    cut(&one_line(text), MAX_CELL_CHARS).into_owned()
}

/// At most so many characters, the last a sign that there were more.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().nth(most).is_none() {
        return Cow::Borrowed(text);
    }
    let kept = text.chars().take(most.saturating_sub(1));
    Cow::Owned(kept.chain(['…']).collect())
}

/// The line as far as it fits a terminal; the codes that colour it take no room.
pub fn fit(line: &str, style: Style) -> String {
    let (mut out, mut left, mut in_code) = (String::new(), style.width.unwrap_or(usize::MAX), false);
    for c in line.chars() {
        in_code |= c == '\x1b';
        if in_code {
            out.push(c);
            in_code = c != 'm';
        } else if left > 0 {
            out.push(c);
            left -= 1;
        }
    }
    out
}

/// A text in a tone, if colours are wanted.
pub fn paint(text: &str, tone: Tone, colour: bool) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Good => 32,
        Tone::Warn => 33,
        Tone::Bad => 31,
        Tone::Dim => 2,
    };
    if colour {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// How what is printed fits its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// With colours.
    pub colour: bool,
    /// Columns of the terminal; `None` where lines may be of any length.
    pub width: Option<usize>,
    /// Lines of the terminal; `None` where there may be any number.
    pub lines: Option<usize>,
}

impl Style {
    /// That of the standard output: a terminal has a width, and colours unless `NO_COLOR` is set.
    pub fn of_output() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::default();
        }
        let size = crossterm::terminal::size().ok();
        Self {
            colour: std::env::var_os("NO_COLOR").is_none(),
            width: size.map(|(columns, _)| usize::from(columns)),
            lines: size.map(|(_, lines)| usize::from(lines)),
        }
    }
}

/// Rows under a heading.
#[derive(Debug, Clone)]
pub struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(heading: &[&'static str]) -> Self {
        Self {
            heading: heading.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().take(self.heading.len()).collect());
    }

    /// The rows so far.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// No rows yet.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, one line a row, each ended by a line feed. Where it is too wide, its last column is cut.
    pub fn render(&self, style: Style) -> String {
        let width = |column: usize| {
            let cells = self
                .rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.text.chars().count());
            cells.chain([self.heading[column].len()]).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..self.heading.len()).map(width).collect();
        if let (Some(most), Some((last, others))) = (style.width, widths.split_last_mut()) {
            let left = most.saturating_sub(others.iter().map(|width| width + GAP).sum());
            *last = (*last).min(left.max(MIN_LAST_CHARS));
        }
        let colour = style.colour;
        let right: Vec<bool> = (0..self.heading.len())
            .map(|column| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(column))
                    .any(|cell| cell.right)
            })
            .collect();
        let mut out = String::new();
        for (column, name) in self.heading.iter().enumerate() {
            put(
                &mut out,
                &Cell {
                    text: (*name).to_owned(),
                    tone: Tone::Dim,
                    right: right[column],
                },
                widths[column],
                colour,
            );
        }
        end_line(&mut out);
        for row in &self.rows {
            for (column, &width) in widths.iter().enumerate() {
                put(&mut out, row.get(column).unwrap_or(&Cell::default()), width, colour);
            }
            end_line(&mut out);
        }
        out
    }
}

fn put(out: &mut String, cell: &Cell, width: usize, colour: bool) {
    let text = cut(&cell.text, width);
    let blanks = " ".repeat(width.saturating_sub(text.chars().count()));
    let text = paint(&text, cell.tone, colour);
    let (before, after) = if cell.right {
        (blanks.as_str(), "")
    } else {
        ("", blanks.as_str())
    };
    write!(out, "{before}{text}{after}{:GAP$}", "").expect("a string takes all writes");
}

fn end_line(out: &mut String) {
    out.truncate(out.trim_end().len());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_content_and_numbers_stand_to_the_right() {
        let mut table = Table::new(&["agent", "cycles"]);
        table.row([Cell::text("ops-1"), Cell::number(7)]);
        table.row([Cell::text("operator-22"), Cell::number(12345)]);
        assert_eq!(
            table.render(Style::default()),
            "agent        cycles\nops-1             7\noperator-22   12345\n"
        );
    }

    #[test]
    fn a_table_that_is_too_wide_loses_the_end_of_its_last_column() {
        let mut table = Table::new(&["agent", "waits for"]);
        table.row([Cell::text("ops-1"), Cell::text("identity integrity at least 0.90")]);
        let within = |width| {
            let style = Style {
                width: Some(width),
                ..Style::default()
            };
            table.render(style).lines().nth(1).unwrap_or_default().to_owned()
        };
        assert_eq!(within(80), "ops-1  identity integrity at least 0.90");
        assert_eq!(within(26), "ops-1  identity integrity…");
        assert_eq!(within(3), "ops-1  identity …", "a column is never nothing");
    }

    #[test]
    fn a_coloured_line_is_cut_by_what_is_seen_of_it() {
        let style = Style {
            width: Some(4),
            ..Style::default()
        };
        assert_eq!(fit("ab\x1b[31mcdef\x1b[0m", style), "ab\x1b[31mcd\x1b[0m");
        assert_eq!(fit("abcdef", Style::default()), "abcdef");
    }

    #[test]
    fn what_comes_from_outside_cannot_move_the_cursor() {
        assert_eq!(clean("a\x1b[2Jb\nc"), "a [2Jb c");
        assert_eq!(clean(&"x".repeat(61)).chars().count(), 60);
    }
}
