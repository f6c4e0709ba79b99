//! The simulator against small webhook servers: each behaviour that the gateway relies on.

mod support;

mod callbacks;
mod custom_send;
mod faults;
mod im_rest;
mod page;
mod push;
mod tokens;
