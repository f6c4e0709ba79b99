//! Who follows an account: customers who did something here, and any number of seeded ones, who cost nothing.
//!
//! A seeded follower is only a number until something happens to her: her openid is made from it, and it can be read
//! back from the openid.

use std::ops::Bound;

use sha1::{Digest, Sha1};

use super::{Account, Customer};

/// The most seeded followers of one account.
pub(crate) const MOST_SEEDED: u64 = 1_000_000;

/// When seeded followers began to follow: 2025-10-09, one a second.
const SEEDED_FROM_S: i64 = 1_760_000_000;

/// The openid of the follower with this number: 28 characters, as the real ones have.
pub(crate) fn openid(app_id: &str, n: u64) -> String {
    format!("{}{n:017}", prefix(app_id))
}

/// What all seeded openids of an account begin with. openids differ from account to account, also for the same person.
pub(super) fn prefix(app_id: &str) -> String {
    let digest = hex::encode(Sha1::digest(app_id.as_bytes()));
    format!("oSeed{}", &digest[..6])
}

/// One page of `user/get`.
pub(crate) struct Page {
    pub(crate) total: u64,
    pub(crate) openids: Vec<String>,
    /// Whether there are more.
    pub(crate) more: bool,
}

impl Account {
    /// Makes `count` followers, numbered from 0; replaces the number of before.
    pub(crate) fn seed(&mut self, count: u64) {
        self.seeded = count;
    }

    /// The number of a seeded follower.
    fn seeded_number(&self, openid: &str) -> Option<u64> {
        let digits = openid.strip_prefix(self.seed_prefix.as_str())?;
        let n = Some(digits).filter(|d| d.len() == 17)?.parse().ok()?;
        (n < self.seeded).then_some(n)
    }

    /// The customer, if WeChat has ever heard of her.
    pub(crate) fn known(&mut self, openid: &str) -> Option<&mut Customer> {
        if !self.customers.contains_key(openid) {
            self.seeded_number(openid)?;
        }
        Some(self.customer(openid))
    }

    /// A seeded follower to whom nothing has happened.
    fn untouched(&self, openid: &str) -> Option<Customer> {
        let n = self.seeded_number(openid)?;
        Some(Customer { follows: true, since_s: SEEDED_FROM_S + n.cast_signed(), ..Customer::default() })
    }

    /// What is known of a customer, without keeping anything of her: a million may be asked for.
    pub(crate) fn look<T>(&self, openid: &str, at: impl FnOnce(&Customer) -> T) -> Option<T> {
        match self.customers.get(openid) {
            Some(customer) => Some(at(customer)),
            None => self.untouched(openid).as_ref().map(at),
        }
    }

    /// The customer; made when missing.
    pub(crate) fn customer(&mut self, openid: &str) -> &mut Customer {
        if !self.customers.contains_key(openid) {
            let customer = self.untouched(openid).unwrap_or_default();
            self.customers.insert(openid.to_owned(), customer);
        }
        self.customers.entry(openid.to_owned()).or_default()
    }

    /// The followers after `after` (from the first one when it is empty): first those who did something here, then the
    /// seeded ones. `None` when `after` is nobody.
    pub(crate) fn followers(&self, after: &str, size: usize) -> Option<Page> {
        let start = if after.is_empty() { Some(0) } else { self.seeded_number(after).map(|n| n + 1) };
        if start.is_none() && !self.customers.contains_key(after) {
            return None;
        }
        let own = || self.customers.iter().filter(|(openid, _)| self.seeded_number(openid).is_none());
        let seeded_gone = self
            .customers
            .iter()
            .filter(|(openid, customer)| !customer.follows && self.seeded_number(openid).is_some())
            .count() as u64;
        let total = own().filter(|(_, customer)| customer.follows).count() as u64 + self.seeded - seeded_gone;
        let mut openids = Vec::new();
        if after.is_empty() || start.is_none() {
            let from = if after.is_empty() { Bound::Unbounded } else { Bound::Excluded(after.to_owned()) };
            let rest = self.customers.range((from, Bound::Unbounded));
            let rest = rest.filter(|(openid, c)| c.follows && self.seeded_number(openid).is_none());
            openids.extend(rest.map(|(openid, _)| openid.clone()).take(size + 1));
        }
        let mut n = start.unwrap_or(0);
        while openids.len() <= size && n < self.seeded {
            let openid = format!("{}{n:017}", self.seed_prefix);
            if self.customers.get(&openid).is_none_or(|customer| customer.follows) {
                openids.push(openid);
            }
            n += 1;
        }
        let more = openids.len() > size;
        openids.truncate(size);
        Some(Page { total, openids, more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WechatAccountConfig;

    fn account(seeded: u64) -> Account {
        let mut account = Account::new(WechatAccountConfig::shop()).unwrap();
        account.seed(seeded);
        account
    }

    fn all(account: &Account, size: usize) -> Vec<String> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page = account.followers(&after, size).unwrap();
            assert!(page.openids.len() <= size);
            after = page.openids.last().cloned().unwrap_or_default();
            all.extend(page.openids);
            if !page.more {
                assert_eq!(page.total, all.len() as u64);
                return all;
            }
        }
    }

    #[test]
    fn pages_name_everybody_once() {
        let mut account = account(25);
        for one in ["oA", "oZ"] {
            account.customer(one).follows = true;
        }
        account.customer("oGone");
        let app_id = account.config.app_id.clone();
        account.customer(&openid(&app_id, 7)).follows = false;
        assert!(account.customer(&openid(&app_id, 8)).follows, "a seeded one follows already");
        for size in [1, 9, 10, 26, 100] {
            let all = all(&account, size);
            assert_eq!(all.len(), 26, "pages of {size}");
            assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 26);
            assert!(!all.contains(&openid(&app_id, 7)) && all.contains(&"oZ".to_owned()));
        }
        assert!(account.followers("oNobody", 10).is_none());
        assert!(account.followers(&openid(&app_id, 25), 10).is_none(), "not that many");
        assert_eq!(account.followers(&openid(&app_id, 24), 10).unwrap().openids.len(), 0);
    }

    #[test]
    fn openids_are_of_one_account_and_have_the_usual_length() {
        let (one, other) = (openid("wx1", 999_999), openid("wx2", 999_999));
        assert!(one != other && one.len() == 28);
        let mut account = account(10);
        assert!(account.known(&openid("wx1", 3)).is_none());
        assert!(account.known(&openid(&account.config.app_id.clone(), 3)).is_some());
    }
}
