//! `tsunagi demo`: both clouds simulated on this machine, the real gateway between them on an embedded SQLite,
//! and the story of one customer played hop by hop in the terminal. Then everything stays up to be played with.

use crate::cli::{Failure, clock, entropy};
use crate::config::{self, Config};
use crate::logging;
use crate::serve::{Gateway, told_to_stop};
use serde_json::{Value, json};
use sim::{Control, Mode, SimConfig, WechatAccountConfig};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What `demo` may be told.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// End after the story instead of leaving everything running.
    #[arg(long)]
    once: bool,
    /// Address of the page.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8088")]
    page: std::net::SocketAddr,
    /// Log what the gateway does, too.
    #[arg(long)]
    verbose: bool,
}

const CUSTOMER: &str = "oHanako_demo_customer_000001";
const AGENT: &str = "user1";
const QUESTION: &str = "子供服の新商品の販売開始はいつになりますか？";
const ANSWER: &str = "5月になりますので、フォローをよろしくお願いいたします！";
const AGAIN: &str = "また来ました。Lサイズはありますか？";
const ANSWER_AGAIN: &str = "はい、ございます！";
/// How long one hop may take before the story gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Plays the story, then waits for Ctrl-C.
pub(crate) async fn run(args: DemoArgs) -> Result<ExitCode, Failure> {
    let folder = Folder::new()?;
    let clouds = start_clouds(&args).await?;
    let control = clouds.control();
    let config = gateway_config(&clouds, &folder)?;
    control
        .agent_online(AGENT, true)
        .await
        .map_err(|error| Failure::new(error, "the simulator of this build is at fault"))?;
    if args.verbose {
        logging::start(&config.log);
    }
    let gateway = Gateway::start(&config, clock(), entropy()).await?;
    let webhooks = format!("http://{}", gateway.address);
    control
        .configure(json!({ "app_id": app_id(), "webhook_url": format!("{webhooks}/wechat/shop") }))
        .await
        .map_err(story)?;
    control.configure(json!({ "callback_url": format!("{webhooks}/imcallback") })).await.map_err(story)?;

    say(
        "Tsunagi demo: WeChat and Tencent IM are simulated on this machine, the gateway between them is the real one.",
    );
    say(&format!(
        "WeChat API  {}\nIM REST API {}\ngateway     {webhooks}  (admin http://{})",
        clouds.wechat_url, clouds.im_url, gateway.admin_address
    ));
    let told = Story { control: &control, seen: 0, hop: 0, began_ms: None }.play().await;
    if told.is_ok() && !args.once {
        say(&format!(
            "\nEverything is still running. Write as the customer and answer as the agent at\n\n    {}\n\nCtrl-C ends it.",
            clouds.control_url
        ));
        told_to_stop().await;
    }
    gateway.stop().await;
    clouds.shutdown().await;
    told.map(|()| ExitCode::SUCCESS)
}

fn app_id() -> String {
    WechatAccountConfig::shop().app_id
}

async fn start_clouds(args: &DemoArgs) -> Result<sim::Sim, Failure> {
    let mut config = SimConfig::shop();
    config.wechat[0].mode = Mode::Secure;
    let page = if args.once { "127.0.0.1:0".parse().unwrap_or(args.page) } else { args.page };
    config.bind[2] = page;
    match sim::start(config.clone()).await {
        Ok(clouds) => Ok(clouds),
        Err(_) if page.port() != 0 => {
            // Another demo may be running: any free port will do.
            config.bind[2].set_port(0);
            sim::start(config).await.map_err(|error| Failure::new(error, "free a port on 127.0.0.1"))
        }
        Err(error) => Err(Failure::new(error, "free a port on 127.0.0.1")),
    }
}

