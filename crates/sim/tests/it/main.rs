//! The simulator against small webhook servers: each behaviour that the gateway relies on.

#![expect(clippy::unwrap_used, reason = "a test may fail at any point")]

mod support;

mod api;
mod callbacks;
mod clients;
mod custom_send;
mod customers;
mod faults;
mod im_chats;
mod im_rest;
mod media;
mod page;
mod push;
mod quotas;
mod readme;
mod tokens;
mod users;
mod wechat_library;
