//! The demo's side inside `serve`: the gateway ends with its demo.

use std::io::Read;

/// Ends this process gracefully when its stdin ends, which is when the demo does, however it ends.
pub(crate) fn end_with_the_demo() {
    std::thread::spawn(|| {
        let mut nothing = [0; 64];
        while std::io::stdin().read(&mut nothing).is_ok_and(|read| read > 0) {}
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
    });
}
