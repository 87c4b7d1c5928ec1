//! The cuts. Each looks at raw values and rewrites a section only if something in it goes.

use std::collections::HashSet;

use conserver_core::vcon::Vcon;
use conserver_core::{Error, ErrorKind, Result};
use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::DietOptions;
use crate::document::refused;

const PROMPT: &str = "system_prompt";

/// Members of an object, as they are written.
pub(super) type Members<'a> = IndexMap<String, &'a RawValue>;

/// Makes all cuts that the options ask for.
pub(super) fn slim(mut vcon: Vcon, options: &DietOptions) -> Result<Vcon> {
    if options.empties_bodies() {
        rewrite(&mut vcon, "dialog", |entry| Ok(without_body(entry)?.map(Some)))?;
    }
    if options.remove_analysis && vcon.raw("analysis").is_some() {
        set(&mut vcon, "analysis", "[]")?;
    }
    if !options.remove_attachment_types.is_empty() {
        let types: HashSet<&str> = options.remove_attachment_types.iter().map(String::as_str).collect();
        rewrite(&mut vcon, "attachments", |entry| Ok(is_of(entry, &types)?.then_some(None)))?;
    }
    if options.remove_system_prompts {
        remove_prompts(&mut vcon)?;
    }
    Ok(vcon)
}

/// Passes each entry of a section to `cut`: `None` keeps it as it is, `Some(None)` takes it out.
pub(super) fn rewrite(
    vcon: &mut Vcon,
    section: &str,
    mut cut: impl FnMut(&str) -> Result<Option<Option<String>>>,
) -> Result<()> {
    let Some(raw) = vcon.raw(section).filter(|raw| raw.starts_with('[')) else { return Ok(()) };
    let entries: Vec<&RawValue> = read(raw)?;
    let mut kept: Vec<std::borrow::Cow<'_, str>> = Vec::with_capacity(entries.len());
    let mut is_cut = false;
    for entry in entries {
        match cut(entry.get())? {
            None => kept.push(entry.get().into()),
            Some(changed) => {
                is_cut = true;
                kept.extend(changed.map(Into::into));
            }
        }
    }
    if is_cut {
        let json = format!("[{}]", kept.join(", "));
        set(vcon, section, &json)?;
    }
    Ok(())
}

/// The dialog with an empty body; `None` if there is nothing to empty.
fn without_body(entry: &str) -> Result<Option<String>> {
    let Some(mut members) = members(entry)? else { return Ok(None) };
    let empty: &RawValue = serde_json::from_str(r#""""#).expect("an empty string is JSON");
    match members.get_mut("body") {
        Some(body) if body.get() != empty.get() => *body = empty,
        _ => return Ok(None),
    }
    Ok(Some(written(&members)))
}

/// Whether an attachment is of one of these types, by media type, of today and of older drafts, or by purpose.
fn is_of(entry: &str, types: &HashSet<&str>) -> Result<bool> {
    let Some(members) = members(entry)? else { return Ok(false) };
    let names = ["mediatype", "mimetype", "mime_type", "purpose", "type"];
    let values = names.iter().filter_map(|name| members.get(*name));
    let mut texts = values.filter_map(|value| serde_json::from_str::<String>(value.get()).ok());
    Ok(texts.any(|text| types.contains(text.as_str())))
}

fn remove_prompts(vcon: &mut Vcon) -> Result<()> {
    if vcon.raw(PROMPT).is_some() {
        vcon.remove(PROMPT).map_err(|error| refused(&error))?;
    }
    let names: Vec<String> = vcon.members().map(Into::into).collect();
    for name in names {
        let Some(json) = vcon.raw(&name).map(without_prompts).transpose()?.flatten() else { continue };
        set(vcon, &name, &json)?;
    }
    Ok(())
}

/// The value without prompts at any depth; `None` if it has none. The document's limit bounds the depth.
fn without_prompts(raw: &str) -> Result<Option<String>> {
    // Most values end here, recordings among them.
    if !raw.starts_with(['{', '[']) || !raw.contains(PROMPT) {
        return Ok(None);
    }
    let mut is_cut = false;
    let mut inner = |value: &str| -> Result<String> {
        let cut = without_prompts(value)?;
        is_cut |= cut.is_some();
        Ok(cut.unwrap_or_else(|| value.to_owned()))
    };
    let json = if raw.starts_with('[') {
        let items: Vec<&RawValue> = read(raw)?;
        let items = items.into_iter().map(|item| inner(item.get())).collect::<Result<Vec<_>>>()?;
        format!("[{}]", items.join(", "))
    } else {
        let mut members: Members<'_> = read(raw)?;
        let had_prompt = members.shift_remove(PROMPT).is_some();
        let members = members.iter().map(|(name, value)| Ok((name.as_str(), inner(value.get())?)));
        let members = members.collect::<Result<Vec<_>>>()?;
        is_cut |= had_prompt;
        object(members.iter().map(|(name, value)| (*name, value.as_str())))
    };
    Ok(is_cut.then_some(json))
}

/// The members of an entry; `None` if it is no object.
pub(super) fn members(entry: &str) -> Result<Option<Members<'_>>> {
    if entry.starts_with('{') { read(entry).map(Some) } else { Ok(None) }
}

fn read<'a, T: serde::Deserialize<'a>>(raw: &'a str) -> Result<T> {
    // The parser's own text may quote the document.
    serde_json::from_str(raw).map_err(|_| Error::new(ErrorKind::Invalid, "a member's name is no Unicode"))
}

fn set(vcon: &mut Vcon, member: &str, json: &str) -> Result<()> {
    vcon.set(member, json).map(|_| ()).map_err(|error| refused(&error))
}

pub(super) fn written(members: &Members<'_>) -> String {
    object(members.iter().map(|(name, value)| (name.as_str(), value.get())))
}

fn object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let members = members.map(|(name, value)| format!("{}: {value}", serde_json::Value::from(name)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}
