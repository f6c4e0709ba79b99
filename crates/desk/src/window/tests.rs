use super::*;
use Action::*;

const T: Millis = 1_795_485_610_000;
const MINUTE: Millis = 60_000;
const DAY: Millis = 86_400_000;

fn rules() -> Rules {
    Rules::default()
}

fn after(actions: &[(Action, Millis)]) -> Windows {
    let mut windows = Windows::default();
    for (action, at) in actions {
        windows.act(&rules(), *action, *at, *at);
    }
    windows
}

/// Least, and most.
fn left(windows: &Windows, now: Millis) -> (u32, Option<u32>) {
    let estimate = windows.estimate(&rules(), now);
    (estimate.least, estimate.most)
}

fn sends(windows: &mut Windows, at: Millis) {
    windows.sent(&rules(), at, at + 100);
}

#[test]
fn f31_a_message_allows_five_for_48_hours() {
    let mut windows = after(&[(Write, T)]);
    for spent in 0..5 {
        assert_eq!(left(&windows, T + DAY), (5 - spent, Some(5 - spent)));
        sends(&mut windows, T + DAY + i64::from(spent) * 1000);
    }
    let used_up = windows.estimate(&rules(), T + DAY + 9_000);
    assert_eq!(used_up.verdict(1), Verdict::Refused(Closed::Count));
    let over = windows.estimate(&rules(), T + 2 * DAY + 1000);
    assert_eq!(over.verdict(1), Verdict::Refused(Closed::Time));
    windows.act(&rules(), Write, T + 3 * DAY, T + 3 * DAY);
    assert_eq!(left(&windows, T + 3 * DAY + 2000), (5, Some(5)));
}

#[test]
fn f31_what_an_answer_costs_is_held_against_what_is_left() {
    let mut windows = after(&[(Write, T)]);
    sends(&mut windows, T + 5000);
    let estimate = windows.estimate(&rules(), T + 9000);
    assert_eq!(estimate.verdict(4), Verdict::Goes);
    assert_eq!(estimate.verdict(5), Verdict::Refused(Closed::Count));
}

#[test]
fn the_window_that_ends_first_is_used_first() {
    let mut windows = after(&[(Write, T), (Menu, T + 60_000)]);
    assert_eq!(left(&windows, T + 62_000), (8, Some(8)));
    sends(&mut windows, T + 63_000);
    assert_eq!(left(&windows, T + 64_000), (7, Some(7)));
    assert_eq!(left(&windows, T + 60_000 + 2 * MINUTE), (5, Some(5)), "the menu's minute paid");
}

#[test]
fn f34_an_unsure_call_counts_in_the_least_and_not_in_the_most() {
    let mut windows = after(&[(Write, T)]);
    windows.unsure(&rules(), T + 2000, T + 10_000);
    assert_eq!(left(&windows, T + 11_000), (4, Some(5)));
    for at in 0..4 {
        sends(&mut windows, T + 20_000 + at * 1000);
    }
    let estimate = windows.estimate(&rules(), T + 30_000);
    assert_eq!(estimate.verdict(1), Verdict::Doubtful, "WeChat is asked");
    windows.refused(&rules(), T + 31_000, T + 31_100, Closed::Count);
    assert_eq!(left(&windows, T + 32_000), (0, Some(0)));
}

#[test]
fn f30_wechats_refusal_corrects_us() {
    let mut windows = after(&[(Write, T)]);
    windows.refused(&rules(), T + 60_000, T + 60_100, Closed::Time);
    let estimate = windows.estimate(&rules(), T + 61_000);
    assert_eq!(estimate.verdict(1), Verdict::Refused(Closed::Time));
    assert!(!estimate.open);
    windows.act(&rules(), Write, T + 70_000, T + 70_000);
    assert_eq!(left(&windows, T + 72_000), (5, Some(5)));
}

#[test]
fn f30_a_refusal_does_not_undo_what_the_customer_did_meanwhile() {
    let mut windows = after(&[(Write, T), (Write, T + 60_000)]);
    windows.refused(&rules(), T + 59_000, T + 60_500, Closed::Count);
    let estimate = windows.estimate(&rules(), T + 61_000);
    assert_eq!((estimate.least, estimate.most), (0, Some(5)));
    assert_eq!(estimate.verdict(1), Verdict::Doubtful);
}

#[test]
fn a_message_that_comes_late_does_not_give_back_what_was_spent() {
    let mut windows = after(&[(Write, T)]);
    sends(&mut windows, T + 10_000);
    sends(&mut windows, T + 20_000);
    // Written between the two, and WeChat needed its third attempt to bring it.
    windows.act(&rules(), Write, T + 15_000, T + 30_000);
    assert_eq!(left(&windows, T + 31_000), (4, Some(4)));
    // So late that everything has settled: it may have been replaced, used, or both.
    windows.act(&rules(), Write, T + 40_000, T + 2 * DAY - MINUTE);
    windows.sent(&rules(), T + 41_000, T + 41_100);
    let settled = Windows::read(&windows.write());
    assert_eq!(settled, windows);
}

