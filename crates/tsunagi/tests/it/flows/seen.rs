//! What a test looks at when the dust has settled: the clouds' journal, the agent's chats, the database.

use crate::support::{AGENT, PATIENCE, World, http};
use serde_json::Value;
use sim::Fault;

impl World {
    pub(super) async fn fault(&self, fault: Fault) {
        self.control.fault(fault).await.unwrap();
    }

    /// The journal's lines that fit.
    pub(super) async fn lines(&self, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut lines = self.control.journal(0).await.unwrap();
        lines.retain(fits);
        lines
    }

    /// Calls of one API that were carried out, faults or not.
    pub(super) async fn calls(&self, api: &str) -> Vec<Value> {
        self.lines(|line| line["kind"] == "call" && line["api"] == api).await
    }

    /// How often `custom/send` was carried out with this text.
    pub(super) async fn sends_of(&self, text: &str) -> usize {
        self.calls("wechat.custom_send").await.iter().filter(|call| call["text"] == text).count()
    }

    /// Waits for a line that fits.
    pub(super) async fn line(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let line = self.control.wait_for(PATIENCE, fits).await;
        line.unwrap_or_else(|error| panic!("{what}: {error}\n{}", self.log()))
    }

    /// Waits until a fault has struck for the `nth` time at this API.
    pub(super) async fn struck(&self, api: &str, nth: usize) {
        let seen = std::cell::Cell::new(0);
        self.line("the fault never struck", |line| {
            seen.set(if line["n"] == 1 { 0 } else { seen.get() });
            let fits = line["kind"] == "fault" && line["api"] == api;
            seen.set(seen.get() + usize::from(fits));
            fits && seen.get() == nth
        })
        .await;
    }

    /// Waits for a notice of the gateway's to the agent that contains these words; gives the ghost that says it.
    pub(super) async fn notice(&self, words: &str) -> String {
        let line = self
            .line(&format!("no notice says {words:?}"), |line| {
                let text = line["text"].as_str().unwrap_or_default();
                line["cloud"] == "im"
                    && line["kind"] == "delivered"
                    && text.starts_with("【Tsunagi】")
                    && text.contains(words)
            })
            .await;
        assert_eq!(line["to"], AGENT);
        line["from"].as_str().unwrap().to_owned()
    }

    /// How many notices the agent got.
    pub(super) async fn notices(&self) -> usize {
        self.shown_to_agent(|text| text.starts_with("【Tsunagi】")).await
    }

    /// Waits until a customer, who need not be the usual one, has got a text.
    pub(super) async fn reaches(&self, app_id: &str, openid: &str, text: &str) {
        self.line(&format!("{text:?} never reached the customer"), |line| {
            line["cloud"] == "wechat"
                && line["kind"] == "delivered"
                && line["app_id"] == app_id
                && line["openid"] == openid
                && line["text"] == text
        })
        .await;
    }

    /// The customer writes and the agent sees it; gives the ghost.
    pub(super) async fn opened(&self, openid: &str, text: &str) -> String {
        self.control.say(&self.app_id(), openid, text).await.unwrap();
        self.agent_sees(text).await
    }

    /// The agent answers; her client shows no error.
    pub(super) async fn agent_says(&self, ghost: &str, text: &str) {
        self.control.agent_say(AGENT, ghost, text).await.unwrap().unwrap();
    }

    /// What every attempt of WeChat to push to us took, in milliseconds.
    pub(super) async fn push_times(&self, openid: &str) -> Vec<u64> {
        let lines = self.lines(|line| line["kind"] == "push" && line["openid"] == openid).await;
        lines.iter().map(|line| line["took_ms"].as_u64().unwrap()).collect()
    }

    /// The messages and notices that the agent sees from one ghost, in order.
    pub(super) async fn chat_with(&self, ghost: &str) -> Vec<String> {
        let chat = self.control.chat(AGENT, ghost).await.unwrap();
        chat.into_iter().filter(|message| message.from == ghost).map(|message| message.text).collect()
    }

    /// The rows of the inbox.
    pub(super) async fn stored(&self) -> i64 {
        self.database.count("SELECT COUNT(*) FROM inbox").await
    }

    /// The only value of a metric, or the sum over its labels.
    pub(super) async fn metric(&self, name: &str) -> f64 {
        let text = http().get(format!("{}/metrics", self.admin)).send().await.unwrap().text().await.unwrap();
        let of = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            (series == name || series.starts_with(&format!("{name}{{")))
                .then(|| value.parse::<f64>().unwrap())
        };
        text.lines().filter(|line| !line.starts_with('#')).filter_map(of).sum()
    }
}
