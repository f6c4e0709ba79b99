//! Calls about many accounts at once: import, presence, online status.

use super::{CallError, Client, Fault, read, scrub};
use crate::wire;

/// Most accounts in one [`Client::accounts_import`] or [`Client::account_check`].
pub const MAX_ACCOUNTS: usize = 100;
/// Most accounts in one [`Client::online_status`].
pub const MAX_STATUS: usize = 500;

/// An account to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// UserID, at most 32 bytes of `A-Z a-z 0-9 _ -`.
    pub user_id: String,
    /// Nickname, at most 500 bytes.
    pub nick: Option<String>,
    /// Address of the avatar, at most 500 bytes.
    pub face_url: Option<String>,
}

/// What [`Client::account_check`] knows of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedAccount {
    /// UserID.
    pub user_id: String,
    /// 0, or why IM cannot say.
    pub code: i64,
    /// Why, in words.
    pub info: String,
    /// Whether the account exists.
    pub imported: bool,
}

/// Whether an account's user can be reached now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// A client is connected. A lost connection is noticed after 60 s (web) to 400 s (mobile).
    Online,
    /// A mobile client that is not running, but that a push reaches, for up to 7 days.
    PushOnline,
    /// Nobody.
    Offline,
    /// Something else was answered.
    Unknown,
}

impl Presence {
    fn of(word: &str) -> Presence {
        match word {
            "Online" => Presence::Online,
            "PushOnline" => Presence::PushOnline,
            "Offline" => Presence::Offline,
            _ => Presence::Unknown,
        }
    }

    /// Whether a message gets somebody's attention now.
    pub fn is_reachable(self) -> bool {
        matches!(self, Presence::Online | Presence::PushOnline)
    }
}

/// What [`Client::online_status`] knows of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlineStatus {
    /// UserID.
    pub user_id: String,
    /// How the user is now, or IM's error code (70107: there is no such account).
    pub presence: Result<Presence, i64>,
    /// The same by platform (`iPhone`, `Android`, `Web`, `PC`, `iPad`, `Mac`); only from
    /// [`Client::online_status_by_platform`].
    pub platforms: Vec<(String, Presence)>,
}

impl Client {
    /// Makes at most [`MAX_ACCOUNTS`] accounts, or updates nickname and avatar of those that are there
    /// (`multiaccount_import`, 100 calls a second). Safe to repeat. Gives the UserIDs of those that failed.
    ///
    /// Vendor page: <https://www.tencentcloud.com/document/product/1047/34954>
    ///
    /// # Errors
    ///
    /// See [`CallError`]. 70398: the edition allows no more accounts. 70206: too many in one call.
    #[tracing::instrument(name = "im.multiaccount_import", skip_all)]
    pub async fn accounts_import(
        &self,
        accounts: &[NewAccount],
        random: u32,
        now_s: i64,
    ) -> Result<Vec<String>, CallError> {
        let list = accounts.iter().map(|account| wire::AccountImportRequest {
            user_id: account.user_id.clone(),
            nick: account.nick.clone(),
            face_url: account.face_url.clone(),
        });
        let body = wire::AccountsImportRequest { accounts: list.collect() };
        let hidden: Vec<&str> = accounts.iter().map(|account| account.user_id.as_str()).collect();
        let answer = self.call(wire::MULTIACCOUNT_IMPORT, &body, &hidden, random, now_s).await?;
        Ok(read::<wire::AccountsImportAnswer>(answer)?.failed)
    }

    /// Whether accounts exist, at most [`MAX_ACCOUNTS`] (`account_check`, 100 calls a second).
    ///
    /// Vendor page: <https://www.tencentcloud.com/document/product/1047/34956>
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[tracing::instrument(name = "im.account_check", skip_all)]
    pub async fn account_check(
        &self,
        user_ids: &[&str],
        random: u32,
        now_s: i64,
    ) -> Result<Vec<CheckedAccount>, CallError> {
        let item = |user_id: &&str| wire::DeleteItem { user_id: (*user_id).to_owned() };
        let body = wire::AccountCheckRequest { items: user_ids.iter().map(item).collect() };
        let answer = self.call(wire::ACCOUNT_CHECK, &body, user_ids, random, now_s).await?;
        let checked = |item: wire::CheckItem| CheckedAccount {
            imported: item.account_status == "Imported",
            user_id: item.user_id,
            code: item.result_code,
            info: scrub(&item.result_info, user_ids),
        };
        Ok(read::<wire::AccountCheckAnswer>(answer)?.items.into_iter().map(checked).collect())
    }

    /// Ends the log-ins of a user on all devices; UserSigs that were made before do not log in any more (`kick`, 200 calls a
    /// second). Safe to repeat.
    ///
    /// Vendor page: <https://www.tencentcloud.com/document/product/1047/34957>
    ///
    /// # Errors
    ///
    /// See [`CallError`]. 70107: there is no such account.
    #[tracing::instrument(name = "im.kick", skip_all)]
    pub async fn kick(&self, user_id: &str, random: u32, now_s: i64) -> Result<(), CallError> {
        let body = wire::DeleteItem { user_id: user_id.to_owned() };
        self.call(wire::KICK, &body, &[user_id], random, now_s).await.map(drop)
    }

    /// How users are reached now, at most [`MAX_STATUS`] (`query_online_status`, 200 calls a second).
    ///
    /// Vendor page: <https://www.tencentcloud.com/document/product/1047/35477>
    ///
    /// # Errors
    ///
    /// See [`CallError`]. IM refuses the call as a whole only if it failed for every account.
    #[tracing::instrument(name = "im.query_online_status", skip_all)]
    pub async fn online_status(
        &self,
        user_ids: &[&str],
        random: u32,
        now_s: i64,
    ) -> Result<Vec<OnlineStatus>, CallError> {
        self.presence_of(user_ids, false, random, now_s).await
    }

    /// As [`Client::online_status`], with each platform told apart.
    ///
    /// # Errors
    ///
    /// As [`Client::online_status`].
    #[tracing::instrument(name = "im.query_online_status", skip_all)]
    pub async fn online_status_by_platform(
        &self,
        user_ids: &[&str],
        random: u32,
        now_s: i64,
    ) -> Result<Vec<OnlineStatus>, CallError> {
        self.presence_of(user_ids, true, random, now_s).await
    }

    async fn presence_of(
        &self,
        user_ids: &[&str],
        detail: bool,
        random: u32,
        now_s: i64,
    ) -> Result<Vec<OnlineStatus>, CallError> {
        let users = user_ids.iter().map(|user_id| (*user_id).to_owned()).collect();
        let body = wire::OnlineStatusRequest { users, detail };
        let answer = self.call(wire::QUERY_ONLINE_STATUS, &body, user_ids, random, now_s).await?;
        let answer: wire::OnlineStatusAnswer = read(answer)?;
        if answer.results.is_empty() && answer.errors.is_empty() && !user_ids.is_empty() {
            return Err(CallError::Unclear(Fault::Unreadable));
        }
        let known = answer.results.into_iter().map(|item| {
            let presence = Presence::of(&item.status.or(item.state).unwrap_or_default());
            let platforms = item.detail.into_iter();
            let platforms = platforms.map(|one| (one.platform, Presence::of(&one.status))).collect();
            OnlineStatus { user_id: item.user_id, presence: Ok(presence), platforms }
        });
        let unknown = answer.errors.into_iter().map(|item| OnlineStatus {
            user_id: item.user_id,
            presence: Err(item.error_code),
            platforms: Vec::new(),
        });
        Ok(known.chain(unknown).collect())
    }
}
