//! What the gateway itself says to an agent, in the chat with the customer, from the customer's ghost.

use crate::Account;
use desk::words::{self, Notice};
use desk::{Clock, Direction, Entropy};
use store::{DeliveryId, Error, MessageId, NewJob, NewMessage, Tx};

/// Puts a notice on the customer's lane towards the agent, in the transaction that caused it.
///
/// Without a ghost (the customer left, and IM has forgotten them) there is no chat to say it in; the
/// delivery's row keeps what happened.
pub(crate) async fn enqueue(
    tx: &mut Tx<'_>,
    clock: &Clock,
    entropy: &Entropy,
    account: &Account,
    openid: &str,
    agent: &str,
    notice: Notice<'_>,
) -> Result<(), Error> {
    let Some(ghost) = tx.ghost_of(&account.id, openid).await? else { return Ok(()) };
    let text = words::notice(account.language, notice);
    let now = clock.now();
    let message = MessageId::new(clock, entropy);
    let seq = tx.take_seqs(&account.id, openid, 1).await?;
    tx.insert_message(NewMessage {
        id: &message,
        account: &account.id,
        openid,
        direction: Direction::In,
        kind: "notice",
        conversation: None,
        author: None,
        source_key: None,
        said: None,
        inbox: None,
        created_at: now,
    })
    .await?;
    let delivery = DeliveryId::new(clock, entropy);
    tx.insert_delivery(&delivery, &message, 0, &text, &ghost.user_id, agent, Some(seq), None, now).await?;
    tx.enqueue(&[NewJob {
        account: account.id.clone(),
        openid: openid.to_owned(),
        direction: Direction::In,
        kind: "relay",
        subject: message.as_str().to_owned(),
        note: None,
        since: now,
        trace: None,
    }])
    .await
}
