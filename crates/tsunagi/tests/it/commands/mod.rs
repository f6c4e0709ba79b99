//! The commands beside `serve`, as an operator runs them: the real binary, its output and its exit code.

mod check;
mod check_webhooks;
mod erase;
mod import;
mod jobs;
pub(crate) mod run;
