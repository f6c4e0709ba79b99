//! The upstream matrix as data: which final state each cell must end in, and why. `docs/reliability/matrix.md` is drawn from
//! it, and a test in `tests/docs.rs` holds the two together. Derived from `DESIGN.md` and the vendors' pages, not from what
//! the gateway happens to do.

use std::fmt::Write as _;

/// A call of the gateway's to a cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Token,
    CustomSend,
    MediaUp,
    MediaGet,
    SendMsg,
    Import,
    Delete,
    History,
}

/// What goes wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Condition {
    Refused,
    ConnectHangs,
    Silent,
    OneByte,
    ResetBefore,
    ResetInside,
    ResetAfter,
    Http429,
    Http500,
    Http502,
    Http503,
    Http504,
    Html,
    Truncated,
    Flood,
    Busy,
    TokenInvalid,
    RateLimit,
    Quota,
    Late,
}

/// The final state that a cell's messages must end in. Those that the fault does not touch are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As without the fault.
    Sent,
    /// Kept waiting, sent once when the fault is over.
    SentAfter,
    /// Nobody knows whether it arrived; the history tells, and then it is sent once.
    LookedUp,
    /// Exactly those that the fault befell, each told to the agent once; the others are sent.
    Unsure,
    /// Who met it three times has failed, and the agent is told; the others are sent.
    FailedBusy,
    /// Kept waiting until the minute is over, then sent.
    NextMinute,
    /// Kept waiting until midnight in China, then sent.
    NextDay,
    /// Within the file's patience sent whole; after it the lane goes on with words, and the file follows when it comes.
    FileFollows,
    /// The agent reads in words that there is a file which cannot be read.
    InWords,
}

pub(crate) const OPERATIONS: [Operation; 8] = [
    Operation::Token,
    Operation::CustomSend,
    Operation::MediaUp,
    Operation::MediaGet,
    Operation::SendMsg,
    Operation::Import,
    Operation::Delete,
    Operation::History,
];

pub(crate) const CONDITIONS: [Condition; 20] = [
    Condition::Refused,
    Condition::ConnectHangs,
    Condition::Silent,
    Condition::OneByte,
    Condition::ResetBefore,
    Condition::ResetInside,
    Condition::ResetAfter,
    Condition::Http429,
    Condition::Http500,
    Condition::Http502,
    Condition::Http503,
    Condition::Http504,
    Condition::Html,
    Condition::Truncated,
    Condition::Flood,
    Condition::Busy,
    Condition::TokenInvalid,
    Condition::RateLimit,
    Condition::Quota,
    Condition::Late,
];

/// The table itself.
pub(crate) fn end(operation: Operation, condition: Condition) -> End {
    use Condition as C;
    use Operation as O;
    match (operation, condition) {
        (_, C::Late) => End::Sent,
        // Of the file that is too large there is nothing to wait for.
        (O::MediaGet, C::Flood) => End::InWords,
        (O::MediaGet, _) => End::FileFollows,
        (O::Token | O::CustomSend | O::MediaUp, C::RateLimit) => End::NextMinute,
        (O::Token | O::CustomSend | O::MediaUp, C::Quota) => End::NextDay,
        (O::CustomSend, C::Refused | C::ConnectHangs | C::TokenInvalid) => End::SentAfter,
        (O::CustomSend, C::Busy) => End::FailedBusy,
        (O::CustomSend, _) => End::Unsure,
        (O::SendMsg, C::Refused | C::ConnectHangs | C::TokenInvalid | C::RateLimit | C::Quota) => {
            End::SentAfter
        }
        (O::SendMsg, _) => End::LookedUp,
        (O::Token | O::MediaUp | O::Import | O::Delete | O::History, _) => End::SentAfter,
    }
}

