//! The story that the demo plays in the terminal: what each hop is, as it happens.

use super::app_id;
use crate::cli::Failure;
use serde_json::Value;
use sim::Control;
use std::time::{Duration, Instant};

/// Who asks what, in three languages; the first one's whole story is told.
pub(super) const CUSTOMERS: [(&str, &str); 3] = [
    ("oHanako_demo_customer_000001", "子供服の新商品の販売開始はいつになりますか？"),
    ("oXiaoli_demo_customer_000002", "请问这件连衣裙还有 S 码吗？"),
    ("oEmma_demo_customer_00000003", "Hello! Can I change the address of my order?"),
];
/// Who answers. A new conversation goes to the one who has fewer.
pub(super) const AGENTS: [&str; 2] = ["user1", "user2"];
const ANSWER: &str = "5月になりますので、フォローをよろしくお願いいたします！";
const AGAIN: &str = "また来ました。Lサイズはありますか？";
const ANSWER_AGAIN: &str = "はい、ございます！";
/// How long one hop may take before the story gives up.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Story<'a> {
    control: &'a Control,
    /// Lines of the clouds' journal that were shown.
    seen: u64,
    hop: u32,
    /// When the act's first hop happened, on the clouds' clock.
    began_ms: Option<i64>,
    /// Nothing is told for a while.
    quiet: bool,
}

