//! The gateway's binary: HTTP, command line, configuration, wiring, lifecycle.
fn main() {}
