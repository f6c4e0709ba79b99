//! One Official Account: does WeChat give us a token, may we write to customers, and how much of that is left today.

use super::Surroundings;
use super::board::{Board, Group, Section};
use super::reach::Ways;
use super::transport::broken;
use crate::config::{Account, Reply};
use secrecy::SecretString;
use std::net::IpAddr;
use wechat::{CallError, Client, Errcode, Fault};

const CUSTOM_SEND: &str = wechat::wire::CUSTOM_SEND;
/// No customer's openid.
const NOBODY: &str = "tsunagi-check";

/// Looks at one account.
pub(super) async fn account(around: &Surroundings, account: &Account, ways: &Ways, board: &Board) {
    let section = board.section(Group::Wechat, &account.id);
    if !ways.open(&account.base_url) {
        return;
    }
    let client = match Client::new(around.http.clone(), account.base_url.as_str()) {
        Ok(client) => client,
        Err(error) => {
            section.fault("base_url", error.to_string(), "correct base_url of the account");
            return;
        }
    };
    let token = match client.stable_token(&account.app_id, &account.app_secret, false).await {
        Ok(token) => token,
        Err(error) => {
            no_token(&error, &section);
            return;
        }
    };
    section.ok("token", "gives an access_token");
    tokio::join!(answering(account, &client, &token.token, &section), async {
        callback_ips(client.callback_ips(&token.token).await, &section)
    });
}

fn no_token(error: &CallError, section: &Section) {
    let CallError::Refused(errcode) = error else {
        section.fault(
            "answer",
            format!("gives no access_token: {}", unclear(error)),
            "check base_url of the account, and any proxy on the way to WeChat",
        );
        return;
    };
    let (name, todo) = token_remedy(errcode);
    section.fault(
        &name,
        format!("gives no access_token: {} ({})", errcode.code, wechat::describe(errcode.code)),
        todo,
    );
}

/// A name for programs, and what to do.
fn token_remedy(errcode: &Errcode) -> (String, String) {
    let same = |todo: &str| todo.to_owned();
    let todo = match errcode.code {
        40164 => {
            return ("ip_list".to_owned(), allow(address_in(&errcode.message)));
        }
        40013 | 41002 => same("correct app_id: copy the AppID (wx…) from the account's console"),
        40001 | 40125 | 41004 => same(
            "correct app_secret: copy the AppSecret from the account's console; if nobody has it any more, reset it \
             there, which ends the old one everywhere",
        ),
        40243 => same("the AppSecret is frozen: unfreeze it in the account's console (基本配置 → AppSecret)"),
        89501..=89505 => same(
            "an administrator of the account has a request in WeChat to confirm this machine's address: let them \
             confirm it, then check again",
        ),
        89506 => {
            same("an administrator refused this machine's address: ask them, and check again in 24 hours")
        }
        89507 => {
            same("an administrator refused this machine's address: ask them, and check again in an hour")
        }
        45009 => same(
            "today's calls for tokens are used up: find who else asks for this account's tokens; it ends at midnight \
             in China, or clear the quota in the console",
        ),
        45011 => same("too many calls in this minute: check again in a minute"),
        50002 | 48004 => same("WeChat has restricted the account: look into its console for the reason"),
        -1 => same("WeChat is busy: check again in a minute"),
        _ => same("look the code up in WeChat's list of return codes"),
    };
    (format!("token_{}", errcode.code), todo)
}

fn allow(address: Option<IpAddr>) -> String {
    let address = address.map_or("this machine's public address".to_owned(), |address| address.to_string());
    format!(
        "add {address} to the account's IP list: WeChat's console → 设置与开发 → 基本配置 (Basic configuration) → \
         IP白名单 (IP whitelist); it takes effect within ten minutes"
    )
}

/// The address that WeChat names: `invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist`. For show only.
fn address_in(message: &str) -> Option<IpAddr> {
    message.split([' ', ',']).find_map(|word| word.parse().ok())
}

fn unclear(error: &CallError) -> String {
    match error {
        CallError::Refused(errcode) => format!("{} ({})", errcode.code, wechat::describe(errcode.code)),
        CallError::NotSent(Fault::Transport(error)) | CallError::Unclear(Fault::Transport(error)) => {
            broken(error).what
        }
        CallError::NotSent(fault) | CallError::Unclear(fault) => fault.to_string(),
    }
}

/// Whether agents' answers can go out.
async fn answering(account: &Account, client: &Client, token: &SecretString, section: &Section) {
    // Taking back a typing hint that nobody is shown needs the same permission as a message, and does nothing.
    let asked = client.typing(token, NOBODY, wechat::Typing::Stop).await;
    let forbidden = matches!(&asked, Err(CallError::Refused(Errcode { code: 48001 | 40200, .. })));
    match (forbidden, account.reply) {
        (false, _) => quota(&client.quota(token, CUSTOM_SEND).await, section),
        (true, Reply::Passive) => section.ok(
            "permission",
            "may not call custom/send, and needs not: answers go out as passive replies (reply = \"passive\")",
        ),
        (true, Reply::CustomerService) => section.warn(
            "permission",
            "may not call custom/send (48001): answers wait for the customer's next message, and go out as the reply to it",
            "set reply = \"passive\", so that it need not be found out; or have the account verified (微信认证), which \
             personal accounts cannot be",
        ),
    }
}

fn quota(quota: &Result<wechat::Quota, CallError>, section: &Section) {
    match quota {
        Ok(quota) if quota.remain == 0 && quota.daily_limit > 0 => section.fault(
            "quota",
            format!("all {} customer-service messages of today are used up", quota.daily_limit),
            "answers wait until midnight in China; or clear the quota in WeChat's console (10 times a month)",
        ),
        Ok(quota) if quota.remain < quota.daily_limit / 10 => section.warn(
            "quota",
            format!("{} of today's {} customer-service messages are left", quota.remain, quota.daily_limit),
            "find out who sends so many; the quota starts again at midnight in China",
        ),
        Ok(quota) => section.ok(
            "quota",
            format!("{} of today's {} customer-service messages are left", quota.remain, quota.daily_limit),
        ),
        Err(error) => section.warn(
            "quota",
            format!("how many messages are left today could not be found out: {}", unclear(error)),
            "check again in a minute",
        ),
    }
}

fn callback_ips(answer: Result<Vec<wechat::IpRange>, CallError>, section: &Section) {
    match answer {
        Ok(ranges) => {
            section.ok("callback_ips", format!("pushes from {} addresses and networks", ranges.len()))
        }
        Err(error) => section.warn(
            "callback_ips",
            format!("does not say from which addresses it pushes: {}", unclear(&error)),
            "check again in a minute",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f29_the_address_to_add_is_read_from_wechats_words() {
        let words = "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 6f1a-7b2c";
        assert_eq!(address_in(words), Some("203.0.113.7".parse().unwrap()));
        assert_eq!(
            address_in("invalid ip 2001:db8::7, not in whitelist"),
            Some("2001:db8::7".parse().unwrap())
        );
        assert_eq!(address_in("no address here"), None);
        let (name, todo) = token_remedy(&Errcode { code: 40164, message: words.into() });
        assert!(name == "ip_list" && todo.contains("add 203.0.113.7 to the account's IP list"), "{todo}");
    }
}
