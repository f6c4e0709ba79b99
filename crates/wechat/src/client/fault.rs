//! What became of a call that did not succeed. Start at [`CallError`].

use crate::errcode::Errcode;

/// What became of a call that did not succeed. Shows no URL, no secret and no openid.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// WeChat understood the call and said no: it was **not** carried out.
    #[error("WeChat refused the call")]
    Refused(#[source] Errcode),
    /// The call never left this machine, so it was **not** carried out.
    #[error("the call was not sent")]
    NotSent(#[source] Fault),
    /// The call **may have been** carried out. Do not repeat what must not happen twice.
    #[error("it is unclear whether the call was carried out")]
    Unclear(#[source] Fault),
}

/// What went wrong outside WeChat's own rules.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The transport failed.
    #[error("the connection failed")]
    Transport(#[source] reqwest::Error),
    /// The HTTP status is not 200.
    #[error("the answer has HTTP status {0}")]
    Status(u16),
    /// The caller's `reqwest::Client` followed a redirect.
    #[error("the call was redirected to another address")]
    Redirected,
    /// The answer has no content.
    #[error("the answer is empty")]
    Empty,
    /// The answer is larger than 1 MiB, or a file larger than the caller allows.
    #[error("the answer is too large")]
    TooLarge,
    /// The answer is not a JSON object, is cut short, or lacks what the call is for.
    #[error("the answer is not what the call should give")]
    Unreadable,
    /// The address is not one of WeChat's.
    #[error("the address is not one of WeChat's")]
    Address,
    /// The call asks for more than WeChat allows in one.
    #[error("the call breaks a limit: {0}")]
    Limit(&'static str),
}

/// The access_token is in the URL: an error must not carry it.
pub(crate) fn transport(error: reqwest::Error) -> Fault {
    Fault::Transport(error.without_url())
}
