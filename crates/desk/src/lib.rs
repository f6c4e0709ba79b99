//! The rules of the desk: conversations, messages, deliveries. Pure: no I/O, no async, the clock is an argument.
