//! The demo's side inside `serve`: the gateway's clock follows the clouds', and the gateway ends with its demo.

use crate::cli;
use desk::Clock;
use std::io::Read;
use std::path::PathBuf;

/// The system's clock, moved by what the file says. The file is read each time: a push that was signed right after
/// the clouds' clock was moved must be judged by the new time.
pub(crate) fn clock(file: PathBuf) -> Clock {
    let system = cli::clock();
    Clock::new(move || {
        let offset = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse::<i64>().ok());
        system.now().saturating_add(offset.unwrap_or(0))
    })
}

/// Ends this process gracefully when its stdin ends, which is when the demo does, however it ends.
pub(crate) fn end_with_the_demo() {
    std::thread::spawn(|| {
        let mut nothing = [0; 64];
        while std::io::stdin().read(&mut nothing).is_ok_and(|read| read > 0) {}
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
    });
}
