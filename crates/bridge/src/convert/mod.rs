//! The only place that sees both protocols: WeChat's messages as words for IM, IM's elements as parts for
//! WeChat, and both error vocabularies as the rules' own.

mod from_im;
mod from_wechat;
mod outcome;

pub(crate) use from_im::{Part, parts};
pub(crate) use from_wechat::words;
pub(crate) use outcome::{Told, im_outcome, wechat_outcome};
