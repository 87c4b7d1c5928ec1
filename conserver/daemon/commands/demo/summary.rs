//! What is said in the end: what went where, how fast, what failed and why, what was killed, and what to try next.

use std::time::Duration;

use conserver_core::config::env::{self, Vars};

use super::books::Books;
use super::casualty::Casualty;
use super::site::Site;
use crate::cli::DemoArgs;
use crate::commands::phrase::{grouped, plural, time};
use crate::output;

/// How wide a line may be.
const WIDTH: usize = 80;
/// How many mistakes of the books are named.
const NAMED: usize = 10;

/// All that there is to say.
pub(super) struct Summary<'a> {
    pub(super) site: &'a Site,
    pub(super) args: &'a DemoArgs,
    pub(super) seed: u64,
    /// From the first push to the last end.
    pub(super) elapsed: Duration,
    pub(super) books: &'a Books,
    pub(super) casualty: Option<&'a Casualty>,
}

impl Summary<'_> {
    pub(super) fn print(&self) {
        self.where_they_are();
        self.what_failed();
        self.what_was_killed();
        if self.books.balance() {
            self.what_next();
        } else {
            self.what_is_wrong();
        }
    }

    fn where_they_are(&self) {
        let Books { pushed, done, halted, dead, files, bytes, routed, .. } = self.books;
        let seconds = self.elapsed.as_secs_f64();
        let rate = (*pushed as f64 / seconds) as u64;
        output::line("");
        head(&format!("{} conversations in {seconds:.1} s, {} each second", grouped(*pushed), grouped(rate)));
        row(*done, "done", "archived, and on the list `done`");
        if *halted > 0 {
            row(*halted, "halted", "by the link `spoken`: nobody spoke");
        }
        row(*dead, "dead", "on `DLQ:intake`, each with its reason");
        output::line(format!("  {:>9}", "─────────"));
        let verdict = match self.books.balance() {
            true => "pushed: each of them is in exactly one of these",
            false => "pushed: THE BOOKS DO NOT BALANCE",
        };
        output::line(format!("  {:>9}  {verdict}", grouped(*pushed)));
        output::line("");
        let routed: Vec<String> =
            routed.iter().map(|(list, number)| format!("{} to `{list}`", grouped(*number))).collect();
        output::line(format!("  routed as well: {}", routed.join(", ")));
        output::line(format!(
            "  the archive: {} files, {:.1} MB{}",
            grouped(*files),
            *bytes as f64 / 1e6,
            if self.args.keep { format!(", below {}", self.site.archive().display()) } else { String::new() }
        ));
    }

    fn what_failed(&self) {
        if self.books.failed.is_empty() {
            return;
        }
        output::line("");
        head("What failed, and why (the generator broke these on purpose)");
        for (reason, failed) in &self.books.failed {
            row(failed.number, reason, "");
            wrapped(&failed.error, 15).iter().for_each(output::line);
        }
    }

    fn what_was_killed(&self) {
        output::line("");
        let Some(dead) = self.casualty else {
            head("No worker was killed: all was done before one had anything in hand");
            return;
        };
        head(&format!("Worker {} was killed with -9 after {}", dead.pid, time(dead.at)));
        let recovered = dead.recovered.map(time).unwrap_or_default();
        output::line(format!(
            "  {} {} in its hands; all were back at the head of their lists",
            plural(dead.held, "vCon", "vCons"),
            if dead.held == 1 { "was" } else { "were" }
        ));
        let (pid, replaced) = dead.replaced.unwrap_or_default();
        output::line(format!(
            "  after {recovered}, and worker {pid} was at work in its place after {}.",
            time(replaced)
        ));
        if self.books.balance() {
            output::line("  None was lost, none came out twice.");
        }
    }

    fn what_next(&self) {
        let program = program();
        output::line("");
        head("What to try next");
        if !self.args.keep {
            tip(
                &format!("{program} demo --keep --seed {}", self.seed),
                "the same, left running to be looked at",
            );
            tip(&format!("{program} --help"), "all commands");
            return;
        }
        let config = self.site.config().display().to_string();
        let on = format!("-c {config}");
        output::line("  It still runs. In another terminal, in this folder:");
        output::line("");
        tip(&format!("{program} queues {on}"), "what waits, runs, is dead");
        tip(&format!("{program} dlq list --reason invalid {on}"), "what failed");
        if let Some(failed) = self.books.failed.values().next() {
            tip(&format!("{program} dlq show {} {on}", failed.id), "all that is known of one");
        }
        tip(&format!("{program} dlq replay {on}"), "put them back to work: they fail again");
        tip(&format!("cat {config}"), "the pipeline; a change is taken up within a second");
        tip(&format!("find {} -name '*.json' | head", self.site.archive().display()), "what was archived");
        output::line("  Ctrl-C ends it, and removes its folder.");
    }

    fn what_is_wrong(&self) {
        output::line("");
        head("What is wrong: please report this, with the seed");
        for wrong in self.books.wrong.iter().take(NAMED) {
            wrapped(wrong, 2).iter().for_each(output::line);
        }
        if self.books.wrong.len() > NAMED {
            output::line(format!("  and {} more", self.books.wrong.len() - NAMED));
        }
    }
}

fn head(text: &str) {
    output::line(output::bold(text));
}

fn row(number: u64, name: &str, what: &str) {
    output::line(format!("  {:>9}  {name:<10}{what}", grouped(number)).trim_end());
}

/// A command on a line of its own, so that it can be taken as a whole.
fn tip(command: &str, what: &str) {
    output::line(format!("  # {what}"));
    output::line(format!("  {command}"));
}

/// The program as it was called; with what is set for another conserver taken away.
fn program() -> String {
    let called = std::env::args().next().unwrap_or_else(|| "conserver".to_owned());
    match env::Process.get(env::REDIS_URL) {
        Some(_) => format!("env -u REDIS_URL {called}"),
        None => called,
    }
}

/// Text in lines of at most [`WIDTH`], each with so much space before it.
fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let space = " ".repeat(indent);
    let mut lines: Vec<String> = Vec::new();
    let mut line = space.clone();
    for word in text.split_whitespace() {
        let is_first = line.len() == indent;
        if !is_first && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, space.clone()));
        }
        if line.len() > indent {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_broken_between_words() {
        let lines = wrapped(&"word ".repeat(40), 10);
        assert!(
            lines.len() > 2
                && lines.iter().all(|line| line.len() <= WIDTH && line.starts_with("          w"))
        );
    }
}
