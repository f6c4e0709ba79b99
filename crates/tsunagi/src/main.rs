//! The gateway's binary: HTTP, command line, configuration, wiring, lifecycle.
mod config;
fn main() {}
