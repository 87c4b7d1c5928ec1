//! `validate`: what is wrong with vCon files. Many are read at once, for a cold disk answers each after milliseconds of
//! doing nothing; they are judged on the one pool for such work.

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bytes::Bytes;
use conserver_core::cpu;
use conserver_core::vcon::Limits;
use conserver_core::vcon::validate::{Finding, Profile, Severity, validate_bytes};
use futures::StreamExt;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::cli::{Rules, ValidateArgs};
use crate::exit::Exit;
use crate::output;

/// Files that are read at once, or wait in memory to be judged.
const AT_ONCE: usize = 16;

/// What came of one file: its findings, or why it could not be read.
struct Verdict {
    file: PathBuf,
    findings: Result<Vec<Finding>, String>,
}

impl Verdict {
    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().flatten().filter(|finding| finding.severity == severity).count()
    }

    fn is_refused(&self) -> bool {
        self.findings.is_err() || self.count(Severity::Error) > 0
    }
}

pub(crate) fn run(args: &ValidateArgs) -> anyhow::Result<Exit> {
    let files = files_of(&args.files)?;
    let profile = match args.profile {
        Rules::Ingest => Profile::Ingest,
        Rules::Core04 => Profile::Core04,
    };
    let progress = output::progress(files.len(), 500);
    let verdicts: Vec<Verdict> = super::block_on(async {
        let verdicts = futures::stream::iter(files).map(|file| judge(file, profile));
        Ok(verdicts.buffered(AT_ONCE).inspect(|_| progress.inc(1)).collect().await)
    })?;
    progress.finish_and_clear();
    if args.json {
        print_json(&verdicts)?;
    } else {
        print(&verdicts, args.quiet);
    }
    let fails =
        |verdict: &Verdict| verdict.is_refused() || (args.strict && verdict.count(Severity::Warning) > 0);
    Ok(if verdicts.iter().any(fails) { Exit::Failed } else { Exit::Ok })
}

async fn judge(file: PathBuf, profile: Profile) -> Verdict {
    let read = if file.as_os_str() == "-" {
        let mut json = Vec::new();
        tokio::io::stdin().read_to_end(&mut json).await.map(|_| json)
    } else {
        tokio::fs::read(&file).await
    };
    let findings = match read {
        Ok(json) => {
            Ok(cpu::run(move || validate_bytes(Bytes::from(json), &Limits::default(), profile)).await)
        }
        Err(error) => Err(format!("cannot be read: {error}")),
    };
    Verdict { file, findings }
}

/// The files named, and those in the folders named, in order.
fn files_of(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if path.is_dir() {
            let before = files.len();
            walk(path, &mut files)?;
            if files.len() == before {
                anyhow::bail!("`{}` has no `.json` or `.vcon` file", path.display());
            }
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("read `{}`", folder.display()))?;
    // The folder says what each entry is; asking the disk about every file would take as long as reading it. Links are
    // not followed: a round of them has no end.
    let is_folder = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut entries: Vec<_> = entries.flatten().map(|entry| (entry.path(), is_folder(&entry))).collect();
    entries.sort();
    for (path, is_folder) in entries {
        if is_folder {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "json" || end == "vcon") {
            files.push(path);
        }
    }
    Ok(())
}

fn print(verdicts: &[Verdict], quiet: bool) {
    for verdict in verdicts.iter().filter(|_| !quiet) {
        let file = verdict.file.display();
        match &verdict.findings {
            Err(error) => output::line(format!("{}  {error}", output::bold(&file.to_string()))),
            Ok(findings) if findings.is_empty() => {}
            Ok(findings) => {
                output::line(output::bold(&file.to_string()));
                for finding in findings {
                    output::line(format!("  {finding}"));
                }
            }
        }
    }
    let mut rules: BTreeMap<(std::cmp::Reverse<Severity>, &str), (usize, usize)> = BTreeMap::new();
    for verdict in verdicts {
        let mut here: BTreeMap<_, usize> = BTreeMap::new();
        for finding in verdict.findings.iter().flatten() {
            *here.entry((std::cmp::Reverse(finding.severity), finding.rule)).or_default() += 1;
        }
        for (rule, count) in here {
            let (findings, files) = rules.entry(rule).or_default();
            *findings += count;
            *files += 1;
        }
    }
    if !rules.is_empty() {
        let rows: Vec<Vec<String>> = rules
            .iter()
            .map(|((severity, rule), (findings, files))| {
                let severity = if severity.0 == Severity::Error { "error" } else { "warning" };
                vec![severity.to_owned(), (*rule).to_owned(), findings.to_string(), files.to_string()]
            })
            .collect();
        if !quiet {
            output::line("");
        }
        output::table(&["severity", "rule", "findings", "files"], &rows);
        output::line("");
    }
    let count = Counts::of(verdicts);
    output::line(format!(
        "{} file{}: {} without a finding, {} with warnings, {} refused",
        verdicts.len(),
        if verdicts.len() == 1 { "" } else { "s" },
        count.clean,
        count.warned,
        count.refused
    ));
}

fn print_json(verdicts: &[Verdict]) -> anyhow::Result<()> {
    let files: Vec<_> = verdicts
        .iter()
        .map(|verdict| {
            let file = verdict.file.display().to_string();
            match &verdict.findings {
                Ok(findings) => json!({"file": file, "refused": verdict.is_refused(), "findings": findings}),
                Err(error) => json!({"file": file, "refused": true, "error": error, "findings": []}),
            }
        })
        .collect();
    let count = Counts::of(verdicts);
    let summary = json!({"files": verdicts.len(), "clean": count.clean, "warned": count.warned, "refused": count.refused});
    output::line(serde_json::to_string(&json!({"files": files, "summary": summary}))?);
    Ok(())
}

/// How many files are how.
struct Counts {
    clean: usize,
    warned: usize,
    refused: usize,
}

impl Counts {
    fn of(verdicts: &[Verdict]) -> Self {
        let refused = verdicts.iter().filter(|verdict| verdict.is_refused()).count();
        let clean =
            verdicts.iter().filter(|verdict| verdict.findings.as_ref().is_ok_and(Vec::is_empty)).count();
        Self { clean, warned: verdicts.len() - refused - clean, refused }
    }
}
