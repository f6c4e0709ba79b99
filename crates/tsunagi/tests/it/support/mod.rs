//! What every story needs: both clouds, a gateway process that can be killed and started again, its database.

mod database;
mod output;
mod second;

pub(crate) use database::{Database, Engine, engines};

use serde_json::json;
use sim::{Control, Format, Mode, PushConfig, Sim, SimConfig, WechatAccountConfig};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) const AGENT: &str = "user1";
pub(crate) const OPENID: &str = "oAbCdEfGhIjKlMnOpQrStUvWxYz0";
/// How long anything may take before a story gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const JOURNAL: &str = "planted.journal";

/// How a world is set up; start from `Setup::new`.
pub(crate) struct Setup {
    pub(crate) engine: Engine,
    pub(crate) clouds: SimConfig,
    /// Lines for the `[[account]]` table.
    pub(crate) account: String,
    /// Lines for the `[im]` table.
    pub(crate) im: String,
    /// Lines for the `[store]` table.
    pub(crate) store: String,
    /// Lines for the `[media]` table.
    pub(crate) media: String,
    pub(crate) agents: Vec<String>,
    /// Variables of the gateway's first process.
    pub(crate) env: Vec<(String, String)>,
    /// A command that runs the gateway's first process, such as a tracer.
    pub(crate) before: Vec<String>,
}

impl Setup {
    pub(crate) fn new(engine: Engine) -> Setup {
        let mut clouds = SimConfig::shop();
        clouds.push = PushConfig::quick(2_000, 700);
        Setup {
            engine,
            clouds,
            account: String::new(),
            im: String::new(),
            store: String::new(),
            media: String::new(),
            agents: vec![AGENT.to_owned()],
            env: Vec::new(),
            before: Vec::new(),
        }
    }

    pub(crate) fn mode(mut self, mode: Mode, format: Format) -> Setup {
        self.clouds.wechat[0].mode = mode;
        self.clouds.wechat[0].format = format;
        if mode != Mode::Secure {
            self.account.push_str("require_encryption = false\n");
        }
        self
    }

    pub(crate) fn account(mut self, lines: &str) -> Setup {
        self.account.push_str(lines);
        self.account.push('\n');
        self
    }

    /// Lines for the `[store]` table.
    pub(crate) fn store(mut self, lines: &str) -> Setup {
        self.store.push_str(lines);
        self.store.push('\n');
        self
    }

    /// Lines for the `[media]` table.
    pub(crate) fn media(mut self, lines: &str) -> Setup {
        self.media.push_str(lines);
        self.media.push('\n');
        self
    }

    /// Tables beside `[store]`, `[im]` and the accounts.
    pub(crate) fn desk(mut self, tables: &str) -> Setup {
        self.im.push('\n');
        self.im.push_str(tables);
        self
    }

    pub(crate) fn agents(mut self, agents: &[&str]) -> Setup {
        self.agents = agents.iter().map(|agent| (*agent).to_owned()).collect();
        self
    }

