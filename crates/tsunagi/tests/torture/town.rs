//! A town to play in: both clouds, a database, gateways on it behind a proxy, and a line that can be cut between any two.

use crate::cluster::{Cluster, Standby};
use crate::dice::Dice;
use crate::drive::{People, now_ms};
use crate::link::{Balancer, Link};
use crate::support::{Database, Engine, free_port, http};
use serde_json::json;
use sim::{Control, Fault, ImConfig, Kind, Sim, SimConfig, WechatAccountConfig};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// How long a town may take for anything before a round gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// The lease of all nodes.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

/// How a town is built.
pub(crate) struct Plan {
    pub(crate) engine: Engine,
    pub(crate) nodes: usize,
    pub(crate) standby: Standby,
    /// Lines for the `[im]` table.
    pub(crate) im: String,
    /// Lines for `postgresql.conf`.
    pub(crate) postgres: String,
    /// Variables of every gateway process, and of the first one's first start.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) first_env: Vec<(String, String)>,
    /// Whether the database's disk can fail: see `disk.c`.
    pub(crate) disk: bool,
    pub(crate) clouds: SimConfig,
}

impl Plan {
    pub(crate) fn new(engine: Engine) -> Plan {
        // As patient as the real ones: three attempts, five seconds apart.
        let clouds = SimConfig::shop();
        Plan {
            engine,
            nodes: 1,
            standby: Standby::None,
            im: String::new(),
            postgres: String::new(),
            env: Vec::new(),
            first_env: Vec::new(),
            disk: false,
            clouds,
        }
    }

    pub(crate) async fn build(self) -> Town {
        Town::build(self).await
    }
}

pub(crate) struct Town {
    pub(crate) control: Control,
    pub(crate) database: Database,
    pub(crate) cluster: Option<Cluster>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) balancer: Balancer,
    /// Where whoever looks into the database finds the primary.
    view: Option<Link>,
    pub(crate) disk: Option<Disk>,
    /// When (ms) something was cut that may have been a call.
    pub(crate) cuts: Vec<(i64, i64)>,
    _folder: TempDir,
    _clouds: Sim,
}

/// The disk of the database, which can fail.
pub(crate) struct Disk {
    library: PathBuf,
    control: PathBuf,
    folder: PathBuf,
    /// Whether it can be laid back to what was synced.
    keeps: bool,
}

impl Disk {
    fn make(folder: &Path, engine: Engine) -> Disk {
        let library = folder.join("disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/disk.c");
        let mut compiler = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
        let made =
            compiler.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(source).arg("-ldl").status();
        assert!(made.is_ok_and(|status| status.success()), "a C compiler is needed for a disk that fails");
        let control = folder.join("disk");
        std::fs::write(&control, "").unwrap();
        let data = if engine == Engine::Sqlite { "data" } else { "postgres" };
        Disk { library, control, folder: folder.join(data), keeps: engine == Engine::Sqlite }
    }

    fn env(&self) -> Vec<(String, String)> {
        let name = |path: &Path| path.display().to_string();
        let mut env = vec![
            ("LD_PRELOAD".into(), name(&self.library)),
            ("TSUNAGI_DISK".into(), name(&self.control)),
            ("TSUNAGI_DISK_FOLDER".into(), name(&self.folder)),
        ];
        if self.keeps {
            env.push(("TSUNAGI_DISK_KEEP".into(), "1".into()));
        }
        env
    }

