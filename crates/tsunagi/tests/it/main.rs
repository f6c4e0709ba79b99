//! Whole-system stories: the real binary, the simulated clouds over real HTTP, real databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "what is skipped is said loudly")]

// Gateways that can be killed at named points, and broken on purpose, are built with the feature `faults`.
#[cfg(feature = "faults")]
mod checker;
mod commands;
mod flows;
#[cfg(feature = "faults")]
mod kills;
mod media;
mod page;
mod story;
#[expect(dead_code, reason = "shared with the torture tool, which uses more of it")]
mod support;
mod sync;
mod windows;
