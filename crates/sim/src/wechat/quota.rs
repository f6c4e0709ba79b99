//! Counting calls: so many a day and a minute for each path (§10), and what takes a count back (§6.3).

use std::collections::BTreeMap;

use super::api::Refused;
use super::rules::CallLimit;

const MINUTE_S: i64 = 60;
const DAY_S: i64 = 86_400;
/// Days and months begin at midnight in China.
const CHINA_S: i64 = 8 * 3600;

/// `clear_quota` in all its forms, per month.
const CLEARS_A_MONTH: u32 = 10;
/// `openapi/quota/clear`, per month.
const PATH_CLEARS_A_MONTH: u32 = 50;

/// One account's counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    paths: BTreeMap<&'static str, Count>,
    clears: Monthly,
    path_clears: Monthly,
}

#[derive(Debug, Default)]
struct Count {
    day: i64,
    today: u64,
    minute: i64,
    this_minute: u64,
}

#[derive(Debug, Default)]
struct Monthly {
    month: i64,
    used: u32,
}

impl Counters {
    /// Counts one call, or refuses it; what is refused is not counted.
    pub(crate) fn count(&mut self, path: &'static str, limit: CallLimit, now_s: i64) -> Result<(), Refused> {
        let count = self.paths.entry(path).or_default();
        count.turn(now_s);
        if limit.daily.is_some_and(|daily| count.today >= daily) {
            return Err(Refused(45009));
        }
        if limit.minute.is_some_and(|minute| count.this_minute >= minute) {
            return Err(Refused(45011));
        }
        count.today += 1;
        count.this_minute += 1;
        Ok(())
    }

    /// Today's calls of a path.
    pub(crate) fn used(&self, path: &str, now_s: i64) -> u64 {
        self.paths.get(path).filter(|count| count.day == day(now_s)).map_or(0, |count| count.today)
    }

    /// `clear_quota`: every path starts at 0 again.
    pub(crate) fn clear(&mut self, now_s: i64) -> Result<(), Refused> {
        self.clears.take(CLEARS_A_MONTH, now_s)?;
        self.paths.clear();
        Ok(())
    }

    /// `openapi/quota/clear`: one path starts at 0 again.
    pub(crate) fn clear_path(&mut self, path: &str, now_s: i64) -> Result<(), Refused> {
        self.path_clears.take(PATH_CLEARS_A_MONTH, now_s)?;
        self.paths.remove(path);
        Ok(())
    }
}

impl Count {
    fn turn(&mut self, now_s: i64) {
        if self.day != day(now_s) {
            (self.day, self.today) = (day(now_s), 0);
        }
        let minute = now_s.div_euclid(MINUTE_S);
        if self.minute != minute {
            (self.minute, self.this_minute) = (minute, 0);
        }
    }
}

impl Monthly {
    fn take(&mut self, most: u32, now_s: i64) -> Result<(), Refused> {
        let month = month(day(now_s));
        if self.month != month {
            (self.month, self.used) = (month, 0);
        }
        if self.used >= most {
            return Err(Refused(48006));
        }
        self.used += 1;
        Ok(())
    }
}

fn day(now_s: i64) -> i64 {
    (now_s + CHINA_S).div_euclid(DAY_S)
}

/// Months since the year 0, of a day since 1970 (the usual reckoning with years that begin in March).
fn month(day: i64) -> i64 {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    (era * 400 + year_of_era) * 12 + from_march + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/cgi-bin/user/get";
    /// 2026-03-01 00:00:00 in China.
    const MARCH: i64 = 1_772_294_400;

    #[test]
    fn the_day_turns_at_midnight_in_china_and_the_minute_with_the_clock() {
        let mut counters = Counters::default();
        let limit = CallLimit { daily: Some(3), minute: Some(2) };
        let mut call = |at| counters.count(PATH, limit, at);
        assert_eq!([call(MARCH), call(MARCH + 59), call(MARCH + 59)], [Ok(()), Ok(()), Err(Refused(45011))]);
        assert_eq!([call(MARCH + 60), call(MARCH + 61)], [Ok(()), Err(Refused(45009))]);
        assert_eq!(call(MARCH + DAY_S - 1), Err(Refused(45009)));
        assert_eq!(call(MARCH + DAY_S), Ok(()));
        assert_eq!((counters.used(PATH, MARCH + DAY_S), counters.used(PATH, MARCH + 2 * DAY_S)), (1, 0));
        assert_eq!(counters.used("/cgi-bin/token", MARCH), 0);
    }

    #[test]
    fn clearing_is_allowed_so_often_a_month() {
        let mut counters = Counters::default();
        let limit = CallLimit { daily: Some(1), minute: None };
        for _ in 0..CLEARS_A_MONTH {
            assert_eq!(counters.count(PATH, limit, MARCH), Ok(()));
            assert_eq!(counters.count(PATH, limit, MARCH), Err(Refused(45009)));
            assert_eq!(counters.clear(MARCH), Ok(()));
        }
        assert_eq!(counters.clear(MARCH), Err(Refused(48006)));
        assert_eq!(counters.clear_path(PATH, MARCH), Ok(()), "a count of its own");
        assert_eq!(counters.clear(MARCH + 31 * DAY_S - 1), Err(Refused(48006)));
        assert_eq!(counters.clear(MARCH + 31 * DAY_S), Ok(()), "April");
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        for (day, expected) in [(0, 1970 * 12), (30, 1970 * 12), (31, 1970 * 12 + 1), (20_512, 2026 * 12 + 1)]
        {
            assert_eq!(month(day), expected, "day {day}");
        }
        assert_eq!(month(20_513), 2026 * 12 + 2);
    }
}
