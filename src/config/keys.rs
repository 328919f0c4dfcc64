//! A table whose keys depend on its type is read key by key; what nobody asked for is an error that names what there is.
//! This file never shows a value that could be a secret.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use super::nearest;
use crate::publish::deliver::secret::{Origin, Secret};

/// What is less like another word was not meant.
const ALIKE: f64 = 0.85;

/// A table, and which keys were asked for.
pub(super) struct Keys {
    table: Table,
    asked: Vec<String>,
}

/// Whether a value may stand in the configuration itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    Allowed,
    /// It is a secret, as this says.
    Refused(&'static str),
}

impl Keys {
    pub(super) fn of(table: Table) -> Keys {
        Keys { table, asked: Vec::new() }
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.asked.push(key.to_owned());
        self.table.remove(key)
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => {
                Err(format!("{key} is empty; write something, or remove it"))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!("{key} is {}; write a text, as {key} = \"…\"", other.type_str())),
        }
    }

    pub(super) fn required(&mut self, key: &str, example: &str) -> Result<String, String> {
        self.text(key)?.ok_or_else(|| format!("{key} is missing; write it as {key} = {example:?}"))
    }

    /// One text, or a list of them.
    pub(super) fn texts(&mut self, key: &str) -> Result<Vec<String>, String> {
        let wrong = || format!("{key} is not a list of texts; write it as {key} = [\"…\", \"…\"]");
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(entries)) => {
                entries.iter().map(|entry| entry.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, String> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Boolean(flag)) => Ok(Some(flag)),
            Some(other) => Err(format!("{key} is {}; it is true or false", other.type_str())),
        }
    }

    pub(super) fn port(&mut self, key: &str) -> Result<Option<u16>, String> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let port = value.as_integer().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        port.map(Some).ok_or_else(|| format!("{key} is {value}; write a number from 1 to 65535"))
    }

    pub(super) fn pairs(&mut self, key: &str) -> Result<BTreeMap<String, String>, String> {
        let wrong = || format!("{key} is not a table of texts; write it as {key} = {{ team = \"api\" }}");
        match self.take(key) {
            None => Ok(BTreeMap::new()),
            Some(Value::Table(table)) => table
                .into_iter()
                .map(|(name, value)| value.as_str().map(|value| (name, value.to_owned())).ok_or_else(wrong))
                .collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// `KEY` itself where it may be there, else `KEY_file`, `KEY_env` or `KEY_credential`.
    pub(super) fn secret(&mut self, key: &str, plain: Plain) -> Result<Option<Origin>, String> {
        let [file, variable, credential] = ["file", "env", "credential"].map(|place| format!("{key}_{place}"));
        if let Plain::Refused(why) = plain
            && self.table.contains_key(key)
        {
            return Err(format!(
                "{key} is {why}, which does not belong in a configuration; put it in a file that only daycap's user can \
                 read, and write {file} = \"/path/to/it\" (or {variable} = \"NAME\", or {credential} = \"name\")"
            ));
        }
        let mut found = Vec::new();
        if plain == Plain::Allowed {
            found.extend(self.text(key)?.map(|text| Origin::Told(Secret::new(text))));
        }
        found.extend(self.text(&file)?.map(|path| Origin::File(PathBuf::from(path))));
        found.extend(self.text(&variable)?.map(Origin::Variable));
        found.extend(self.credential(&credential)?);
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ => Err(format!("{key} is told more than once; keep one of {}", self.asked_for(key).join(", "))),
        }
    }

    /// The same where nothing works without it.
    pub(super) fn required_secret(&mut self, key: &str, plain: Plain) -> Result<Origin, String> {
        let origin = self.secret(key, plain)?;
        origin.ok_or_else(|| format!("there is no {key}; write one of {}", self.asked_for(key).join(", ")))
    }

    /// A name, as it has no folder.
    fn credential(&mut self, key: &str) -> Result<Option<Origin>, String> {
        match self.text(key)? {
            Some(name) if name.contains('/') || name.starts_with('.') => {
                Err(format!("{key} is {name:?}; write the name that LoadCredential= gives it, without a path"))
            }
            name => Ok(name.map(Origin::Credential)),
        }
    }

    fn asked_for(&self, key: &str) -> Vec<String> {
        self.asked.iter().filter(|asked| asked.starts_with(key)).cloned().collect()
    }

    /// Nothing may be left.
    pub(super) fn finish(self, kind: &str) -> Result<(), String> {
        let Some(unknown) = self.table.keys().next() else { return Ok(()) };
        let right = nearest(unknown, self.asked.iter().map(String::as_str));
        let right = right.filter(|right| strsim::jaro_winkler(unknown, right) >= ALIKE);
        let meant = right.map_or_else(|| ";".to_owned(), |right| format!("; did you mean {right:?}?"));
        Err(format!("unknown key {unknown:?}{meant} the keys of type {kind:?} are {}", self.asked.join(", ")))
    }
}
