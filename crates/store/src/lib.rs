//! SQL and nothing else: one concrete [`Store`] on SQLite or PostgreSQL.
//!
//! Start with `ingest.rs`, `batch.rs` and `spool.rs` (webhooks become durable) and `lane.rs` (work is claimed, fenced and released).
//! `relaying.rs` has the three commits of a message on its way, `group.rs` lets many of them go together.
//! `customer.rs`, `ghost.rs`, `conversation.rs`, `message.rs`, `mailbox.rs`, `slot.rs`, `token.rs`, `bucket.rs`
//! and `pause.rs` are one table family each.
//! `sql.rs` joins the two drivers, `sqlite.rs` is one of them, `dialect.rs` holds every place where the engines differ,
//! `writer.rs` the group commit. What the rows mean is decided in `desk` and `bridge`, not here.

mod batch;
mod bucket;
mod conversation;
mod customer;
mod dialect;
mod erase;
pub mod faults;
mod ghost;
mod group;
mod import;
mod inbox;
mod ingest;
mod inspect;
mod lane;
mod lent;
mod mailbox;
mod media;
mod message;
mod migrate;
mod open;
mod operator;
mod pause;
mod purge;
mod recall;
mod reconcile;
mod relaying;
mod replay;
mod slot;
mod spool;
mod sql;
mod sqlite;
mod token;
mod vitals;
mod waiting;
mod wake;
mod window;
mod writer;

pub use batch::OVERTAKEN;
pub use bucket::{Draw, Drawn};
pub use conversation::LOAD_COUNTED;
pub use customer::{Begun, Customer};
pub use dialect::Old;
pub use erase::{Compacted, Traces};
pub use ghost::{Ghost, GhostState};
pub use import::{ImportState, Planned, Round};
pub use inbox::{InboxRow, Source};
pub use ingest::{Arrival, Effect, Ingested, Novelty, Work};
pub use inspect::{Inspection, Trouble, inspect};
pub use lane::{Along, Backlog, Job, Lane, NewJob, lane_id};
pub use mailbox::{Parked, ParkedMessage};
pub use media::{MediaFile, MediaRow, MediaState, WechatMedia};
pub use message::{Delivery, Message, NewMessage, Outcome};
pub use open::{Options, Store};
pub use operator::{DROPPED, EndedMessage, OpenJob};
pub use pause::Pause;
pub use purge::{Mark, Swept};
pub use recall::AnswerStanding;
pub use reconcile::{Chat, Said, Since};
pub use relaying::{AfterMessage, Delivered, Due, PlainMessage};
pub use replay::Replayed;
pub use slot::{ATTEMPTS, DueSlot, Slot};
pub use sql::{Error, Failure, Tx};
pub use token::StoredToken;
pub use vitals::{LANES_COUNTED, Queued, Vitals};
pub use waiting::{Counts, Ended, Unreadable, Waiting};
pub use wake::Woken;

/// Marks ids of inbox rows.
#[derive(Debug)]
pub enum InboxKind {}
/// Marks ids of conversations.
#[derive(Debug)]
pub enum ConversationKind {}
/// Marks ids of messages.
#[derive(Debug)]
pub enum MessageKind {}
/// Marks ids of deliveries.
#[derive(Debug)]
pub enum DeliveryKind {}
/// Marks ids of attempts.
#[derive(Debug)]
pub enum AttemptKind {}
/// Marks ids of files.
#[derive(Debug)]
pub enum MediaKind {}

/// Id of a webhook in the inbox.
pub type InboxId = desk::Id<InboxKind>;
/// Id of a conversation.
pub type ConversationId = desk::Id<ConversationKind>;
/// Id of a message.
pub type MessageId = desk::Id<MessageKind>;
/// Id of a delivery.
pub type DeliveryId = desk::Id<DeliveryKind>;
/// Id of an attempt.
pub type AttemptId = desk::Id<AttemptKind>;
/// Id of a file.
pub type MediaId = desk::Id<MediaKind>;
