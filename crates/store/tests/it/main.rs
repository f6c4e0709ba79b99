//! Stories of the store, each told on SQLite and on PostgreSQL.
//!
//! Start with `engine.rs`: how a story gets its database. PostgreSQL runs where `TSUNAGI_TEST_POSTGRES` names
//! a server on which databases may be created; without it these tests say so, and fail on CI.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod attempts;
mod buckets;
mod conversations;
mod engine;
mod fences;
mod ghosts;
mod given;
mod ingest;
mod lanes;
mod mailbox;
mod opening;
mod pauses;
mod poison;
mod positions;
mod purge;
mod relaying;
mod spool;
mod tokens;
mod writes;
