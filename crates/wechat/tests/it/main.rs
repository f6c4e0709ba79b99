//! The protocol against the reference: vectors, golden documents, hostile input, and the client over real HTTP.
//! A failure case of `FAILURE-CASES.md` is tested under its number.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod calls;
mod dedup;
mod documents;
mod golden;
mod media;
mod modes;
mod odd_text;
mod outgoing;
mod properties;
mod reading;
mod replies;
mod sealing;
mod secrets;
mod server;
mod users;
mod vectors;