    /// From now on this is wrong with it; nothing if empty.
    pub(crate) fn set(&self, wrong: &str) {
        let fresh = self.control.with_extension("new");
        std::fs::write(&fresh, wrong).unwrap();
        std::fs::rename(&fresh, &self.control).unwrap();
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// One gateway, and its lines to the others.
pub(crate) struct Node {
    config: PathBuf,
    log: PathBuf,
    folder: PathBuf,
    env: Vec<(String, String)>,
    pub(crate) admin: SocketAddr,
    pub(crate) webhooks: SocketAddr,
    process: Option<Child>,
    pub(crate) to_im: Link,
    pub(crate) to_wechat: Link,
    pub(crate) to_database: Option<Link>,
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn address_of(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().unwrap()
}

impl Town {
    async fn build(mut plan: Plan) -> Town {
        let folder = tempfile::tempdir().unwrap();
        let disk = plan.disk.then(|| Disk::make(folder.path(), plan.engine));
        let mut server_env = Vec::new();
        if let Some(disk) = &disk {
            let whose = if plan.engine == Engine::Sqlite { &mut plan.env } else { &mut server_env };
            whose.extend(disk.env());
        }
        let clouds = sim::start(plan.clouds).await.unwrap();
        let control = clouds.control();
        let (mut cluster, mut view) = (None, None);
        let database = match plan.engine {
            Engine::Sqlite => {
                let data = folder.path().join("data");
                std::fs::create_dir(&data).unwrap();
                let database = Database::create(Engine::Sqlite, &data).await;
                if plan.disk { database.fresh() } else { database }
            }
            Engine::Postgres => {
                let own = Cluster::start(folder.path(), plan.standby, &plan.postgres, server_env).await;
                own.sql("CREATE DATABASE tsunagi").await;
                let link = Link::to(own.primary.address()).await;
                let database = Database::at(&Cluster::url(link.port, "tsunagi"));
                (cluster, view) = (Some(own), Some(link));
                database
            }
        };
        for agent in ["user1", "user2"] {
            control.agent_online(agent, true).await.unwrap();
        }
        let mut nodes = Vec::new();
        for n in 0..plan.nodes {
            let to_database = match &cluster {
                Some(cluster) => Some(Link::to(cluster.primary.address()).await),
                None => None,
            };
            let node = Node {
                config: folder.path().join(format!("node{n}.toml")),
                log: folder.path().join(format!("node{n}.log")),
                folder: folder.path().to_owned(),
                env: plan.env.clone(),
                admin: address(free_port()),
                webhooks: address(free_port()),
                process: None,
                to_im: Link::to(address_of(&clouds.im_url)).await,
                to_wechat: Link::to(address_of(&clouds.wechat_url)).await,
                to_database,
            };
            let store = match &node.to_database {
                Some(link) => Cluster::url(link.port, "tsunagi"),
                None => database.url.clone(),
            };
            std::fs::write(&node.config, node.configuration(n, &store, &plan.im)).unwrap();
            nodes.push(node);
        }
        let addresses = nodes.iter().map(|node| (node.webhooks, node.admin)).collect();
        let balancer = Balancer::before(addresses).await;
        let at = format!("http://127.0.0.1:{}", balancer.port);
        let app_id = WechatAccountConfig::shop().app_id;
        control
            .configure(json!({"app_id": app_id, "webhook_url": format!("{at}/wechat/shop")}))
            .await
            .unwrap();
        control.configure(json!({"callback_url": format!("{at}/imcallback")})).await.unwrap();
        let mut town = Town {
            control,
            database,
            cluster,
            nodes,
            balancer,
            view,
            disk,
            cuts: Vec::new(),
            _folder: folder,
            _clouds: clouds,
        };
        for n in 0..town.nodes.len() {
            let usual = town.nodes[n].env.clone();
            if n == 0 {
                town.nodes[n].env.extend(plan.first_env.clone());
            }
            town.nodes[n].spawn();
            town.nodes[n].env = usual;
            town.nodes[n].until_ready().await;
        }
        town
    }

    /// Calls take a while, as over the internet, so that what happens falls into them.
    pub(crate) async fn slow_clouds(&self, dice: &mut Dice) {
        for target in ["wechat.custom_send", "im.sendmsg", "im.account_import", "im.account_delete"] {
            let kind = if dice.below(2) == 0 { Kind::Delay } else { Kind::DelayAnswer };
            self.control.fault(Fault::lasting(target, kind, 36_000_000).value(40)).await.unwrap();
        }
    }

    pub(crate) fn people(&self) -> People {
        let admin = format!("http://127.0.0.1:{}", self.balancer.admin_port);
        People::new(self.control.clone(), self.database.clone(), &admin).patient(PATIENCE)
    }

    /// Customers and agents who go on until it is enough.
    pub(crate) fn crowd(
        &self,
        customers: usize,
        dice: &mut Dice,
        enough: &Arc<AtomicBool>,
    ) -> Vec<JoinHandle<()>> {
        let people = self.people();
        (0..customers)
            .map(|n| tokio::spawn(people.clone().converse(n, Dice::new(dice.next()), enough.clone())))
            .collect()
    }

    /// Leads everybody to the primary, wherever it is now.
    pub(crate) fn follow_primary(&self) {
        let Some(cluster) = &self.cluster else { return };
        for link in self.nodes.iter().filter_map(|node| node.to_database.as_ref()).chain(&self.view) {
            link.aim(cluster.primary.address());
        }
    }

    /// Waits until every node that runs is ready.
    pub(crate) async fn until_all_ready(&mut self) {
        for node in self.nodes.iter_mut().filter(|node| node.process.is_some()) {
            node.until_ready().await;
        }
    }

    /// From `from` until now, and until the proxy has seen it, something was cut.
    pub(crate) fn cut_since(&mut self, from: i64) {
        self.cuts.push((from, now_ms() + 500));
    }

    /// The power of the database goes out and comes back; waits until all are ready again.
    pub(crate) async fn lose_power(&mut self) {
        match &mut self.cluster {
            // Its processes hold in memory what was not written yet.
            Some(cluster) => {
                cluster.primary.kill();
                cluster.come_back().await;
            }
            None => {
                self.cut_the_power().await;
                self.nodes[0].spawn();
            }
        }
        self.until_all_ready().await;
    }

    /// The process is dead, and of its files there is what was synced.
    async fn cut_the_power(&mut self) {
        let held = self.database.hold().await;
        self.nodes[0].kill();
        let path = PathBuf::from(self.database.url.trim_start_matches("sqlite:"));
        for beside in ["", "-wal"] {
            let file = with_end(&path, beside);
            let synced = with_end(&file, ".synced");
            match synced.exists() {
                true => drop(std::fs::copy(&synced, &file).unwrap()),
                false => drop(std::fs::remove_file(&file)),
            }
        }
        drop(std::fs::remove_file(with_end(&path, "-shm")));
        drop(held);
    }

    /// Waits until nothing is left to do.
    pub(crate) async fn drained(&self) {
        let begun = Instant::now();
        while self.database.left().await != 0 {
            assert!(begun.elapsed() < PATIENCE, "work is left");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the nodes, the clouds and the database server said, and what the database holds, kept for whoever looks into a
    /// failure.
    pub(crate) async fn keep_logs(&self) -> String {
        let kept = std::env::temp_dir().join(format!("tsunagi-torture-{}-{}", std::process::id(), now_ms()));
        std::fs::create_dir_all(&kept).unwrap();
        for node in &self.nodes {
            drop(std::fs::copy(&node.log, kept.join(node.log.file_name().unwrap())));
        }
        if let Some(cluster) = &self.cluster {
            drop(std::fs::copy(cluster.folder().join("log"), kept.join("postgres.log")));
        }
        let journal = self.control.journal(0).await.unwrap_or_default();
        let journal: String = journal.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(kept.join("journal"), journal).unwrap();
        std::fs::write(kept.join("database"), self.database.contents().await.join("\n")).unwrap();
        format!("logs: {}", kept.display())
    }
}

impl Node {
    fn configuration(&self, n: usize, store: &str, im: &str) -> String {
        // On the first node, two pushes at the same moment count as a crowd; on the second one, every push does.
        let spool_from = 2 - n % 2;
        let (shop, app) = (WechatAccountConfig::shop(), ImConfig::shop());
        format!(
            "[server]\nlisten = \"{}\"\nadmin_listen = \"{}\"\n[log]\nformat = \"text\"\n\
             [store]\nurl = \"{store}\"\nlease = {}\nspool_from = {spool_from}\n[media]\nprivate_networks = [\"127.0.0.0/8\"]\n\
             [im]\nsdk_app_id = {}\nsecret_key = \"{}\"\nbase_url = \"http://127.0.0.1:{}\"\ncallback_token = \"{}\"\n{im}\n\
             [[account]]\nid = \"shop\"\napp_id = \"{}\"\napp_secret = \"{}\"\ntoken = \"{}\"\nencoding_aes_key = \"\"\n\
             require_encryption = false\nbase_url = \"http://127.0.0.1:{}\"\nlanguage = \"zh\"\n\
             agents = [\"user1\", \"user2\"]\nwelcome = \"欢迎关注\"\nwaiting = \"正在为您转接\"\n",
            self.webhooks,
            self.admin,
            LEASE.as_secs(),
            app.sdk_app_id,
            app.secret_key,
            self.to_im.port,
            app.callback_token.unwrap_or_default(),
            shop.app_id,
            shop.app_secret,
            shop.token,
            self.to_wechat.port,
        )
    }

    pub(crate) fn spawn(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        // It ends with us, however we end: one that goes on would meet the next town's ports.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_tsunagi")])
            .args(["serve".as_ref(), "--config".as_ref(), self.config.as_os_str()])
            .current_dir(&self.folder)
            .env_remove("RUST_LOG")
            .env("TSUNAGI_CLOCK_AHEAD", self.clock())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.process = Some(child.unwrap());
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let asked = http().get(format!("http://{}/readyz", self.admin)).timeout(Duration::from_secs(1));
        asked.send().await.is_ok_and(|answer| answer.status() == 200)
    }

    /// Waits for it; gives how long that took.
    pub(crate) async fn until_ready(&mut self) -> Duration {
        let begun = Instant::now();
        while !self.is_ready().await {
            assert!(begun.elapsed() < PATIENCE, "a node does not become ready\n{}", tail(&self.log));
            let ended = self.process.as_mut().and_then(|process| process.try_wait().unwrap());
            assert!(ended.is_none(), "a node ended by itself: {ended:?}\n{}", tail(&self.log));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        begun.elapsed()
    }

    /// Whether it ended although nobody told it to.
    pub(crate) fn has_died(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.try_wait().unwrap().is_some())
    }

    fn clock(&self) -> PathBuf {
        self.config.with_extension("clock")
    }

    /// Its clock is ahead by so many milliseconds from now on.
    pub(crate) fn set_clock(&self, ahead: i64) {
        let fresh = self.config.with_extension("clock.new");
        std::fs::write(&fresh, ahead.to_string()).unwrap();
        std::fs::rename(&fresh, self.clock()).unwrap();
    }

    /// The name under which it holds lanes.
    pub(crate) fn holder(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let name = log.lines().rev().find_map(|line| line.split_once("holder=\"")?.1.split('"').next());
        name.unwrap().to_owned()
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            process.wait().unwrap();
        }
    }

    /// SIGTERM, and waits for its end.
    pub(crate) async fn stop(&mut self) {
        self.signal("-TERM");
        let mut process = self.process.take().unwrap();
        let ended = tokio::task::spawn_blocking(move || process.wait().unwrap()).await.unwrap();
        assert!(ended.success(), "a node that was told to stop ended with {ended}\n{}", tail(&self.log));
    }

    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Whether every thread of it is stopped.
    pub(crate) fn stands_still(&self) -> bool {
        let pid = self.process.as_ref().unwrap().id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().rev().take(15).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
}