/// The gateway's configuration: a file as a shop would write it, read the same way.
fn gateway_config(clouds: &sim::Sim, folder: &Folder) -> Result<Config, Failure> {
    let (shop, im) = (WechatAccountConfig::shop(), sim::ImConfig::shop());
    let text = |value: &str| toml::Value::from(value).to_string();
    let file = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
         [log]\nformat = \"text\"\n\
         [store]\nurl = {store}\n\
         [im]\nsdk_app_id = {sdk_app_id}\nsecret_key = {secret_key}\nbase_url = {im_url}\ncallback_token = {callback_token}\n\
         [[account]]\nid = \"shop\"\napp_id = {app_id}\napp_secret = {app_secret}\ntoken = {token}\n\
         encoding_aes_key = {aes_key}\nbase_url = {wechat_url}\nlanguage = \"ja\"\nagents = [{agent}]\n",
        store = text(&format!("sqlite:{}", folder.0.join("tsunagi.db").display())),
        sdk_app_id = im.sdk_app_id,
        secret_key = text(&im.secret_key),
        im_url = text(&clouds.im_url),
        callback_token = text(im.callback_token.as_deref().unwrap_or_default()),
        app_id = text(&shop.app_id),
        app_secret = text(&shop.app_secret),
        token = text(&shop.token),
        aes_key = text(shop.encoding_aes_key.as_deref().unwrap_or_default()),
        wechat_url = text(&clouds.wechat_url),
        agent = text(AGENT),
    );
    let path = folder.0.join("tsunagi.toml");
    std::fs::write(&path, file)
        .map_err(|error| Failure::new(error, "the temporary folder must be writable"))?;
    // What the caller's environment says about another gateway is not for this one.
    Ok(config::load(&path, std::iter::empty())?)
}

/// A folder of the demo's own, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder, Failure> {
        let path = std::env::temp_dir().join(format!("tsunagi-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| {
            Failure::new(format!("{}: {error}", path.display()), "set TMPDIR to a writable folder")
        })?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn story(error: impl std::fmt::Display) -> Failure {
    Failure::new(
        format!("the story stopped: {error}"),
        "run `tsunagi demo --verbose` to see what the gateway says",
    )
}

/// Says something to whoever watches; that nobody reads any more (a closed pipe) ends nothing.
fn say(words: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{words}");
}

struct Story<'a> {
    control: &'a Control,
    /// Lines of the clouds' journal that were shown.
    seen: u64,
    hop: u32,
    /// When the act's first hop happened, on the clouds' clock.
    began_ms: Option<i64>,
}

impl Story<'_> {
    async fn play(mut self) -> Result<(), Failure> {
        let app_id = app_id();
        let control = self.control;
        self.act("A customer follows the shop's Official Account").await?;
        control.follow(&app_id, CUSTOMER).await.map_err(story)?;
        self.until("import", |line| line["api"] == "im.account_import" && line["user_id"] != AGENT).await?;

        self.act("She asks a question, and reads at once that an operator is being connected").await?;
        control.say(&app_id, CUSTOMER, QUESTION).await.map_err(story)?;
        let asked = self.until("question", |line| is_delivered(line, "im", QUESTION)).await?;

        self.act("The agent sees it in a chat with her, and answers").await?;
        let ghost = asked["from"].as_str().unwrap_or(CUSTOMER).to_owned();
        self.answer(&ghost, ANSWER).await?;

        self.act("She unfollows: her IM account is deleted").await?;
        control.unfollow(&app_id, CUSTOMER).await.map_err(story)?;
        self.until("deletion", |line| line["api"] == "im.account_delete").await?;

        self.act("She follows again and is served at once, under a new IM account").await?;
        control.follow(&app_id, CUSTOMER).await.map_err(story)?;
        control.say(&app_id, CUSTOMER, AGAIN).await.map_err(story)?;
        let asked = self.until("question", |line| is_delivered(line, "im", AGAIN)).await?;
        let ghost = asked["from"].as_str().unwrap_or(CUSTOMER).to_owned();
        self.answer(&ghost, ANSWER_AGAIN).await?;
        say("\nThe story is told: every message arrived once.");
        Ok(())
    }

    async fn answer(&mut self, ghost: &str, words: &str) -> Result<(), Failure> {
        let sent = self.control.agent_say(AGENT, ghost, words).await.map_err(story)?;
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
            if let Some(hop) = hop(&line) {
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
        ("im", "delivered") if text("from") == AGENT => {
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
