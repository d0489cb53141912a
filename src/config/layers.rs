//! Settings in layers: defaults, the environment, a file, the command line. Each wins over those before it, key by key,
//! and each value keeps its origin. The crate `config` merges them; what a value means is read by
//! [`Section`](super::section::Section), which collects all mistakes and shows no value.

use ::config::{Config, ConfigError, Map, Source, Value, ValueKind};
use std::fmt;
use std::time::Duration;

/// The settings of a section, by key.
pub(super) type Table = Map<String, Value>;

/// The section of most settings.
pub(super) const APPLICATION: &str = "application";

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere.
    Default,
    /// In the environment variable of this name.
    Variable(String),
    /// In the file.
    File,
    /// With this flag of the command line.
    Flag(String),
}

impl Origin {
    const VARIABLE: &str = "environment variable ";
    const FLAG: &str = "flag ";
    const FILE: &str = "file";
    const DEFAULT: &str = "default";

    /// Where the value was set. Sections have no origin of their own: they are taken for a part of the file.
    pub(super) fn of(value: &Value) -> Self {
        let text = value.origin().unwrap_or(Self::FILE);
        if let Some(name) = text.strip_prefix(Self::VARIABLE) {
            Self::Variable(name.to_owned())
        } else if let Some(name) = text.strip_prefix(Self::FLAG) {
            Self::Flag(name.to_owned())
        } else if text == Self::DEFAULT {
            Self::Default
        } else {
            Self::File
        }
    }
}

/// As the crate `config` stores it with a value.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str(Self::DEFAULT),
            Self::Variable(name) => write!(f, "{}{name}", Self::VARIABLE),
            Self::File => f.write_str(Self::FILE),
            Self::Flag(name) => write!(f, "{}{name}", Self::FLAG),
        }
    }
}

/// A layer's root is a key of its own: the crate takes the top keys of a source for paths, so that `"a.b" = 1` would set
/// `b` of the section `a`. Keys below are taken as they are written.
const ROOT: &str = "settings";

/// Layers, the lowest first. Has no `Debug`, as it may hold secrets.
#[derive(Default)]
pub(super) struct Layers(Vec<Box<dyn Source + Send + Sync>>);

impl Layers {
    /// With these settings over the layers before.
    pub(super) fn with(mut self, settings: Settings) -> Self {
        self.0.push(Box::new(settings));
        self
    }

    /// With a file over the layers before.
    pub(super) fn with_file(mut self, file: toml::Table) -> Self {
        self.0.push(Box::new(File(table(file))));
        self
    }

    /// The merged tree.
    pub(super) fn merge(self) -> Table {
        let merged = Config::builder().add_source(self.0).build();
        let mut top = match merged.map(|config| config.cache.kind) {
            Ok(ValueKind::Table(top)) => top,
            // No source fails: files are parsed before, and mistakes are the reader's.
            Ok(_) | Err(_) => Map::new(),
        };
        match top.remove(ROOT).map(|root| root.kind) {
            Some(ValueKind::Table(settings)) => settings,
            _ => Map::new(),
        }
    }
}

/// A TOML file that is parsed.
#[derive(Clone)]
struct File(Table);

/// Shows no value: it may be a secret.
impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("File(***)")
    }
}

impl Source for File {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Table, ConfigError> {
        let root = Value::new(None, self.0.clone());
        Ok([(ROOT.to_owned(), root)].into_iter().collect())
    }
}

fn table(file: toml::Table) -> Table {
    file.into_iter()
        .map(|(key, value)| (key, from_toml(value)))
        .collect()
}

fn from_toml(value: toml::Value) -> Value {
    let kind = match value {
        toml::Value::String(text) => ValueKind::String(text),
        toml::Value::Integer(number) => ValueKind::I64(number),
        toml::Value::Float(number) => ValueKind::Float(number),
        toml::Value::Boolean(on) => ValueKind::Boolean(on),
        // No setting is a time, and it must not pass for text.
        toml::Value::Datetime(_) => ValueKind::Nil,
        toml::Value::Array(items) => ValueKind::Array(items.into_iter().map(from_toml).collect()),
        toml::Value::Table(inner) => ValueKind::Table(table(inner)),
    };
    Value::new(Some(&Origin::File.to_string()), kind)
}

/// Single settings, each by the path of its key.
#[derive(Clone, Default)]
pub(super) struct Settings(Vec<(Vec<&'static str>, Value)>);

impl Settings {
    /// Sets a text, which means what it says: no `${VAR}` in it is replaced.
    pub(super) fn text(&mut self, path: &[&'static str], origin: &Origin, text: &str) {
        let text = ValueKind::String(text.replace("${", "$${"));
        self.set(path, origin, text);
    }

    /// Sets a number.
    pub(super) fn number(&mut self, path: &[&'static str], origin: &Origin, number: u32) {
        self.set(path, origin, ValueKind::I64(number.into()));
    }

    /// Sets a time, in seconds.
    pub(super) fn time(&mut self, path: &[&'static str], origin: &Origin, time: Duration) {
        self.set(path, origin, ValueKind::Float(time.as_secs_f64()));
    }

    fn set(&mut self, path: &[&'static str], origin: &Origin, kind: ValueKind) {
        self.0
            .push((path.to_vec(), Value::new(Some(&origin.to_string()), kind)));
    }
}

/// Shows no value: it may be a secret.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settings(***)")
    }
}

impl Source for Settings {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Table, ConfigError> {
        let mut cache = Value::new(None, Map::<String, Value>::new());
        self.collect_to(&mut cache)?;
        cache.into_table()
    }

    /// Unlike the crate's own way, it leaves alone what is in the place of a section: that mistake of a file is still
    /// to be found.
    fn collect_to(&self, cache: &mut Value) -> Result<(), ConfigError> {
        for (path, value) in &self.0 {
            let Some((key, sections)) = path.split_last() else {
                continue;
            };
            let mut path = [ROOT].into_iter().chain(sections.iter().copied());
            let section = path.try_fold(&mut *cache, |outer, name| {
                let ValueKind::Table(table) = &mut outer.kind else {
                    return None;
                };
                let empty = || Value::new(None, Map::<String, Value>::new());
                Some(table.entry(name.to_owned()).or_insert_with(empty))
            });
            if let Some(ValueKind::Table(table)) = section.map(|section| &mut section.kind) {
                table.insert((*key).to_owned(), value.clone());
            }
        }
        Ok(())
    }
}

/// The keys of a table in one order: the crate keeps none.
pub(super) fn sorted(table: &Table) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
