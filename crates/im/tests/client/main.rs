//! The client against a real server on this machine: what it asks, and what it makes of each kind of answer.

mod accounts;
mod bulk;
mod calls;
mod chats;
mod outcomes;
mod server;
mod usersig;
