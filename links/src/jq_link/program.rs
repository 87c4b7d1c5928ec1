//! A jq program: compiled with a place for each mistake, and run on one document.
//!
//! What it answers is a decision and never content: the interpreter's own errors quote values.

use std::io;
use std::thread;

use jaq_core::data::JustLut;
use jaq_core::load::{Arena, Error as LoadError, File, Loader};
use jaq_core::{Compiler, Ctx, Filter as Compiled, Vars};
use jaq_json::{Val, read};

use super::host::{Answer, Fault};

/// Longer programs are mistakes; this also bounds how deep one can nest.
const LONGEST: usize = 16 * 1024;

/// The compiler recurses on what nests: enough for the longest program there is, most of it never touched.
const COMPILER_STACK: usize = 256 << 20;

/// A compiled filter.
pub(super) struct Program(Compiled<JustLut<Val>>);

/// Compiles a filter to see whether it is one.
///
/// # Errors
/// A sentence for the operator, with line and column within the filter.
pub(super) fn check(code: &str) -> Result<(), String> {
    if code.len() > LONGEST {
        return Err(format!("the filter has {} bytes, and {LONGEST} are accepted", code.len()));
    }
    let compiled: io::Result<_> = thread::scope(|scope| {
        let thread = thread::Builder::new().name("jq".to_owned()).stack_size(COMPILER_STACK);
        let handle = thread.spawn_scoped(scope, || Program::compile(code).map(|_| ()))?;
        Ok(handle.join().unwrap_or_else(|_| Err("the filter cannot be compiled".to_owned())))
    });
    compiled.unwrap_or_else(|error| Err(format!("cannot start a thread to compile the filter: {error}")))
}

impl Program {
    /// Compiles a filter. One that nests deeply needs a large stack.
    pub(super) fn compile(code: &str) -> Result<Self, String> {
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(defs).load(&arena, File { code, path: () }).map_err(|errors| {
            let first = errors.into_iter().map(|(_, error)| error).next();
            first.map_or_else(unknown, |error| load_error(code, error))
        })?;
        let compiler = Compiler::default().with_funs(funs).with_global_vars(["$ENV"]);
        compiler.compile(modules).map(Self).map_err(|errors| {
            let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
            first.map_or_else(unknown, |(name, undefined)| {
                at(code, name, &format!("there is no {} `{name}`", undefined.as_str()))
            })
        })
    }

    /// Runs the filter on the text of a document. The first output decides, but all are asked for.
    pub(super) fn run(&self, json: &[u8]) -> Answer {
        let Ok(document) = read::parse_single(json) else { return Answer::Failed(Fault::Document) };
        match self.decide(document.clone()) {
            // As the Python server: texts are what such filters are about, and bodies are not always text.
            Err(Fault::NotText) => self.decide(texts_of_bodies(document)),
            decided => decided,
        }
        .map_or_else(Answer::Failed, Answer::Decided)
    }

    fn decide(&self, document: Val) -> Result<bool, Fault> {
        let vars = Vars::new([Val::obj(Default::default())]);
        let outputs = self.0.id.run((Ctx::<JustLut<Val>>::new(&self.0.lut, vars), document));
        let mut first = None;
        for output in outputs {
            let output = output.map_err(|exception| match exception.get_err() {
                Ok(error) => fault_of(&error.to_string()),
                Err(_) => Fault::Own,
            })?;
            first.get_or_insert_with(|| is_true(&output));
        }
        Ok(first.unwrap_or(false))
    }
}

/// Truth as Python has it.
fn is_true(value: &Val) -> bool {
    match value {
        Val::Null => false,
        Val::Bool(value) => *value,
        Val::Num(_) => *value != Val::from(0_isize),
        Val::BStr(text) | Val::TStr(text) => !text.is_empty(),
        Val::Arr(items) => !items.is_empty(),
        Val::Obj(members) => !members.is_empty(),
    }
}

/// What kind of error it is, by its text, which itself goes nowhere.
fn fault_of(text: &str) -> Fault {
    match text {
        _ if text.starts_with("cannot use ") && text.ends_with(" as string") => Fault::NotText,
        _ if text.starts_with("cannot ") => Fault::Type,
        _ => Fault::Own,
    }
}

/// The document without what is no text in lists that are bodies.
fn texts_of_bodies(value: Val) -> Val {
    match value {
        Val::Arr(items) => Val::Arr(items.iter().cloned().map(texts_of_bodies).collect::<Vec<_>>().into()),
        Val::Obj(members) => {
            let member = |(name, value): (&Val, &Val)| {
                let value = match value {
                    Val::Arr(items) if *name == Val::from("body".to_owned()) => {
                        let texts = items.iter().filter(|item| matches!(item, Val::TStr(_)));
                        Val::Arr(texts.cloned().collect::<Vec<_>>().into())
                    }
                    other => texts_of_bodies(other.clone()),
                };
                (name.clone(), value)
            };
            Val::obj(members.iter().map(member).collect())
        }
        other => other,
    }
}

fn load_error(code: &str, error: LoadError<&str>) -> String {
    match error {
        LoadError::Io(errors) => {
            errors.first().map_or_else(unknown, |(name, _)| at(code, name, "a filter can include no modules"))
        }
        LoadError::Lex(errors) => errors.first().map_or_else(unknown, |(expected, found)| {
            at(code, found, &format!("expected {}", expected.as_str()))
        }),
        LoadError::Parse(errors) => errors.first().map_or_else(unknown, |(expected, found)| {
            at(code, found, &format!("expected {}", expected.as_str()))
        }),
    }
}

fn unknown() -> String {
    "this is no jq filter".to_owned()
}

/// The sentence with the place of `part`, which is a piece of `code`.
fn at(code: &str, part: &str, what: &str) -> String {
    let offset = (part.as_ptr() as usize).wrapping_sub(code.as_ptr() as usize);
    let Some(before) = code.get(..offset) else { return format!("this is no jq filter: {what}") };
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    let end = if part.is_empty() { ", where it ends" } else { "" };
    format!("this is no jq filter: {what} (line {line}, column {column} of the filter{end})")
}
