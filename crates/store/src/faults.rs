//! Named points at which a test build can kill its own process, and deliberate breakages that show that the
//! checkers can fail. Without the cargo feature `faults` every function here is empty.
//!
//! `TSUNAGI_KILL_AT=answer.after_call` kills the process with SIGKILL when it passes that point;
//! `answer.after_call:3` at the third time. `TSUNAGI_FREEZE_AT` stops it there with SIGSTOP until somebody sends
//! SIGCONT, as a paused machine does. `TSUNAGI_SABOTAGE=no-dedup|sync-off|no-fence` breaks the store.

/// The named points, in the order of a message's way.
pub const POINTS: &[&str] = &[
    "ingest.before_commit",
    "ingest.after_commit",
    "intake.before_commit",
    "intake.after_commit",
    "ghost.before_call",
    "ghost.after_call",
    "ghost.after_commit",
    "relay.before_attempt",
    "relay.before_call",
    "relay.after_call",
    "relay.after_outcome",
    "answer.before_attempt",
    "answer.before_call",
    "answer.after_call",
    "answer.after_outcome",
    "token.before_call",
    "token.after_call",
    "token.after_commit",
    "unfollow.before_retire",
    "unfollow.after_retire",
    "unfollow.after_call",
    "unfollow.after_commit",
];

/// The named points of webhooks that come in a crowd.
pub const SPOOL_POINTS: &[&str] =
    &["spool.before_commit", "spool.after_commit", "sort.before_commit", "sort.after_commit"];

/// The named points of files on their way.
pub const MEDIA_POINTS: &[&str] = &[
    "media.after_download",
    "media.after_put",
    "media.before_kept",
    "media.kept",
    "media.postponed",
    "media.late_before_commit",
    "media.before_upload",
    "media.after_upload",
];

/// The named points of commands beside `serve`.
pub const COMMAND_POINTS: &[&str] = &["import.after_plan", "import.after_calls"];

/// The named points of answers that wait for their customer.
pub const MAILBOX_POINTS: &[&str] = &[
    "park.before_commit",
    "park.after_commit",
    "slot.before_bind",
    "slot.after_bind",
    "slot.before_written",
    "slot.after_written",
    "settle.before_commit",
    "settle.after_commit",
    "unpark.after_commit",
];

/// Passes a named point.
#[cfg(feature = "faults")]
pub fn point(name: &'static str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static TO_THE_KILL: AtomicU32 = AtomicU32::new(0);
    static TO_THE_FREEZE: AtomicU32 = AtomicU32::new(0);
    debug_assert!(
        POINTS
            .iter()
            .chain(SPOOL_POINTS)
            .chain(COMMAND_POINTS)
            .chain(MAILBOX_POINTS)
            .chain(MEDIA_POINTS)
            .any(|known| *known == name),
        "{name} is not a named point"
    );
    for (variable, passed, signal) in
        [("TSUNAGI_KILL_AT", &TO_THE_KILL, "-KILL"), ("TSUNAGI_FREEZE_AT", &TO_THE_FREEZE, "-STOP")]
    {
        let Ok(wanted) = std::env::var(variable) else { continue };
        let (wanted, nth) = match wanted.split_once(':') {
            Some((wanted, nth)) => (wanted, nth.parse().unwrap_or(1)),
            None => (wanted.as_str(), 1),
        };
        if wanted == name && passed.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            // The shell's `kill` sends a true signal: no destructor, no flush, as when the machine's owner does it.
            let _ =
                std::process::Command::new("kill").args([signal, &std::process::id().to_string()]).status();
            if signal == "-KILL" {
                loop {
                    std::thread::park();
                }
            }
        }
    }
}

/// Passes a named point.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn point(_name: &'static str) {}

/// Whether the named breakage is asked for.
#[cfg(feature = "faults")]
pub(crate) fn sabotaged(what: &str) -> bool {
    std::env::var("TSUNAGI_SABOTAGE").is_ok_and(|wanted| wanted == what)
}

/// Whether the named breakage is asked for.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) fn sabotaged(_what: &str) -> bool {
    false
}
