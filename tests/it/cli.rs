//! What commands print and how they end, as people and scripts get it.
//!
//! Texts are snapshots at 80 columns, with everything that differs from run to run blotted out: to see and accept
//! changes, run with `INSTA_UPDATE=always` and read the difference.

mod dead_letters;
mod files;
mod help;
mod migrate;
mod output;
mod standing;

use insta::Settings;

use crate::site::Site;

/// Runs a command; answers all that it printed and its exit code, as a transcript.
fn transcript(site: &Site, args: &[&str]) -> String {
    let (code, said, noted) = site.command(args);
    let shown: Vec<String> = args
        .iter()
        .map(|arg| if arg.contains(' ') { format!("'{arg}'") } else { (*arg).to_owned() })
        .collect();
    let noted = if noted.is_empty() { noted } else { format!("--- standard error\n{noted}") };
    format!("$ conserver {}\n{said}{noted}--- exit code {code}\n", shown.join(" "))
}

/// Snapshots without what differs from run to run.
fn snapshots() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, instead) in [
        (r"(/[\w.-]+)*/conserver-it-\w+", "$$DIR"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"[\w.-]+:\d+:[0-9a-f]{8}\b", "HOST:PID:RANDOM"),
        (r"\b1[6-9]\d{8}\b", "TIME"),
        (r#""timestamp":"[^"]+""#, r#""timestamp":"MOMENT""#),
        (r"\d{4}-\d\d-\d\dT[\d:]+Z, \d+ \w+ ago", "MOMENT"),
        (r"\d+\.\d+ ms", "N ms"),
        (r"(?m)  \d+[smhd]$", "  AGE"),
        (r"  \d+[smhd] +paused", "  AGE     paused"),
        (r#""age_ms":\d+"#, r#""age_ms":N"#),
        (r"(Redis|Valkey) \d+\.\d+\.\d+", "Redis VERSION"),
        (r"(?m) +$", ""),
    ] {
        settings.add_filter(pattern, instead);
    }
    settings
}

/// The program, printing for 80 columns.
fn site(config: &str) -> Site {
    Site::new(config).env("COLUMNS", "80")
}
