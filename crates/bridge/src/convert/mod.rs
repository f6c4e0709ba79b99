//! The only place that sees both protocols: WeChat's messages as words and elements for IM, IM's elements as parts for
//! WeChat, and both error vocabularies as the rules' own.

mod faces;
mod from_event;
mod from_im;
mod from_wechat;
mod outcome;
mod to_im;

pub(crate) use from_event::line;
pub(crate) use from_im::{Part, parts};
pub(crate) use from_wechat::{Carried, carried, words};
pub(crate) use outcome::{Told, im_answers, im_outcome, wechat_answers, wechat_outcome};
pub(crate) use to_im::element;

/// A map with a marker, from coordinates alone, in any browser.
/// <https://lbs.qq.com/webApi/uriV1/uriGuide/uriWebMarker>
fn map_link(latitude: f64, longitude: f64) -> String {
    format!("https://apis.map.qq.com/uri/v1/marker?marker=coord:{latitude},{longitude}&referer=tsunagi")
}
