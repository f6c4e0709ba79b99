//! Lays environment variables over the file: `TSUNAGI__IM__SECRET_KEY` is `[im] secret_key`,
//! `TSUNAGI__ACCOUNT__0__TOKEN` the token of the first account, `TSUNAGI__ACCOUNT__SHOP__TOKEN` that of the
//! account with the id `shop` (an id's `-` is written `_`). A number is always an index.

use std::ffi::OsString;

use super::file::{Kind, shape};
use super::keys::suggestion;
use super::problem::Findings;

const PREFIX: &str = "TSUNAGI__";

/// One variable that was understood.
struct Setting {
    variable: String,
    section: String,
    account: Option<String>,
    key: String,
    value: toml::Value,
}

/// Overlays `tree` with every variable that begins with `TSUNAGI__`. A variable also replaces the other half
/// of a pair of twins: `TSUNAGI__IM__SECRET_KEY` wins over `secret_key_file` in the file.
pub(super) fn overlay(
    tree: &mut toml::Table,
    variables: impl Iterator<Item = (OsString, OsString)>,
    findings: &mut Findings,
) {
    let mut settings: Vec<Setting> =
        variables.filter_map(|(name, value)| read(&name, &value, findings)).collect();
    // By index first, so that an account which exists in the environment alone can then be named by its id.
    settings.sort_by_key(|setting| match setting.account.as_deref().map(str::parse::<usize>) {
        None => (0, 0),
        Some(Ok(index)) => (1, index),
        Some(Err(_)) => (2, 0),
    });
    for setting in settings {
        let section = section_path(tree, &setting);
        let Some(table) = place(tree, &setting, findings) else { continue };
        let twin = twin(&setting.key);
        if !findings.variables.contains_key(&format!("{section}.{twin}")) {
            table.remove(&twin);
        }
        findings.variables.insert(format!("{section}.{}", setting.key), setting.variable);
        table.insert(setting.key, setting.value);
    }
}

fn twin(key: &str) -> String {
    key.strip_suffix("_file").map_or_else(|| format!("{key}_file"), str::to_owned)
}

fn read(name: &OsString, value: &OsString, findings: &mut Findings) -> Option<Setting> {
    let name = name.to_str().filter(|name| name.starts_with(PREFIX))?.to_owned();
    let Some(value) = value.to_str() else {
        findings.add_variable(&name, "is not valid UTF-8", "set it to a plain text");
        return None;
    };
    let parts: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
    let (section, account, key) = match parts.as_slice() {
        [section, account, key] if section == "account" => (section, Some(account.clone()), key),
        [section, key] if section != "account" => (section, None, key),
        _ => {
            let hint =
                "write TSUNAGI__SECTION__KEY, or TSUNAGI__ACCOUNT__0__KEY with the account's index or id";
            findings.add_variable(&name, "names no key", hint);
            return None;
        }
    };
    let shape = shape();
    let Some((_, known)) = shape.iter().find(|(known, _)| known == section) else {
        let hint = suggestion(section, shape.iter().map(|(name, _)| name.as_str()));
        findings.add_variable(&name, format!("unknown section `{section}`"), hint);
        return None;
    };
    let Some((_, kind)) = known.iter().find(|(known, _)| known == key) else {
        let hint = suggestion(key, known.iter().map(|(name, _)| name.as_str()));
        findings.add_variable(&name, format!("unknown key `{key}`"), hint);
        return None;
    };
    let Some(parsed) = parse(*kind, value) else {
        findings.add_variable(&name, "has the wrong type", hint_for(*kind));
        return None;
    };
    Some(Setting { section: section.clone(), account, key: key.clone(), value: parsed, variable: name })
}

fn parse(kind: Kind, value: &str) -> Option<toml::Value> {
    Some(match kind {
        Kind::Text => toml::Value::String(value.to_owned()),
        Kind::Integer => toml::Value::Integer(value.trim().parse().ok()?),
        Kind::Number => toml::Value::Float(value.trim().parse().ok()?),
        Kind::Flag => toml::Value::Boolean(value.trim().parse().ok()?),
        Kind::List if value.trim_start().starts_with('[') => {
            let mut table = format!("list = {value}").parse::<toml::Table>().ok()?;
            table.remove("list").filter(|list| kind.fits(list))?
        }
        Kind::Table => {
            let mut table = format!("table = {value}").parse::<toml::Table>().ok()?;
            table.remove("table").filter(|table| kind.fits(table))?
        }
        Kind::List => {
            let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
            toml::Value::Array(items.map(|item| toml::Value::String(item.to_owned())).collect())
        }
    })
}

fn hint_for(kind: Kind) -> String {
    match kind {
        Kind::List => "write texts with commas between them, or a TOML list".to_owned(),
        other => format!("write {}", other.describe()),
    }
}

/// The table that a setting belongs to; made where it does not exist yet.
fn place<'a>(
    tree: &'a mut toml::Table,
    setting: &Setting,
    findings: &mut Findings,
) -> Option<&'a mut toml::Table> {
    let Some(account) = &setting.account else {
        let section =
            tree.entry(setting.section.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        return section.as_table_mut();
    };
    let accounts = tree.entry("account").or_insert_with(|| toml::Value::Array(Vec::new())).as_array_mut()?;
    let count = accounts.len();
    let index = match index_of(accounts, account) {
        Some(index) if index < count => index,
        Some(index) if index == count => {
            accounts.push(toml::Value::Table(toml::Table::new()));
            index
        }
        Some(_) => {
            let hint = format!("the next account would be TSUNAGI__ACCOUNT__{count}__…");
            findings.add_variable(&setting.variable, format!("there are only {count} accounts"), hint);
            return None;
        }
        None => {
            let hint = "write the account's index, counted from 0, or its id with `_` for `-`";
            findings.add_variable(&setting.variable, format!("no account has the id `{account}`"), hint);
            return None;
        }
    };
    accounts.get_mut(index)?.as_table_mut()
}

/// Where the setting's section stands, such as `im` or `account[0]`.
fn section_path(tree: &toml::Table, setting: &Setting) -> String {
    let Some(account) = &setting.account else { return setting.section.clone() };
    let accounts = tree.get("account").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
    format!("account[{}]", index_of(accounts, account).unwrap_or_default())
}

fn index_of(accounts: &[toml::Value], account: &str) -> Option<usize> {
    if let Ok(index) = account.parse() {
        return Some(index);
    }
    let id =
        |value: &toml::Value| value.get("id").and_then(toml::Value::as_str).map(|id| id.replace('-', "_"));
    accounts.iter().position(|value| id(value).as_deref() == Some(account))
}
