//! What commands print: the one door to standard output and standard error.

use std::io::{Error, ErrorKind, IsTerminal, Write};

use conserver_core::config::env;
use indicatif::ProgressBar;

use crate::exit::Exit;
use crate::plain;

/// Begins what is bold.
const BOLD: &str = "\x1b[1m";
/// Ends it.
const USUAL: &str = "\x1b[0m";

/// Prints a line, or several.
pub(crate) fn line(text: impl AsRef<str>) {
    let text = shown(text.as_ref());
    written(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Prints bytes as they are; on a terminal without what would move it.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let text = std::str::from_utf8(bytes).ok().filter(|_| out.is_terminal()).map(plain::lines);
    let bytes = text.as_ref().map_or(bytes, |text| text.as_bytes());
    written(out.write_all(bytes).and_then(|()| out.write_all(b"\n")));
}

/// Prints a note to standard error. Whether anybody reads it does not matter to what is done.
pub(crate) fn note(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr().lock(), "{}", plain::lines(text.as_ref()));
}

/// Whether somebody looks at standard output, and what moves can be shown.
pub(crate) fn is_watched() -> bool {
    std::io::stdout().is_terminal() && can_move()
}

/// Whether somebody looks at standard error.
pub(crate) fn notes_are_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether colours can be shown on standard error.
pub(crate) fn notes_have_colours() -> bool {
    notes_are_watched() && env::wants_colours(&env::Process)
}

/// Makes room for a picture that takes the place of the last: the lines that somebody scrolled up to stay.
pub(crate) fn clear() {
    written(std::io::stdout().lock().write_all(b"\x1b[H\x1b[J"));
}

/// The text in bold, on a terminal.
pub(crate) fn bold(text: &str) -> String {
    if has_style() { format!("{BOLD}{text}{USUAL}") } else { text.to_owned() }
}

fn has_style() -> bool {
    std::io::stdout().is_terminal() && env::wants_colours(&env::Process)
}

/// Without what would move a terminal, but for what is bold by our will.
fn shown(text: &str) -> String {
    let plain = plain::lines(text);
    if !has_style() {
        return plain;
    }
    plain.replace(&plain::lines(BOLD), BOLD).replace(&plain::lines(USUAL), USUAL)
}

/// A progress bar, where there are more items than `many` and somebody looks.
pub(crate) fn progress(items: usize, many: usize) -> ProgressBar {
    if items > many && can_move() { ProgressBar::new(items as u64) } else { ProgressBar::hidden() }
}

/// Counts on, where somebody looks and nobody knows how many there are.
pub(crate) fn counting(what: &'static str) -> ProgressBar {
    if !can_move() {
        return ProgressBar::hidden();
    }
    ProgressBar::new_spinner().with_message(what).with_style(
        indicatif::ProgressStyle::with_template("{spinner} {pos} {msg}").expect("the template is right"),
    )
}

fn can_move() -> bool {
    notes_are_watched() && env::can_move(&env::Process)
}

/// Prints an error with its causes.
pub(crate) fn error(error: &anyhow::Error) {
    note(format!("error: {}", causes(error)));
}

/// An error with its causes, in one line.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    let mut text = match error.downcast_ref::<conserver_core::Error>() {
        Some(error) => error.chain(),
        None => error.to_string(),
    };
    if error.downcast_ref::<conserver_core::Error>().is_none() {
        for cause in error.chain().skip(1) {
            let cause = match cause.downcast_ref::<conserver_core::Error>() {
                Some(error) => error.chain(),
                None => cause.to_string(),
            };
            if !text.ends_with(&cause) {
                text = format!("{text}: {cause}");
            }
        }
    }
    text
}

/// What is longer than this is wrapped.
pub(crate) const WIDTH: usize = 80;

/// The text in lines that are no longer than this, broken between words.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Prints a table with aligned columns: numbers to the right, the rest to the left.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let numeric: Vec<bool> = (0..head.len())
        .map(|c| {
            !rows.is_empty()
                && rows
                    .iter()
                    .all(|row| row[c].chars().all(|ch| ch.is_ascii_digit() || ch == '-' || ch == '.'))
        })
        .collect();
    let show = |cells: Vec<&str>| {
        let mut text = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let pad = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
            if numeric[column] {
                text.push_str(&pad);
                text.push_str(cell);
            } else {
                text.push_str(cell);
                text.push_str(&pad);
            }
            text.push_str("  ");
        }
        line(text.trim_end());
    };
    show(head.to_vec());
    for row in rows {
        show(row.iter().map(String::as_str).collect());
    }
}

/// Ends the program where the output could not be written: a script must not take a part for the whole. A reader that
/// went away (`| head`) has what it wanted.
fn written(result: Result<(), Error>) {
    match result {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Exit::Ok.now(),
        Err(error) => {
            note(format!("error: the output cannot be written: {error}"));
            Exit::Failed.now()
        }
    }
}
