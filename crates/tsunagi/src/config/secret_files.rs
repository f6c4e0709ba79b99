//! Reads the `…_file` twins of the secrets, so that a secret can come from a mounted file.

use std::path::Path;

use super::file::SECRETS;
use super::problem::Findings;

/// Replaces every `…_file` key by what its file holds, without the white space around it.
pub(super) fn read(tree: &mut toml::Table, findings: &mut Findings) {
    for (section, key) in SECRETS {
        match tree.get_mut(section) {
            Some(toml::Value::Table(table)) => read_one(table, section, key, findings),
            Some(toml::Value::Array(accounts)) => {
                for (index, account) in accounts.iter_mut().enumerate() {
                    if let Some(table) = account.as_table_mut() {
                        read_one(table, &format!("account[{index}]"), key, findings);
                    }
                }
            }
            _ => {}
        }
    }
}

fn read_one(table: &mut toml::Table, section: &str, key: &str, findings: &mut Findings) {
    let twin = format!("{key}_file");
    let Some(toml::Value::String(path)) = table.remove(&twin) else { return };
    if path.is_empty() {
        return;
    }
    if table.get(key).and_then(toml::Value::as_str).is_some_and(|value| !value.is_empty()) {
        findings.add(
            format!("{section}.{twin}"),
            format!("`{key}` is set too"),
            format!("keep one of `{key}` and `{twin}`"),
        );
        return;
    }
    match std::fs::read_to_string(Path::new(&path)) {
        Ok(content) if content.trim().is_empty() => {
            findings.add(
                format!("{section}.{twin}"),
                format!("{path} is empty"),
                "write the secret into that file",
            );
        }
        Ok(content) => {
            table.insert(key.to_owned(), toml::Value::String(content.trim().to_owned()));
        }
        Err(error) => findings.add(
            format!("{section}.{twin}"),
            format!("{path} cannot be read: {error}"),
            "name a readable file; a relative path begins at the working directory",
        ),
    }
}
