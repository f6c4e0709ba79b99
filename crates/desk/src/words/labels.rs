//! Short names for pages and lists: states, directions and how an attempt ended. Those of reasons stand beside their
//! sentences, those of kinds of message in `kinds.rs`.

use super::Language;
use crate::{DeliveryState, Direction};

/// The short name of a delivery's state.
pub fn state_label(language: Language, state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Waiting => language.pick("等待发送", "送信待ち", "waiting"),
        DeliveryState::Sending => language.pick("发送中", "送信中", "being sent"),
        DeliveryState::Checking => language.pick("核实中", "確認中", "being checked"),
        DeliveryState::Parked => language.pick("等待客户消息", "お客様待ち", "parked"),
        DeliveryState::Sent => language.pick("已发送", "送信済み", "sent"),
        DeliveryState::Failed => language.pick("未送达", "未達", "not delivered"),
        DeliveryState::Unsure => language.pick("无法确认", "到達不明", "not known"),
    }
}

/// The short name of a direction.
pub fn direction_label(language: Language, direction: Direction) -> &'static str {
    match direction {
        Direction::In => language.pick("客户发来", "お客様から", "from the customer"),
        Direction::Out => language.pick("客服发出", "担当者から", "from the agent"),
    }
}

/// How an attempt ended, as the store keeps it (`sent`, `failed`, `unsure`, `waiting`, …); `None` for an attempt
/// that is under way.
pub fn outcome_label(language: Language, outcome: Option<&str>) -> &'static str {
    match outcome {
        None => language.pick("进行中", "実行中", "under way"),
        Some(word) => match DeliveryState::parse(word) {
            Some(DeliveryState::Waiting) => language.pick("将重试", "再試行", "to be tried again"),
            Some(state) => state_label(language, state),
            None => language.pick("其他", "その他", "other"),
        },
    }
}