    /// A command that runs the gateway's first process and leaves it the same process id.
    pub(crate) fn under(mut self, command: impl IntoIterator<Item = String>) -> Setup {
        self.before = command.into_iter().collect();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Setup {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) async fn start(self) -> World {
        World::start(self).await
    }
}

/// Both clouds and a gateway between them.
pub(crate) struct World {
    pub(crate) clouds: Sim,
    pub(crate) control: Control,
    pub(crate) database: Database,
    pub(crate) webhooks: String,
    pub(crate) admin: String,
    pub(crate) folder: TempDir,
    pub(crate) config: PathBuf,
    gateway: Option<Child>,
}

impl World {
    async fn start(setup: Setup) -> World {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(setup.engine, folder.path()).await;
        let secure = setup.clouds.wechat[0].mode != Mode::Plain;
        let mut clouds = setup.clouds;
        if output::is_kept() && clouds.journal.is_none() {
            clouds.journal = Some(folder.path().join(JOURNAL));
        }
        let clouds = sim::start(clouds).await.unwrap();
        let (port, admin_port) = (free_port(), free_port());
        let shop = WechatAccountConfig::shop();
        let app = sim::ImConfig::shop();
        let key = shop.encoding_aes_key.filter(|_| secure).unwrap_or_default();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\nadmin_listen = \"127.0.0.1:{admin_port}\"\n\
             [log]\nformat = \"text\"\nlevel = \"{}\"\n\
             [store]\nurl = \"{}\"\n{}\n\
             [media]\nprivate_networks = [\"127.0.0.0/8\"]\n{}\n\
             [im]\nsdk_app_id = {}\nsecret_key = \"{}\"\nbase_url = \"{}\"\ncallback_token = \"{}\"\n{}\n\
             [[account]]\nid = \"shop\"\napp_id = \"{}\"\napp_secret = \"{}\"\ntoken = \"{}\"\n\
             encoding_aes_key = \"{key}\"\nbase_url = \"{}\"\nlanguage = \"zh\"\nagents = {:?}\n\
             welcome = \"欢迎关注\"\nwaiting = \"正在为您转接\"\n{}\n",
            // What is scanned for leaks is all that could ever be logged.
            if output::is_kept() { "trace" } else { "debug,hyper=info,sqlx=info" },
            database.url,
            setup.store,
            setup.media,
            app.sdk_app_id,
            app.secret_key,
            clouds.im_url,
            app.callback_token.unwrap_or_default(),
            setup.im,
            shop.app_id,
            shop.app_secret,
            shop.token,
            clouds.wechat_url,
            setup.agents,
            // Further accounts are written before the cloud's address is known.
            setup.account.replace("{wechat_url}", &clouds.wechat_url),
        );
        let config = folder.path().join("tsunagi.toml");
        std::fs::write(&config, text).unwrap();
        let control = clouds.control();
        // At work, unless a story sends them home.
        for agent in &setup.agents {
            control.agent_online(agent, true).await.unwrap();
        }
        let webhooks = format!("http://127.0.0.1:{port}");
        control
            .configure(json!({"app_id": shop.app_id, "webhook_url": format!("{webhooks}/wechat/shop")}))
            .await
            .unwrap();
        control.configure(json!({"callback_url": format!("{webhooks}/imcallback")})).await.unwrap();
        let admin = format!("http://127.0.0.1:{admin_port}");
        let mut world = World { clouds, control, database, webhooks, admin, folder, config, gateway: None };
        world.launch(&setup.before, &setup.env);
        world.ready().await;
        world
    }

    /// Starts a gateway process.
    pub(crate) fn spawn(&mut self, env: &[(String, String)]) {
        self.launch(&[], env);
    }

    fn launch(&mut self, before: &[String], env: &[(String, String)]) {
        self.gateway = Some(self.process(&self.config, before, env));
    }

