//! The IM app: is our UserSig taken, are the agents there, can ghosts be made and deleted.

use super::Surroundings;
use super::board::{Board, Group, Section};
use super::reach::Ways;
use super::transport::broken;
use crate::config::{Im, OnUnsubscribe};
use im::{AdminSig, CallError, Client, Fault};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `account_check` takes so many at a time.
const BATCH: usize = 100;
/// The account was never there, or is not any more.
const NO_ACCOUNT: i64 = 70107;
const DELETION_NOT_ENABLED: i64 = 71000;
const NO_MORE_ACCOUNTS: i64 = 70398;

/// Looks at the app.
pub(super) async fn app(around: &Surroundings, ways: &Ways, board: &Board) {
    let section = board.section(Group::Im, "");
    let im = &around.config.im;
    if !ways.open(&im.base_url) {
        return;
    }
    let sig = AdminSig::new(im.secret_key.clone(), im.sdk_app_id, &im.admin, 3_600);
    let client = match Client::new(around.http.clone(), im.base_url.as_str(), im.sdk_app_id, Arc::new(sig)) {
        Ok(client) => client,
        Err(error) => {
            section.fault("base_url", error.to_string(), "correct im.base_url");
            return;
        }
    };
    let app = App { around, client, section };
    if app.accounts().await {
        app.agents().await;
    }
}

struct App<'a> {
    around: &'a Surroundings,
    client: Client,
    section: Section,
}

impl App<'_> {
    /// Whether each agent is there.
    async fn agents(&self) {
        let config = &self.around.config;
        let agents: Vec<&str> = config
            .accounts
            .iter()
            .flat_map(|account| account.agents.iter().map(String::as_str))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let mut missing: Vec<&str> = Vec::new();
        for batch in agents.chunks(BATCH) {
            match self.client.account_check(batch, self.random(), self.now_s()).await {
                Ok(found) => missing.extend(
                    batch
                        .iter()
                        .filter(|agent| !found.iter().any(|one| one.user_id == **agent && one.imported)),
                ),
                Err(error) => {
                    self.refused(&error);
                    return;
                }
            }
        }
        if missing.is_empty() {
            let words = match agents.len() {
                1 => "the agent is there".to_owned(),
                count => format!("all {count} agents are there"),
            };
            self.section.ok("agents", words);
        } else {
            self.section.warn(
                "agents",
                format!("{} not there: {}", if missing.len() == 1 { "an agent is" } else { "agents are" }, missing.join(", ")),
                "`tsunagi serve` imports them when it starts; if it runs already, its log says why it could not",
            );
        }
    }

    /// Whether ghosts can be deleted, and if so, whether new ones can be made. A UserID that nobody has and nobody
    /// will have is asked for, so nothing is lost. False if IM does not take our calls at all.
    async fn accounts(&self) -> bool {
        let nobody = format!("tsunagi-check-{:08x}{:08x}", self.random(), self.random());
        let delete = self.client.account_delete(&[&nobody], self.random(), self.now_s()).await;
        let code = match &delete {
            Ok(items) => items.iter().map(|item| item.code).find(|code| *code != 0 && *code != NO_ACCOUNT),
            Err(CallError::Refused(error)) if matches!(error.code, NO_ACCOUNT | DELETION_NOT_ENABLED) => {
                Some(error.code)
            }
            Err(error) => {
                self.refused(error);
                return false;
            }
        };
        self.section.ok("usersig", format!("takes the UserSig of {}", self.around.config.im.admin));
        match code {
            None | Some(NO_ACCOUNT) => {
                self.section.ok("deletion", "the deletion of accounts is enabled");
                self.room(&nobody).await;
            }
            // Paid editions alone have this switch, and they have no limit of accounts.
            Some(DELETION_NOT_ENABLED) => self.deletion_not_enabled(),
            Some(code) => self.section.warn(
                "deletion",
                format!(
                    "whether accounts can be deleted could not be found out: {code} ({})",
                    im::describe(code)
                ),
                "check again in a minute",
            ),
        }
        true
    }

    fn deletion_not_enabled(&self) {
        let wanted: Vec<&str> = self
            .around
            .config
            .accounts
            .iter()
            .filter(|account| account.on_unsubscribe == OnUnsubscribe::Delete)
            .map(|account| account.id.as_str())
            .collect();
        if wanted.is_empty() {
            self.section.ok("deletion", "the deletion of accounts is not enabled, and no account wants it");
            return;
        }
        self.section.fault(
            "deletion",
            format!(
                "the deletion of accounts is not enabled (71000), but on_unsubscribe = \"delete\" of {} needs it",
                wanted.join(", ")
            ),
            "enable it in the IM console (Configuration → Feature configuration → Login and message → account deletion), \
             or set on_unsubscribe = \"keep\"",
        );
    }

    /// Makes an account and deletes it again.
    async fn room(&self, nobody: &str) {
        let made = self.client.account_import(nobody, None, None, self.random(), self.now_s()).await;
        match made {
            Ok(()) => {
                let deleted = self.client.account_delete(&[nobody], self.random(), self.now_s()).await;
                let gone = matches!(&deleted, Ok(items) if items.iter().all(|item| item.code == 0));
                if gone {
                    self.section.ok("accounts", "new accounts can be made");
                } else {
                    self.section.warn(
                        "accounts",
                        format!("new accounts can be made; the one made to find out could not be deleted: {nobody}"),
                        "delete it in the IM console (Users)",
                    );
                }
            }
            Err(CallError::Refused(error)) if error.code == NO_MORE_ACCOUNTS => self.section.fault(
                "accounts",
                "no more accounts can be made (70398): the edition of the IM app has a limit (trial: 100)",
                "upgrade the app in the Tencent Cloud console, or delete accounts that nobody needs; until then new \
                 customers' messages wait",
            ),
            Err(error) => self.section.warn(
                "accounts",
                format!("whether new accounts can be made could not be found out: {}", unclear(&error)),
                "check again in a minute",
            ),
        }
    }

    fn refused(&self, error: &CallError) {
        let CallError::Refused(code) = error else {
            self.section.fault(
                "answer",
                format!("does not answer as IM: {}", unclear(error)),
                "check im.base_url, and any proxy on the way to IM",
            );
            return;
        };
        let (name, todo) = remedy(code.code, &self.around.config.im);
        self.section.fault(
            name,
            format!("refuses our calls: {} ({})", code.code, im::describe(code.code)),
            todo,
        );
    }

    fn random(&self) -> u32 {
        self.around.entropy.u32()
    }

    fn now_s(&self) -> i64 {
        self.around.clock.now_s()
    }
}

