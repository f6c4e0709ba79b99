//! Makes the UserSig that an agent logs in with, and checks it as IM would. The key is a sample of the vendor's.

use secrecy::{ExposeSecret, SecretString};

#[expect(clippy::print_stdout, reason = "an example talks to the terminal")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = SecretString::from("5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e");
    // In earnest, the time: nothing in this crate reads the clock.
    let now = 1_700_000_000;
    let sig = im::sign(&key, 1_400_000_000, "agent_007", now, 86_400, None);
    println!("agent_007 logs in for a day with {}", sig.expose_secret());
    let claims = im::verify(&key, 1_400_000_000, Some("agent_007"), sig.expose_secret(), now)?;
    println!("it is {}'s, for {} s from {}", claims.identifier, claims.expire, claims.time);
    match im::verify(&key, 1_400_000_000, Some("agent_007"), sig.expose_secret(), now + 86_401) {
        Err(error) => println!("after that day: {error} ({})", error.code()),
        Ok(_) => println!("it lives too long"),
    }
    Ok(())
}
