//! What commands print: the one door to standard output and standard error.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where commands speak to people")]

use std::io::{IsTerminal, Write};

use indicatif::ProgressBar;

/// Prints a line. A reader that went away (`| head`) ends the program quietly, as it ends any filter.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{}", text.as_ref()).is_err() {
        quit();
    }
}

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.write_all(b"\n")).is_err() {
        quit();
    }
}

/// Prints a note to standard error.
pub(crate) fn note(text: impl AsRef<str>) {
    eprintln!("{}", text.as_ref());
}

/// Whether somebody looks at standard output, and what moves can be shown.
pub(crate) fn is_watched() -> bool {
    std::io::stdout().is_terminal() && std::io::stderr().is_terminal()
}

/// The text in bold, on a terminal.
pub(crate) fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// A progress bar, where there are more items than `many` and somebody looks.
pub(crate) fn progress(items: usize, many: usize) -> ProgressBar {
    if items > many && std::io::stderr().is_terminal() {
        ProgressBar::new(items as u64)
    } else {
        ProgressBar::hidden()
    }
}

/// Counts on, where somebody looks and nobody knows how many there are.
pub(crate) fn counting(what: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    ProgressBar::new_spinner().with_message(what).with_style(
        indicatif::ProgressStyle::with_template("{spinner} {pos} {msg}").expect("the template is right"),
    )
}

/// Prints an error with its causes.
pub(crate) fn error(error: &anyhow::Error) {
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
    eprintln!("error: {text}");
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
                && rows.iter().all(|row| row[c].chars().all(|ch| ch.is_ascii_digit() || ch == '-'))
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

#[expect(clippy::exit, reason = "nobody is left to read what would come after")]
fn quit() -> ! {
    std::process::exit(0)
}