/// A name for programs, and what to do.
fn remedy(code: i64, im: &Im) -> (&'static str, String) {
    let (name, todo) = match code {
        70001 => ("usersig", "set this machine's clock: a fresh UserSig has expired already there".to_owned()),
        70003 | 70005 | 70009 | 70050 => (
            "secret_key",
            "correct im.secret_key: copy the key of this very app (SDKAppID) from the IM console".to_owned(),
        ),
        70013 | 70014 | 70002 | 60012 | 60025 => (
            "usersig",
            "im.sdk_app_id and im.secret_key must be of the same app; a proxy on the way must not change the query".to_owned(),
        ),
        70016 | 70020 | 60006 => (
            "sdk_app_id",
            "correct im.sdk_app_id; if it is right, im.base_url is that of another region: the IM console shows the \
             app's region"
                .to_owned(),
        ),
        60026 => (
            "data_centre",
            "correct im.base_url: it must be that of the app's region (China console.tim.qq.com, Singapore \
             adminapisgp.im.qcloud.com, and so on)"
                .to_owned(),
        ),
        60010 | 70403 | 90009 => (
            "admin",
            format!("make {} an administrator of the app in the IM console, or name one in im.admin", im.admin),
        ),
        60020 | 80005 => (
            "arrears",
            "pay what is open, or buy a package, in the Tencent Cloud console; it recovers five minutes later".to_owned(),
        ),
        60016 | 60017 | 60027 => (
            "disabled",
            "the app is disabled, or its edition may not use the REST API: look into the IM console".to_owned(),
        ),
        60021 => (
            "source_address",
            "add this machine's public address to the allowed addresses of the REST API in the IM console".to_owned(),
        ),
        60028 => ("trial_calls", "the trial edition's calls of 24 hours are used up: upgrade the app, or wait".to_owned()),
        70051 | 70114 => ("blocked", format!("Tencent has blocked {}: ask their support", im.admin)),
        60007 | 60011 | 60018 | 60019 => {
            ("rate", "too many calls in this second: lower im.rate, and check again".to_owned())
        }
        _ => ("refused", "look the code up in IM's list of error codes, and check again".to_owned()),
    };
    (name, todo)
}

fn unclear(error: &CallError) -> String {
    match error {
        CallError::Refused(code) => format!("{} ({})", code.code, im::describe(code.code)),
        CallError::NotSent(Fault::Transport(error)) | CallError::Unclear(Fault::Transport(error)) => {
            broken(error).what
        }
        CallError::NotSent(fault) | CallError::Unclear(fault) => fault.to_string(),
    }
}