impl<'a> Story<'a> {
    pub(super) fn new(control: &'a Control) -> Story<'a> {
        Story { control, seen: 0, hop: 0, began_ms: None, quiet: false }
    }

    /// The beginning: customers have asked, nobody has answered yet.
    pub(super) async fn begin(&mut self) -> Result<(), Failure> {
        let app_id = app_id();
        let (first, question) = CUSTOMERS[0];
        self.act("A customer follows the shop's Official Account").await?;
        self.control.follow(&app_id, first).await.map_err(story)?;
        self.until("import", |line| line["api"] == "im.account_import" && line["user_id"] == first).await?;

        self.act("She asks a question, and reads at once that an operator is being connected").await?;
        self.control.say(&app_id, first, question).await.map_err(story)?;
        self.until("question", |line| is_delivered(line, "im", question)).await?;
        Ok(())
    }

    /// Two others ask, too, in their own languages; their hops are not told.
    pub(super) async fn others(&mut self) -> Result<(), Failure> {
        self.act("Two more ask, in Chinese and in English; each is a chat of its own").await?;
        self.quiet = true;
        for (customer, question) in &CUSTOMERS[1..] {
            self.control.follow(&app_id(), customer).await.map_err(story)?;
            self.control.say(&app_id(), customer, question).await.map_err(story)?;
            self.until("question", |line| is_delivered(line, "im", question)).await?;
        }
        self.quiet = false;
        Ok(())
    }

    /// The rest of the story, played without anybody at the page.
    pub(super) async fn finish(&mut self) -> Result<(), Failure> {
        let app_id = app_id();
        let (first, _) = CUSTOMERS[0];
        self.act("The agent sees it in a chat with her, and answers").await?;
        self.answer(first, ANSWER).await?;

        self.act("She unfollows: her IM account is deleted").await?;
        self.control.unfollow(&app_id, first).await.map_err(story)?;
        self.until("deletion", |line| line["api"] == "im.account_delete").await?;

        self.act("She follows again and is served at once, under a new IM account").await?;
        self.control.follow(&app_id, first).await.map_err(story)?;
        self.control.say(&app_id, first, AGAIN).await.map_err(story)?;
        let asked = self.until("question", |line| is_delivered(line, "im", AGAIN)).await?;
        let ghost = asked["from"].as_str().unwrap_or(first).to_owned();
        self.answer(&ghost, ANSWER_AGAIN).await?;
        say("\nThe story is told: every message arrived once.");
        Ok(())
    }

    async fn answer(&mut self, ghost: &str, words: &str) -> Result<(), Failure> {
        let sent = self.control.agent_say(AGENTS[0], ghost, words).await.map_err(story)?;
        sent.map_err(|code| story(format!("IM refused the agent's message ({code})")))?;
        self.until("answer", |line| is_delivered(line, "wechat", words)).await.map(drop)
    }

    async fn act(&mut self, title: &str) -> Result<(), Failure> {
        // What belongs to the act before is shown under it.
        tokio::time::sleep(Duration::from_millis(150)).await;
        self.show(|_| false).await?;
        say(&format!("\n── {title}"));
        self.began_ms = None;
        Ok(())
    }

    /// Shows hops as they happen until one fits.
    async fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value, Failure> {
        let begun = Instant::now();
        loop {
            if let Some(line) = self.show(&fits).await? {
                return Ok(line);
            }
            if begun.elapsed() > PATIENCE {
                return Err(story(format!("the {what} did not arrive within {} s", PATIENCE.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Shows the new hops; the first that fits.
    async fn show(&mut self, fits: impl Fn(&Value) -> bool) -> Result<Option<Value>, Failure> {
        let mut found = None;
        for line in self.control.journal(self.seen).await.map_err(story)? {
            self.seen = line["n"].as_u64().unwrap_or(self.seen);
            if let Some(hop) = hop(&line).filter(|_| !self.quiet) {
                self.hop += 1;
                let at = line["at_ms"].as_i64().unwrap_or_default();
                let since = at - *self.began_ms.get_or_insert(at);
                say(&format!("{:>4} {since:>5} ms  {hop}", self.hop));
            }
            if found.is_none() && fits(&line) {
                found = Some(line);
            }
        }
        Ok(found)
    }
}

fn is_delivered(line: &Value, cloud: &str, text: &str) -> bool {
    line["cloud"] == cloud && line["kind"] == "delivered" && line["text"] == text
}

/// One hop as a line: direction, name, time taken where the cloud measured it, outcome. In front of it stands
/// the time since the act began.
fn hop(line: &Value) -> Option<String> {
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let took = line["took_ms"].as_u64().map_or(String::new(), |ms| format!("{ms} ms"));
    let (cloud, kind) = (text("cloud"), text("kind"));
    let row = |direction: &str, name: &str, outcome: &str| {
        let name = format!("{name:<28}");
        Some(format!("{direction:<22} {name} {took:>7}  {outcome}").trim_end().to_owned())
    };
    match (cloud.as_str(), kind.as_str()) {
        ("wechat", "push") => row("WeChat  → gateway", &format!("push {}", text("what")), &text("outcome")),
        ("wechat", "delivered") => {
            let via = if text("via") == "custom_send" { "custom/send" } else { "passive reply" };
            row("WeChat  → customer", via, &format!("「{}」", text("text")))
        }
        ("wechat", "call") => row("gateway → WeChat", &api(line), &code(&line["errcode"])),
        ("im", "call") => row("gateway → IM", &api(line), &code(&line["error_code"])),
        ("im", "callback") => row("IM      → gateway", &text("command"), &text("outcome")),
        ("im", "delivered") if AGENTS.contains(&text("from").as_str()) => {
            row("agent   → IM", "message", &format!("「{}」", text("text")))
        }
        ("im", "delivered") => row("IM      → agent", "message", &format!("「{}」", text("text"))),
        ("wechat", "said") => row("customer→ WeChat", &text("what"), &quoted(&text("text"))),
        _ => None,
    }
}

fn api(line: &Value) -> String {
    let name = line["api"].as_str().unwrap_or_default();
    name.split_once('.').map_or(name, |(_, name)| name).to_owned()
}

fn code(code: &Value) -> String {
    match code.as_i64() {
        Some(0) | None => "ok".to_owned(),
        Some(code) => format!("refused {code}"),
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("「{text}」") }
}

/// Says something to whoever watches; that nobody reads any more (a closed pipe) ends nothing.
pub(super) fn say(words: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{words}");
}

pub(super) fn story(error: impl std::fmt::Display) -> Failure {
    Failure::new(
        format!("the story stopped: {error}"),
        "run `tsunagi demo --verbose` to see what the gateway says",
    )
}
