//! The simulator against small webhook servers: each behaviour that the gateway relies on.

#![expect(clippy::unwrap_used, reason = "a test may fail at any point")]

mod support;

mod callbacks;
mod clients;
mod custom_send;
mod faults;
mod im_rest;
mod page;
mod push;
mod quotas;
mod tokens;
mod users;
