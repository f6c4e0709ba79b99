//! Secrets do not leave the wire: what is one by its name (`access_token`, `UserSig`, signatures …) is cut down to its
//! first characters, and what is one of the accounts' own is, wherever it stands.

use serde_json::{Value, json};
use url::form_urlencoded;

use super::Side;
use crate::world::World;

/// Names, in lower case, of parameters, JSON members and XML elements whose value is a secret or signed with one.
const NAMES: [&str; 13] = [
    "access_token",
    "usersig",
    "secret",
    "appsecret",
    "sign",
    "signature",
    "msg_signature",
    "msgsignature",
    "token",
    "ticket",
    "encoding_aes_key",
    "secret_key",
    "refresh_token",
];
/// So much of a secret is shown, that two can be told apart.
const SHOWN: usize = 4;

/// Values that never leave, whatever their name.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Those of all accounts and of the app.
    pub(crate) fn of(world: &World) -> Secrets {
        let mut values = Vec::new();
        for account in world.wechat().accounts.values() {
            let config = &account.config;
            values.extend([config.app_secret.clone(), config.token.clone()]);
            values.extend(config.encoding_aes_key.clone());
        }
        let im = world.im();
        values.push(im.config.secret_key.clone());
        values.extend(im.config.callback_token.clone());
        Secrets(values.into_iter().filter(|value| value.len() >= 6).collect())
    }

    pub(super) fn side(&self, side: &Side) -> Value {
        let headers: Vec<Value> =
            side.headers.iter().map(|(name, value)| json!([name, self.text(value)])).collect();
        json!({"line": self.line(&side.line), "headers": headers, "body": self.body(&side.body),
               "size": side.size, "inside": side.inside.as_ref().map(|inside| self.body(inside))})
    }

    /// Method and path, with each parameter of the query in clear.
    fn line(&self, line: &str) -> String {
        let Some((path, query)) = line.split_once('?') else { return self.text(line) };
        let pairs: Vec<String> = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| {
                let value = if is_secret(&name) { short(&value) } else { value.into_owned() };
                format!("{name}={value}")
            })
            .collect();
        self.text(&format!("{path}?{}", pairs.join("&")))
    }

    /// The body as text; `null` where it is none.
    fn body(&self, body: &[u8]) -> Value {
        // A cut in the middle of a character is no reason to hide the rest.
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() => {
                std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return Value::Null,
        };
        self.text(&named(text)).into()
    }

    fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), &short(secret)))
    }
}

fn is_secret(name: &str) -> bool {
    NAMES.contains(&name.to_ascii_lowercase().as_str())
}

fn short(secret: &str) -> String {
    let begun: String = secret.chars().take(SHOWN).collect();
    format!("{begun}…")
}

/// Masks the values of secret JSON members and XML elements, also in a document that breaks off.
fn named(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '<']) {
        let (before, from) = rest.split_at(at);
        masked.push_str(before);
        let found = if from.starts_with('"') { member(from) } else { element(from) };
        let Some((head, value, tail)) = found else {
            masked.push_str(&from[..1]);
            rest = &from[1..];
            continue;
        };
        masked.push_str(head);
        masked.push_str(&short(value));
        rest = tail;
    }
    masked.push_str(rest);
    masked
}

/// `"name": "value` at the beginning of a text: head, value and what follows.
fn member(text: &str) -> Option<(&str, &str, &str)> {
    let (name, after) = text[1..].split_once('"')?;
    if !is_secret(name) {
        return None;
    }
    let value = after.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    split(text, value, value.find('"').unwrap_or(value.len()))
}

/// `<Name>value` or `<Name><![CDATA[value` likewise.
fn element(text: &str) -> Option<(&str, &str, &str)> {
    let (name, value) = text[1..].split_once('>')?;
    if !is_secret(name) {
        return None;
    }
    match value.strip_prefix("<![CDATA[") {
        Some(value) => split(text, value, value.find("]]>").unwrap_or(value.len())),
        None => split(text, value, value.find('<').unwrap_or(value.len())),
    }
}

fn split<'a>(text: &'a str, value: &'a str, length: usize) -> Option<(&'a str, &'a str, &'a str)> {
    let head = &text[..text.len() - value.len()];
    Some((head, &value[..length], &value[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_and_by_their_values() {
        let secrets = Secrets(vec!["5ec2e75ec2e7".into()]);
        for (given, told) in [
            (
                r#"{"access_token":"57_abcdef","expires_in":7200}"#,
                r#"{"access_token":"57_a…","expires_in":7200}"#,
            ),
            (r#"{ "secret" : "5ec2e75ec2e7" }"#, r#"{ "secret" : "5ec2…" }"#),
            (r#"{"access_token":"57_abc"#, r#"{"access_token":"57_a…"#),
            (
                "<xml><MsgSignature><![CDATA[abcdef]]></MsgSignature></xml>",
                "<xml><MsgSignature><![CDATA[abcd…]]></MsgSignature></xml>",
            ),
            ("<Signature>abcdef</Signature>", "<Signature>abcd…</Signature>"),
            (r#"{"text":"it is 5ec2e75ec2e7 \"token\""}"#, r#"{"text":"it is 5ec2… \"token\""}"#),
            (r#"{"text":"在吗"}"#, r#"{"text":"在吗"}"#),
        ] {
            assert_eq!(secrets.body(given.as_bytes()), told);
        }
        let line = "POST /v4/openim/sendmsg?sdkappid=1&identifier=administrator&usersig=eJw1abc&Sign=0123456";
        let told = "POST /v4/openim/sendmsg?sdkappid=1&identifier=administrator&usersig=eJw1…&Sign=0123…";
        assert_eq!(secrets.line(line), told);
        assert_eq!(secrets.body(b"\xff\xd8\xff"), Value::Null);
        assert_eq!(secrets.body(&"在".as_bytes()[..2]), "");
    }
}
