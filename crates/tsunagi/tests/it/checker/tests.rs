//! The checker finds each kind of breach: in a good run that is tampered with, and in gateways that are broken
//! on purpose.

use super::*;

const OPENID: &str = "oCustomer";

/// Two questions, two answers, the second unsure after a kill, with its notice.
fn good() -> Observed {
    let said = |way, text: &str, begun, acknowledged| Said {
        way,
        openid: OPENID.into(),
        text: text.into(),
        begun,
        acknowledged: Some(acknowledged),
        in_vain: Vec::new(),
        faulted: false,
    };
    let delivery = |id: &str, way, text: &str, state, seq| Delivery {
        id: id.into(),
        way,
        openid: OPENID.into(),
        notice: text.starts_with(SIGNATURE),
        state,
        reason: None,
        text: text.into(),
        seq,
    };
    let attempt = |delivery: &str, started_at, outcome: &str| Attempt {
        delivery: delivery.into(),
        started_at,
        ended_at: Some(started_at + 10),
        outcome: Some(outcome.into()),
    };
    let received = |way, text: &str, at| Received { way, openid: OPENID.into(), text: text.into(), at };
    let told = notice(Language::Zh, Notice::Unsure { excerpt: "a2" });
    Observed {
        said: vec![
            said(Direction::In, "q1", 1, 3),
            said(Direction::In, "q2", 4, 6),
            said(Direction::Out, "a1", 20, 22),
            said(Direction::Out, "a2", 23, 25),
        ],
        inbox: ["q1", "q2", "a1", "a2"].map(|text| format!("<xml>{text}</xml>")).to_vec(),
        deliveries: vec![
            delivery("1", Direction::In, "q1", DeliveryState::Sent, Some(1)),
            delivery("2", Direction::In, "q2", DeliveryState::Sent, Some(2)),
            delivery("3", Direction::Out, "a1", DeliveryState::Sent, None),
            delivery("4", Direction::Out, "a2", DeliveryState::Unsure, None),
            delivery("5", Direction::In, &told, DeliveryState::Sent, Some(3)),
        ],
        attempts: vec![
            attempt("1", 1_000, "sent"),
            attempt("2", 1_100, "sent"),
            attempt("3", 1_200, "sent"),
            attempt("4", 1_300, "unsure"),
            attempt("5", 1_400, "sent"),
        ],
        received: vec![
            received(Direction::In, "q1", 7),
            received(Direction::In, "q2", 8),
            received(Direction::Out, "a1", 26),
            received(Direction::Out, "a2", 27),
            received(Direction::In, &told, 30),
        ],
        cuts: vec![(1_305, 1_306)],
        faults: Vec::new(),
    }
}

fn breaches(tamper: impl FnOnce(&mut Observed)) -> Vec<Breach> {
    let mut run = good();
    tamper(&mut run);
    check(&run).into_iter().map(|finding| finding.breach).collect()
}

#[test]
fn a_good_run_passes() {
    assert_eq!(check(&good()), []);
    assert_eq!(breaches(|run| drop(run.received.remove(3))), [], "unsure may be received or not");
}

#[test]
fn what_is_lost_is_found() {
    assert_eq!(breaches(|run| drop(run.received.remove(1))), [Breach::Lost]);
    assert_eq!(breaches(|run| drop(run.inbox.remove(0))), [Breach::NotStored]);
    assert_eq!(breaches(|run| run.said[0].acknowledged = None), [Breach::NeverTaken]);
    let offered = |spans: &[(i64, i64)]| {
        breaches(|run| {
            (run.said[0].acknowledged, run.said[0].in_vain) = (None, spans.to_vec());
        })
    };
    assert_eq!(offered(&[(1_300, 1_310), (1_306, 1_400)]), [], "both attempts met the kill");
    assert_eq!(offered(&[(1_300, 1_310), (1_307, 1_400)]), [Breach::NeverTaken]);
    assert_eq!(breaches(|run| run.said[2].acknowledged = None), [], "IM does not repeat an agent's message");
    let without_its_delivery = breaches(|run| {
        run.deliveries.remove(2);
        run.received.remove(2);
    });
    assert_eq!(without_its_delivery, [Breach::Lost]);
}

