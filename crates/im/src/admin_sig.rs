//! The UserSig with which the REST client calls. Start at [`AdminSig`].

use std::fmt;
use std::sync::{Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};

use crate::usersig::sign;

/// Makes the UserSig of an app admin and keeps it until four fifths of its life are over. Share it in an `Arc`.
pub struct AdminSig {
    key: SecretString,
    sdk_app_id: u64,
    admin: String,
    lifetime_s: u64,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    sig: SecretString,
    time: i64,
}

impl AdminSig {
    /// `key` is the app's secret key; `admin` one of the admins set in the console, normally `administrator`;
    /// `lifetime_s` how long each UserSig lives, such as 86,400 seconds.
    pub fn new(key: SecretString, sdk_app_id: u64, admin: &str, lifetime_s: u64) -> AdminSig {
        AdminSig { key, sdk_app_id, admin: admin.to_owned(), lifetime_s, kept: Mutex::new(None) }
    }

    /// The app.
    pub fn sdk_app_id(&self) -> u64 {
        self.sdk_app_id
    }

    /// The admin.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// The UserSig to call with. Made anew when there is none, when the one kept has reached 80 % of its life,
    /// and when the clock has gone back by more than a minute.
    pub fn current(&self, now_s: i64) -> SecretString {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(kept) if self.is_fresh(kept.time, now_s) => kept.sig.clone(),
            _ => self.make(&mut kept, now_s),
        }
    }

    /// The UserSig to call with after IM refused `stale`: a new one, unless another task has already made it.
    pub fn renew(&self, stale: &SecretString, now_s: i64) -> SecretString {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(kept) if kept.sig.expose_secret() != stale.expose_secret() => kept.sig.clone(),
            // Within the same second it would be the same text again.
            Some(old) if old.time >= now_s && old.time - now_s < 60 => {
                let time = old.time + 1;
                self.make(&mut kept, time)
            }
            _ => self.make(&mut kept, now_s),
        }
    }

    fn is_fresh(&self, time: i64, now_s: i64) -> bool {
        let age = i128::from(now_s) - i128::from(time);
        age >= -60 && age * 5 < i128::from(self.lifetime_s) * 4
    }

    fn make(&self, kept: &mut Option<Kept>, time: i64) -> SecretString {
        let sig = sign(&self.key, self.sdk_app_id, &self.admin, time, self.lifetime_s, None);
        *kept = Some(Kept { sig: sig.clone(), time });
        sig
    }
}

impl fmt::Debug for AdminSig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminSig")
            .field("sdk_app_id", &self.sdk_app_id)
            .field("admin", &self.admin)
            .field("lifetime_s", &self.lifetime_s)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usersig::verify;

    const APP: u64 = 1_400_000_000;
    const NOW: i64 = 1_700_000_000;

    fn sig(lifetime_s: u64) -> AdminSig {
        AdminSig::new(SecretString::from("key"), APP, "administrator", lifetime_s)
    }

    fn same(a: &SecretString, b: &SecretString) -> bool {
        a.expose_secret() == b.expose_secret()
    }

    #[test]
    fn f50_is_kept_for_four_fifths_of_its_life() {
        let sig = sig(1000);
        let first = sig.current(NOW);
        assert!(same(&first, &sig.current(NOW + 799)));
        let second = sig.current(NOW + 800);
        assert!(!same(&first, &second));
        assert!(same(&second, &sig.current(NOW + 1599)));
        let key = SecretString::from("key");
        let claims = verify(&key, APP, Some("administrator"), second.expose_secret(), NOW + 1800).unwrap();
        assert_eq!((claims.time, claims.expire), (NOW + 800, 1000));
    }

    #[test]
    fn f50_is_renewed_once_for_all_who_were_refused() {
        let sig = sig(1000);
        let stale = sig.current(NOW);
        let first = sig.renew(&stale, NOW);
        assert!(!same(&stale, &first), "even within the second in which it was made");
        for later in 0..5 {
            assert!(same(&first, &sig.renew(&stale, NOW + later)), "others find it made");
        }
        assert!(same(&first, &sig.current(NOW)));
        assert!(!same(&first, &sig.renew(&first, NOW + 1)));
        assert!(!same(&stale, &self::sig(1000).renew(&stale, NOW + 9)), "nothing kept yet");
    }

    #[test]
    fn follows_a_clock_that_goes_back() {
        let sig = sig(1000);
        let first = sig.current(NOW);
        assert!(same(&first, &sig.current(NOW - 60)));
        assert!(!same(&first, &sig.current(NOW - 61)));
        let second = sig.current(NOW - 100);
        let third = sig.renew(&second, NOW - 100_000);
        assert!(!same(&second, &third));
        let key = SecretString::from("key");
        let claims = verify(&key, APP, None, third.expose_secret(), NOW - 100_000).unwrap();
        assert_eq!(claims.time, NOW - 100_000);
        for extreme in [i64::MIN, 0, i64::MAX] {
            sig.current(extreme);
        }
    }

    #[test]
    fn a_life_of_nothing_is_no_endless_loop() {
        let sig = sig(0);
        let first = sig.current(NOW);
        assert!(same(&first, &sig.current(NOW)), "the same text, made again");
    }
}
