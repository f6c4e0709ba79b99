//! What is wrong with a configuration, in words for the person who wrote it.
//!
//! A problem never repeats a value that may be a secret, only keys, files and names of variables.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// One fault: where it stands, which key, what is wrong, what to do.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The file, or the environment variable.
    pub(crate) origin: String,
    /// Such as `account[0].agents`; empty when the file as a whole is meant.
    pub(crate) key: String,
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.origin, self.what)
        } else {
            write!(f, "{}: {}: {}", self.origin, self.key, self.what)
        }
    }
}

/// Every fault that was found, at least one.
#[derive(Debug)]
pub(crate) struct ConfigError(pub(crate) Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Where each value came from, and the faults found so far.
pub(super) struct Findings {
    file: PathBuf,
    /// Key such as `im.rate` to the environment variable that set it.
    pub(super) variables: BTreeMap<String, String>,
    pub(super) problems: Vec<Problem>,
}

impl Findings {
    pub(super) fn new(file: &Path) -> Findings {
        Findings { file: file.to_owned(), variables: BTreeMap::new(), problems: Vec::new() }
    }

    /// Records a fault of `key`, which stands where the key's value came from.
    pub(super) fn add(&mut self, key: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) {
        let key = key.into();
        let origin = match self.variables.get(&key) {
            Some(variable) => format!("environment variable {variable}"),
            None => self.file.display().to_string(),
        };
        self.problems.push(Problem { origin, key, what: what.into(), hint: hint.into() });
    }

    /// Records a fault of an environment variable that belongs to no key.
    pub(super) fn add_variable(&mut self, name: &str, what: impl Into<String>, hint: impl Into<String>) {
        let origin = format!("environment variable {name}");
        self.problems.push(Problem { origin, key: String::new(), what: what.into(), hint: hint.into() });
    }
}