#[test]
fn what_comes_twice_is_found() {
    for twice in [0, 2, 3] {
        assert_eq!(breaches(|run| run.received.push(run.received[twice].clone())), [Breach::Duplicated]);
    }
    let notice = breaches(|run| run.received.push(run.received[4].clone()));
    assert_eq!(notice, [Breach::NotToldOnce, Breach::Duplicated]);
    assert_eq!(breaches(|run| run.inbox.push(run.inbox[0].clone())), [Breach::Duplicated]);
    assert_eq!(breaches(|run| run.deliveries.push(run.deliveries[2].clone())), [Breach::Duplicated]);
}

#[test]
fn another_order_is_found() {
    let swap = |run: &mut Observed, a: usize, b: usize| {
        (run.received[a].at, run.received[b].at) = (run.received[b].at, run.received[a].at);
    };
    assert_eq!(breaches(|run| swap(run, 2, 3)), [Breach::Reordered]);
    assert_eq!(breaches(|run| swap(run, 0, 1)), [Breach::Reordered; 2], "seen from outside and by the lane");
    let at_once = breaches(|run| {
        run.said[2].acknowledged = Some(24);
        swap(run, 2, 3);
    });
    assert_eq!(at_once, [], "what was sent before the other was acknowledged may overtake it");
    let late = breaches(|run| {
        run.said.push(Said { text: "a3".into(), begun: 26, acknowledged: Some(28), ..run.said[3].clone() });
        let third = Delivery { id: "6".into(), text: "a3".into(), ..run.deliveries[2].clone() };
        run.deliveries.push(third);
        run.inbox.push("<xml>a3</xml>".into());
        run.attempts.push(Attempt { delivery: "6".into(), ..run.attempts[2].clone() });
        run.received.push(Received { text: "a3".into(), at: 29, ..run.received[2].clone() });
        run.received[3].at = 31;
    });
    assert_eq!(late, [], "what is unsure may still come, after what followed it");
}

#[test]
fn states_that_are_not_true_are_found() {
    let state = |n: usize, state| move |run: &mut Observed| run.deliveries[n].state = state;
    for waiting in [DeliveryState::Waiting, DeliveryState::Sending, DeliveryState::Checking] {
        assert_eq!(breaches(state(0, waiting)), [Breach::Unfinished]);
    }
    assert_eq!(breaches(state(0, DeliveryState::Failed)), [Breach::FailedYetReceived]);
    assert_eq!(breaches(state(2, DeliveryState::Failed)), [Breach::FailedYetReceived, Breach::NotToldOnce]);
    assert_eq!(breaches(state(3, DeliveryState::Sent)), [Breach::NotToldOnce], "a notice without cause");
    assert_eq!(breaches(|run| run.attempts[0].ended_at = None), [Breach::Unfinished]);
}

#[test]
fn unsure_needs_a_cause_and_a_notice() {
    assert_eq!(breaches(|run| run.cuts = vec![(1_000, 1_010), (1_400, 1_410)]), [Breach::Unexplained]);
    let by_a_fault = breaches(|run| {
        run.cuts.clear();
        run.faults = vec![1_305];
    });
    assert_eq!(by_a_fault, []);
    assert_eq!(breaches(|run| run.deliveries[0].state = DeliveryState::Unsure), [Breach::Unexplained]);
    let untold = breaches(|run| {
        run.received.pop();
        run.deliveries.pop();
    });
    assert_eq!(untold, [Breach::NotToldOnce]);
}

#[test]
fn what_goes_astray_or_comes_from_nowhere_is_found() {
    assert_eq!(breaches(|run| run.received[2].openid = "oOther".into()), [Breach::Astray]);
    assert_eq!(breaches(|run| run.received[2].text = "a9".into()), [Breach::Lost, Breach::Invented]);
}