impl Operation {
    /// The row's title, and the word in reports.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Operation::Token => "token",
            Operation::CustomSend => "custom/send",
            Operation::MediaUp => "media up",
            Operation::MediaGet => "media get",
            Operation::SendMsg => "sendmsg",
            Operation::Import => "import",
            Operation::Delete => "delete",
            Operation::History => "history",
        }
    }

    /// What a message of this row is, and why its states are these.
    fn why(self) -> &'static str {
        match self {
            Operation::Token => {
                "An agent's answer when the token has just become invalid. Without a token nothing leaves, so nothing is ambiguous: the answer waits. A refusal of the token call concerns the account, whose calls rest."
            }
            Operation::CustomSend => {
                "An agent's answer. WeChat knows no key that makes a repeat harmless: what may have arrived is unsure, shown to the agent, and never repeated (promise 4). Not sent, and so retried, is what was refused or never connected, and what WeChat answered with an errcode; -1 at most twice."
            }
            Operation::MediaUp => {
                "A picture of an agent's. The customer sees nothing of an upload, so it is repeated until it is clear, and the answer goes out once, after it. The limit of two repeats for -1 is that of custom/send."
            }
            Operation::MediaGet => {
                "A customer's picture, whose address fails as media/get does. Reading is repeated; the lane waits for `fetch_patience` at most."
            }
            Operation::SendMsg => {
                "A customer's message. What may have arrived is looked up in IM's history, 3 s later at the earliest, and repeated only if it is not there (promise 4)."
            }
            Operation::Import => {
                "The first message of a new customer. Importing twice changes nothing, so it is repeated until it is clear."
            }
            Operation::Delete => {
                "What a customer writes who left, and follows again while the deletion fails: it comes from the next UserID. An unclear deletion counts as done; one that was refused is repeated, for three minutes at most."
            }
            Operation::History => {
                "A customer's message whose sendmsg had no answer, and an agent's answer whose webhook was lost. Nothing is decided before the history tells."
            }
        }
    }
}

impl Condition {
    /// The column's title, and the word in reports.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Condition::Refused => "refused",
            Condition::ConnectHangs => "connect hangs",
            Condition::Silent => "silent",
            Condition::OneByte => "1 byte/s",
            Condition::ResetBefore => "reset before",
            Condition::ResetInside => "reset in",
            Condition::ResetAfter => "reset after",
            Condition::Http429 => "429",
            Condition::Http500 => "500",
            Condition::Http502 => "502",
            Condition::Http503 => "503",
            Condition::Http504 => "504",
            Condition::Html => "HTML with 200",
            Condition::Truncated => "truncated JSON",
            Condition::Flood => "64 MB body",
            Condition::Busy => "busy code",
            Condition::TokenInvalid => "token invalid",
            Condition::RateLimit => "rate limit",
            Condition::Quota => "daily quota",
            Condition::Late => "4.9 s",
        }
    }

    /// What the simulated cloud does.
    fn what(self) -> &'static str {
        match self {
            Condition::Refused => "the cloud's port is closed",
            Condition::ConnectHangs => "a SYN has no answer",
            Condition::Silent => "the call is read, never answered and not carried out",
            Condition::OneByte => "carried out; the headers come, the body at 1 byte a second",
            Condition::ResetBefore => "the connection is reset, the call is not carried out",
            Condition::ResetInside => "carried out; reset in the middle of the body",
            Condition::ResetAfter => "carried out; reset before the first byte of the answer",
            Condition::Http429 | Condition::Http500 => "with a proxy's page; not carried out",
            Condition::Http502 => "not carried out",
            Condition::Http503 => "not carried out",
            Condition::Http504 => "carried out",
            Condition::Html => "a page of a portal; not carried out",
            Condition::Truncated => "carried out; half of the JSON",
            Condition::Flood => "64 MB that are no JSON; not carried out",
            Condition::Busy => "WeChat -1, IM 91000",
            Condition::TokenInvalid => {
                "WeChat 40001 (of the token call: the secret is wrong), and the token is revoked; IM 70001"
            }
            Condition::RateLimit => "WeChat 45011, IM 60007",
            Condition::Quota => "WeChat 45009, IM 60028",
            Condition::Late => "carried out at once, answered after 4.9 s",
        }
    }

    /// Whether the cloud does what the call asks for all the same.
    pub(crate) fn is_carried_out(self) -> bool {
        matches!(
            self,
            Condition::OneByte
                | Condition::ResetInside
                | Condition::ResetAfter
                | Condition::Http504
                | Condition::Truncated
                | Condition::Late
        )
    }
}