    fn process(&self, config: &Path, before: &[String], env: &[(String, String)]) -> Child {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap();
        let mut words: Vec<&OsStr> = before.iter().map(OsStr::new).collect();
        words.extend([OsStr::new(env!("CARGO_BIN_EXE_tsunagi")), "serve".as_ref(), "--config".as_ref()]);
        Command::new(words[0])
            .args(&words[1..])
            .arg(config)
            .current_dir(self.folder.path())
            .env_remove("RUST_LOG")
            .env_remove("TSUNAGI_KILL_AT")
            .env_remove("TSUNAGI_FREEZE_AT")
            .env_remove("TSUNAGI_SABOTAGE")
            .env("TSUNAGI_CLOCK_AHEAD", self.clock_path())
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Waits until the gateway is ready; gives up if it died.
    pub(crate) async fn ready(&mut self) {
        let begun = Instant::now();
        while !self.is_ready().await {
            assert!(begun.elapsed() < PATIENCE, "the gateway does not become ready:\n{}", self.log());
            assert!(self.died().is_none(), "the gateway ended:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let answer = http().get(format!("{}/readyz", self.admin)).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// How the gateway ended, if it did.
    pub(crate) fn died(&mut self) -> Option<ExitStatus> {
        self.gateway.as_mut().and_then(|child| child.try_wait().unwrap())
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.gateway.take() {
            let _ = child.kill();
            child.wait().unwrap();
        }
    }

    /// SIGTERM; gives how it ended.
    pub(crate) fn stop(&mut self) -> Option<ExitStatus> {
        let mut child = self.gateway.take()?;
        let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        Some(child.wait().unwrap())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.gateway.as_ref().unwrap().id()
    }

    pub(crate) fn app_id(&self) -> String {
        WechatAccountConfig::shop().app_id
    }

    fn clock_path(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    /// Moves the clocks of both clouds and of the gateway.
    pub(crate) async fn advance(&self, ms: i64) {
        let ahead = std::fs::read_to_string(self.clock_path()).map_or(0, |text| text.parse::<i64>().unwrap());
        // A reader sees the old number or the new one.
        let fresh = self.folder.path().join("clock.new");
        std::fs::write(&fresh, (ahead + ms).to_string()).unwrap();
        std::fs::rename(&fresh, self.clock_path()).unwrap();
        self.control.advance_clock(ms).await.unwrap();
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("gateway.log")
    }

    /// All that the gateway's processes said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Keeps that for whoever looks into a failure; says where.
    pub(crate) fn keep_log(&self) -> String {
        let kept = std::env::temp_dir().join(format!("tsunagi-it-{}.log", free_port()));
        std::fs::write(&kept, self.log()).unwrap();
        format!("the gateway's log: {}", kept.display())
    }

    /// Waits until a message with this text arrived at the agent; gives the ghost that sent it.
    pub(crate) async fn agent_sees(&self, text: &str) -> String {
        let line = self
            .control
            .wait_for(PATIENCE, |line| {
                line["cloud"] == "im"
                    && line["kind"] == "delivered"
                    && line["to"] == AGENT
                    && line["text"] == text
            })
            .await;
        let line =
            line.unwrap_or_else(|error| panic!("the agent never saw {text:?}: {error}\n{}", self.log()));
        line["from"].as_str().unwrap().to_owned()
    }

    /// Waits until a text arrived at the customer.
    pub(crate) async fn customer_sees(&self, text: &str) {
        let line = self
            .control
            .wait_for(PATIENCE, |line| {
                line["cloud"] == "wechat" && line["kind"] == "delivered" && line["text"] == text
            })
            .await;
        line.unwrap_or_else(|error| panic!("the customer never saw {text:?}: {error}\n{}", self.log()));
    }

    /// Waits until nothing is left to do.
    pub(crate) async fn drained(&self) {
        let begun = Instant::now();
        while self.database.left().await != 0 {
            assert!(begun.elapsed() < PATIENCE, "work is left:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How often the agent's client shows this text, over all chats.
    pub(crate) async fn shown_to_agent(&self, fits: impl Fn(&str) -> bool) -> usize {
        let chats = self.control.chats(AGENT).await.unwrap();
        chats
            .iter()
            .flat_map(|chat| &chat.messages)
            .filter(|message| message.from != AGENT && fits(&message.text))
            .count()
    }

    /// How often the customer's phone shows this text.
    pub(crate) async fn shown_to_customer(&self, text: &str) -> usize {
        let received = self.control.received(&self.app_id(), OPENID).await.unwrap();
        received.iter().filter(|shown| *shown == text).count()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let mut said = Vec::new();
        if output::is_kept()
            && self.gateway.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
        {
            said = output::admin_pages(&self.admin);
        }
        self.kill();
        if output::is_kept() {
            said.push(self.log());
            let configs = [self.config.clone(), self.folder.path().join("second.toml")];
            output::keep(&said, &configs, &self.folder.path().join(JOURNAL));
        }
    }
}

/// One client for all requests of all tests: making one reads the system's certificates, which takes longer than most
/// tests. It follows no redirect and keeps no connection, which would die with the runtime of the test that made it.
pub(crate) fn http() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let never = reqwest::redirect::Policy::none();
        reqwest::Client::builder().redirect(never).pool_max_idle_per_host(0).build().unwrap()
    })
}

/// A port that was free a moment ago. Not one of those that the system hands out by itself: while a gateway is
/// dead, any outgoing connection might get its port.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    /// A port belongs to one test process until it ends: others that choose at the same moment see the lock.
    static TAKEN: Mutex<Vec<std::fs::File>> = Mutex::new(Vec::new());
    let locks = std::env::temp_dir().join("tsunagi-test-ports");
    std::fs::create_dir_all(&locks).unwrap();
    let own = 10_000 + std::process::id() % 44 * 500;
    loop {
        let port = u16::try_from(own + NEXT.fetch_add(1, Ordering::Relaxed) % 500).unwrap();
        let lock = std::fs::File::create(locks.join(port.to_string())).unwrap();
        if lock.try_lock().is_ok() && std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            TAKEN.lock().unwrap().push(lock);
            return port;
        }
    }
}