#[test]
fn what_is_so_late_that_all_has_settled_is_doubted() {
    let mut windows = after(&[(Write, T)]);
    for at in 1..5 {
        sends(&mut windows, T + at * HOUR);
    }
    windows.act(&rules(), Menu, T + 5 * HOUR, T + 5 * HOUR);
    windows.act(&rules(), Write, T + 30 * MINUTE, T + 5 * HOUR + 1000);
    let (least, most) = left(&windows, T + 6 * HOUR);
    assert_eq!((least, most), (0, None), "the four calls may have been paid by the late message");
}

const HOUR: Millis = 3_600_000;

#[test]
fn after_a_gap_nothing_is_certain_until_the_customer_acts() {
    let mut windows = after(&[(Write, T)]);
    windows.missed(T + 60_000);
    let estimate = windows.estimate(&rules(), T + 61_000);
    assert_eq!((estimate.least, estimate.most, estimate.likely), (0, None, 5));
    assert_eq!(estimate.verdict(9), Verdict::Doubtful);
    windows.act(&rules(), Write, T + 70_000, T + 70_000);
    let estimate = windows.estimate(&rules(), T + 72_000);
    assert_eq!((estimate.least, estimate.most), (5, None), "a tap of which nobody told may be open");
    let estimate = windows.estimate(&rules(), T + 3 * MINUTE);
    assert_eq!((estimate.least, estimate.most), (5, Some(5)));
}

#[test]
fn what_a_gap_may_have_closed_is_not_counted_on_again() {
    let mut windows = after(&[(Write, T)]);
    windows.missed(T + 60_000);
    // Between the two they may have left and come back.
    windows.act(&rules(), Menu, T + 70_000, T + 70_000);
    let estimate = windows.estimate(&rules(), T + 72_000);
    assert_eq!((estimate.least, estimate.most, estimate.likely), (3, None, 8));
    let later = windows.estimate(&rules(), T + 3 * DAY);
    assert_eq!(later.verdict(1), Verdict::Refused(Closed::Time), "whatever it was is over");
}

#[test]
fn wechat_taking_what_we_thought_impossible_ends_our_certainty() {
    let mut windows = Windows::default();
    assert_eq!(left(&windows, T), (0, Some(0)));
    sends(&mut windows, T);
    assert_eq!(left(&windows, T + 1000), (0, None));
    windows.act(&rules(), Write, T + 5000, T + 5000);
    assert_eq!(left(&windows, T + 7000), (5, Some(5)));
}

#[test]
fn an_unfollow_closes_everything() {
    let windows = after(&[(Write, T), (Follow, T + 5000), (Leave, T + 9000)]);
    assert_eq!(left(&windows, T + 9500), (0, Some(0)));
    let back = after(&[(Write, T), (Leave, T + 9000), (Follow, T + 9000)]);
    assert_eq!(left(&back, T + 11_000), (0, Some(3)), "which came first in that second?");
}

#[test]
fn a_call_in_the_second_of_an_action_belongs_behind_it_if_we_had_heard_of_it() {
    let mut windows = Windows::default();
    windows.act(&rules(), Write, T, T + 500);
    sends(&mut windows, T + 600);
    assert_eq!(left(&windows, T + 5000), (4, Some(4)));
    windows.act(&rules(), Menu, T + 9000, T + 9500);
    sends(&mut windows, T + 9300);
    assert_eq!(left(&windows, T + 9900), (2 + 3, Some(4 + 3)), "either may have paid");
}

#[test]
fn clocks_that_differ_by_seconds_do_no_harm() {
    for skew in [-5000, 5000] {
        let mut windows = Windows::default();
        windows.act(&rules(), Write, T + skew, T);
        sends(&mut windows, T + 300);
        assert_eq!(left(&windows, T + 9000), (4, Some(4)), "{skew}");
    }
}

#[test]
fn a_tap_on_a_menu_message_counts_as_a_menu_and_may_count_as_a_message() {
    let windows = after(&[(Tap, T)]);
    assert_eq!(left(&windows, T + 2000), (3, Some(8)));
    assert_eq!(left(&windows, T + 5 * MINUTE), (0, Some(5)));
}

#[test]
fn other_rules_are_taken_as_they_are() {
    let rules =
        Rules { write: Rule { replies: 20, lasts: 1000 }, menu: Rule { replies: 0, lasts: 1 }, ..rules() };
    let mut windows = Windows::default();
    windows.act(&rules, Write, T, T);
    windows.act(&rules, Menu, T, T);
    assert_eq!(windows.estimate(&rules, T + 500).least, 20);
    assert_eq!(windows.estimate(&rules, T + 1000).least, 0);
}

#[test]
fn what_is_kept_stays_small() {
    let mut windows = Windows::default();
    for n in 0..1000 {
        let at = T + n * 500;
        windows.act(&rules(), Write, at, at);
        sends(&mut windows, at + 200);
    }
    assert!(windows.write().len() < 4000, "{}", windows.write().len());
    windows.act(&rules(), Write, T + 9 * DAY, T + 9 * DAY);
    assert!(windows.write().len() < 200, "{}", windows.write());
}