impl End {
    /// What stands in the cell.
    pub(crate) fn words(self) -> &'static str {
        match self {
            End::Sent => "sent",
            End::SentAfter => "sent after the fault",
            End::LookedUp => "looked up, sent once",
            End::Unsure => "**unsure**, agent told",
            End::FailedBusy => "third time: failed: busy, agent told",
            End::NextMinute => "kept waiting until the next minute",
            End::NextDay => "kept waiting until midnight in China",
            End::FileFollows => "sent in words, file follows",
            End::InWords => "sent in words",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            End::Sent => "As without the fault.",
            End::SentAfter => "Provably not sent, or harmless to repeat: it waits, and goes out once.",
            End::LookedUp => {
                "In state *checking* until the history tells; then *sent*, or repeated with the same MsgSeq and MsgRandom."
            }
            End::Unsure => {
                "Exactly the messages whose call met the fault; each agent is told once, in the chat with that customer. The next answers go on."
            }
            End::FailedBusy => {
                "A message that is answered -1 three times is *failed* with that reason, and the agent is told once; one that meets it once or twice is sent."
            }
            End::NextMinute => "All calls of the account rest until the minute is over.",
            End::NextDay => "All calls of the account rest until its quota begins anew.",
            End::FileFollows => {
                "Whole, if the fault ends within `fetch_patience`. Otherwise the agent reads that there is a file, and what was written later goes on; the file follows once, marked with its age."
            }
            End::InWords => {
                "What is too large is not waited for: the agent reads that there is a file which cannot be read."
            }
        }
    }
}

/// The page.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# The upstream matrix\n\n\
         Made from `crates/tsunagi/tests/torture/matrix/table.rs`; do not edit it, run `UPDATE_GOLDEN=1 cargo test -p tsunagi --test docs`.\n\n\
         What becomes of a message when a call to a cloud goes wrong. A fault lasts for some seconds in the middle of a burst; the table says in \
         which final state the messages end that it befalls. All others are sent. In every cell nothing is lost, doubled, out of order or \
         acknowledged without being stored, and webhooks go on being answered in time. A message is *unsure* only where the table says so. \
         `make torture ARGS=matrix` plays every cell. A fault that outlasts `answer_patience` or `relay_patience` (a day) ends in *failed* \
         with its reason, and the agent is told.\n\n|  |",
    );
    for condition in CONDITIONS {
        let _ = write!(page, " {} |", condition.title());
    }
    page.push_str("\n| --- |");
    page.push_str(&" --- |".repeat(CONDITIONS.len()));
    for operation in OPERATIONS {
        let _ = write!(page, "\n| {} |", operation.title());
        for condition in CONDITIONS {
            let _ = write!(page, " {} |", end(operation, condition).words());
        }
    }
    page.push_str("\n\n## The rows\n\n| row | a message, and why |\n| --- | --- |\n");
    for operation in OPERATIONS {
        let _ = writeln!(page, "| {} | {} |", operation.title(), operation.why());
    }
    page.push_str("\n## The columns\n\n| column | what the cloud does |\n| --- | --- |\n");
    for condition in CONDITIONS {
        let _ = writeln!(page, "| {} | {} |", condition.title(), condition.what());
    }
    page.push_str("\n## The ends\n\n| end | what it means |\n| --- | --- |\n");
    let ends = [
        End::Sent,
        End::SentAfter,
        End::LookedUp,
        End::Unsure,
        End::FailedBusy,
        End::NextMinute,
        End::NextDay,
        End::FileFollows,
        End::InWords,
    ];
    for end in ends {
        let _ = writeln!(page, "| {} | {} |", end.words(), end.meaning());
    }
    page
}
