//! What people do in a cell: who writes what before the fault, while it lasts, and after it.

use super::table::Operation;
use crate::drive::openid;

/// Something that a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// The customer writes.
    Say,
    /// The agent answers.
    Answer,
    /// The agent answers, and the webhook of it is lost.
    LostAnswer,
    /// The customer sends a picture.
    SendPicture,
    /// The agent sends a picture.
    AnswerPicture,
    /// The customer leaves and follows again.
    Return,
}

/// Before the fault, while it lasts, after it.
pub(super) type Waves = [Vec<Act>; 3];

/// A customer, and what she and her agent do.
#[derive(Debug, Clone)]
pub(super) struct Customer {
    pub(super) openid: String,
    /// She has written before; others are new in their first wave.
    pub(super) opened: bool,
    pub(super) waves: Waves,
}

/// Replies that WeChat allows to one message, so many answers have one customer.
const ANSWERS: usize = 5;

/// So many messages, over as many customers as they need.
pub(super) fn plan(operation: Operation, messages: usize) -> Vec<Customer> {
    let of = |acts: Waves, opened: bool, customers: usize| -> Vec<Customer> {
        let customer = |n| Customer { openid: openid(n), opened, waves: acts.clone() };
        (0..customers).map(customer).collect()
    };
    // A few messages are given to a few customers, so that each wave has some.
    let each = if messages < 20 { 3 } else { ANSWERS };
    let customers = messages.div_ceil(each);
    let steady = |act: Act| of([vec![act], vec![act; each - 2], vec![act]], true, customers);
    match operation {
        Operation::Token | Operation::CustomSend => steady(Act::Answer),
        Operation::MediaUp => steady(Act::AnswerPicture),
        Operation::MediaGet => steady(Act::SendPicture),
        Operation::SendMsg => steady(Act::Say),
        Operation::History => {
            let middle = [vec![Act::Say; each - 3], vec![Act::LostAnswer]].concat();
            of([vec![Act::Say], middle, vec![Act::Answer]], true, customers)
        }
        Operation::Import => thirds(messages.div_ceil(2), false, &[Act::Say, Act::Say]),
        Operation::Delete => thirds(messages.div_ceil(2), true, &[Act::Return, Act::Say, Act::Say]),
    }
}

/// Each customer acts in one wave alone; half of them while the fault lasts.
fn thirds(customers: usize, opened: bool, acts: &[Act]) -> Vec<Customer> {
    let customer = |n| {
        let mut waves = Waves::default();
        waves[[0, 1, 1, 2][n % 4]] = acts.to_vec();
        Customer { openid: openid(n), opened, waves }
    };
    (0..customers).map(customer).collect()
}
