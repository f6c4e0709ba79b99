//! Who is measured: each is a process of its own, started with what it needs and ended with the benchmark.

use crate::traffic::{Mode, post};
use sim::{ImConfig, WechatAccountConfig};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Sqlite,
    Postgres,
    Node,
    Python,
    /// A bare axum handler that parses and answers.
    Ceiling,
    /// Hands every request on and the answer back.
    Proxy,
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Subject::Sqlite => "Tsunagi, SQLite",
            Subject::Postgres => "Tsunagi, PostgreSQL",
            Subject::Node => "Node.js: express, xml2js, axios",
            Subject::Python => "Python: wechatpy, uvicorn",
            Subject::Ceiling => "bare axum handler, stores nothing",
            Subject::Proxy => "bare pass-through proxy",
        }
    }

    /// The usual recipe knows plaintext mode alone.
    pub(crate) fn speaks(self, mode: Mode) -> bool {
        self != Subject::Node || mode == Mode::Plain
    }
}

/// How a subject is to run.
#[derive(Clone)]
pub(crate) struct Setting {
    /// Whether what is accepted is handed on.
    pub(crate) relay: bool,
    /// Where both clouds are.
    pub(crate) clouds: SocketAddr,
    /// More for the environment.
    pub(crate) env: Vec<(String, String)>,
}

/// A place to keep a gateway's files and its database; taken away at the end.
pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: String,
    database: Option<(String, String)>,
}

impl Home {
    pub(crate) async fn new(subject: Subject) -> Home {
        // Not in a folder that may be in memory: a sync there costs nothing.
        let folder = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        if subject != Subject::Postgres {
            let store = format!("sqlite:{}", folder.path().join("tsunagi.db").display());
            return Home { folder, store, database: None };
        }
        Home::on(&postgres().unwrap(), folder).await
    }

    /// A database of its own on this server.
    pub(crate) async fn on(server: &str, folder: tempfile::TempDir) -> Home {
        let server = server.to_owned();
        let unique = folder.path().file_name().unwrap().to_string_lossy().to_lowercase();
        let name = format!("bench_{}", unique.trim_start_matches(".tmp"));
        sql(&server, &format!("CREATE DATABASE \"{name}\"")).await;
        let (base, _) = server.rsplit_once('/').unwrap();
        Home { folder, store: format!("{base}/{name}"), database: Some((server, name)) }
    }

    /// A number that its database tells.
    pub(crate) async fn count(&self, question: &'static str) -> i64 {
        use sqlx::Connection;
        match &self.database {
            None => {
                let mut conn = sqlx::SqliteConnection::connect(&self.store).await.unwrap();
                sqlx::query_scalar(question).fetch_one(&mut conn).await.unwrap()
            }
            Some(_) => {
                let mut conn = sqlx::PgConnection::connect(&self.store).await.unwrap();
                sqlx::query_scalar(question).fetch_one(&mut conn).await.unwrap()
            }
        }
    }

    /// Waits until webhooks that came in a crowd are sorted; gives the seconds.
    pub(crate) async fn sorted(&self, subject: Subject) -> f64 {
        let begun = Instant::now();
        if matches!(subject, Subject::Sqlite | Subject::Postgres) {
            while self.count("SELECT COUNT(*) FROM (SELECT 1 FROM spool LIMIT 1) AS one").await > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        begun.elapsed().as_secs_f64()
    }

    pub(crate) async fn end(self) {
        if let Some((server, name)) = self.database {
            sql(&server, &format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await;
        }
    }
}

/// A disk whose syncs take so many milliseconds longer (tests/torture/disk.c), as variables of whoever is to suffer.
pub(crate) fn slow_disk(folder: &Path, of: &Path, milliseconds: u32) -> Vec<(String, String)> {
    let (library, control) = (folder.join("disk.so"), folder.join("disk"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/disk.c");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .status();
    assert!(made.is_ok_and(|status| status.success()), "a C compiler is needed for a disk that is slow");
    std::fs::write(&control, format!("slow {milliseconds}")).unwrap();
    let text = |path: &Path| path.display().to_string();
    vec![
        ("LD_PRELOAD".into(), text(&library)),
        ("TSUNAGI_DISK".into(), text(&control)),
        ("TSUNAGI_DISK_FOLDER".into(), text(of)),
    ]
}

/// A PostgreSQL of its own with these variables; stopped with it.
pub(crate) struct Server {
    pub(crate) url: String,
    folder: String,
}

impl Server {
    pub(crate) fn start(env: Vec<(String, String)>) -> Server {
        let mut start = Command::new(Server::script());
        let told = start.args(["start", "--fsync"]).envs(env).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let of = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        Server { url: of("DATABASE_URL="), folder: of("POSTGRES_FOLDER=") }
    }

    fn script() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new(Server::script()).args(["stop", &self.folder]).status();
    }
}

/// The server for those who need one.
pub(crate) fn postgres() -> Option<String> {
    std::env::var("TSUNAGI_TEST_POSTGRES").ok()
}

pub(crate) async fn sql(server: &str, statement: &str) {
    use sqlx::{AssertSqlSafe, Connection, PgConnection};
    let mut admin = PgConnection::connect(server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut admin).await.unwrap();
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    admin: Option<SocketAddr>,
    child: Child,
    log: PathBuf,
    /// From its start to its first "ready".
    pub(crate) ready_after: Duration,
}

impl Running {
    /// Starts a subject and waits until it is ready.
    pub(crate) fn start(subject: Subject, setting: &Setting, home: &Home) -> Running {
        let (address, admin) = (free(), free());
        let log = home.folder.path().join(format!("{}.log", address.port()));
        let mut command = match subject {
            Subject::Sqlite | Subject::Postgres => gateway(address, admin, setting, home),
            Subject::Node => node(address, setting),
            Subject::Python => python(address, setting),
            Subject::Ceiling => this("ceiling", address),
            Subject::Proxy => {
                let mut proxy = this("proxy", address);
                proxy.env("UPSTREAM", format!("http://{}", setting.clouds));
                proxy
            }
        };
        let out = std::fs::File::create(&log).unwrap();
        let begun = Instant::now();
        let child = command
            .envs(setting.env.iter().map(|(name, value)| (name, value)))
            .current_dir(home.folder.path())
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let has_readiness = matches!(subject, Subject::Sqlite | Subject::Postgres);
        let admin = has_readiness.then_some(admin);
        let mut running = Running { address, admin, child, log, ready_after: Duration::ZERO };
        while !running.is_ready() {
            let ended = running.child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < Duration::from_secs(60),
                "{subject:?}: {}",
                running.words()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        running.ready_after = begun.elapsed();
        running
    }

    fn is_ready(&self) -> bool {
        match self.admin {
            Some(admin) => get(admin, "/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")),
            None => TcpStream::connect(self.address).is_ok(),
        }
    }

    /// What it said, for whoever looks into a failure.
    pub(crate) fn words(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A figure of `/proc/PID/status` in MiB: `VmRSS` is what it holds, `VmHWM` the most that it has held.
    pub(crate) fn memory(&self, which: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(which));
        let kib = line.and_then(|rest| rest.trim_matches(':').split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or(0.0) / 1024.0
    }

    /// SIGTERM, and waits for its end.
    pub(crate) fn stop(mut self) {
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        if told.is_ok_and(|status| status.success()) {
            let _ = self.child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(at: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(at).ok()?;
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// It ends with us, however we end.
fn bound(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

fn this(what: &str, address: SocketAddr) -> Command {
    let mut command = bound(std::env::current_exe().unwrap());
    command.arg(what).env("PORT", address.port().to_string());
    command
}

fn gateway(address: SocketAddr, admin: SocketAddr, setting: &Setting, home: &Home) -> Command {
    let (shop, app) = (WechatAccountConfig::shop(), ImConfig::shop());
    // A node whose `lanes` are 0 takes in, and leaves the rest to others.
    let lanes = if setting.relay { 64 } else { 0 };
    let config = format!(
        "[server]\nlisten = \"{address}\"\nadmin_listen = \"{admin}\"\n[log]\nlevel = \"{}\"\n\
         [store]\nurl = \"{}\"\n[jobs]\nlanes = {lanes}\n\
         [im]\nsdk_app_id = {}\nsecret_key = \"{}\"\nbase_url = \"http://{clouds}\"\nrate = 1000000\ncallback_token = \"{}\"\n\
         [[account]]\nid = \"shop\"\napp_id = \"{}\"\napp_secret = \"{}\"\ntoken = \"{}\"\nencoding_aes_key = \"{}\"\n\
         require_encryption = false\nbase_url = \"http://{clouds}\"\nagents = [\"user1\"]\nwelcome = \"\"\nwaiting = \"\"\naway = \"\"\n",
        std::env::var("BENCH_LOG").unwrap_or_else(|_| "warn".into()),
        home.store,
        app.sdk_app_id,
        app.secret_key,
        app.callback_token.unwrap_or_default(),
        shop.app_id,
        shop.app_secret,
        shop.token,
        shop.encoding_aes_key.unwrap_or_default(),
        clouds = setting.clouds,
    );
    let path = home.folder.path().join(format!("{}.toml", address.port()));
    std::fs::write(&path, config).unwrap();
    let mut command = bound(env!("CARGO_BIN_EXE_tsunagi"));
    command.args(["serve".as_ref(), "--config".as_ref(), path.as_os_str()]).env_remove("RUST_LOG");
    command
}

/// Where the others are: `scripts/bench` installs what they need there.
fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers")
}

fn node(address: SocketAddr, setting: &Setting) -> Command {
    let app = ImConfig::shop();
    let mut command = bound("node");
    command
        .arg(peers().join("node/gateway.js"))
        .env("NODE_ENV", "production")
        .env("PORT", address.port().to_string())
        .env("IM_URL", format!("http://{}", setting.clouds))
        .env("SDK_APP_ID", app.sdk_app_id.to_string())
        .env("SECRET_KEY", app.secret_key)
        .env("RELAY", if setting.relay { "1" } else { "0" });
    command
}

fn python(address: SocketAddr, setting: &Setting) -> Command {
    let shop = WechatAccountConfig::shop();
    let mut command = bound(peers().join("python/bin/uvicorn"));
    command
        .args(["gateway:app", "--no-access-log", "--log-level", "warning", "--port"])
        .arg(address.port().to_string())
        .arg("--app-dir")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TOKEN", shop.token)
        .env("AES_KEY", shop.encoding_aes_key.unwrap_or_default())
        .env("APP_ID", shop.app_id)
        .env("IM_URL", format!("http://{}", setting.clouds))
        .env("RELAY", if setting.relay { "1" } else { "0" });
    command
}

/// An agent's text for a customer, as IM's webhook brings it.
pub(crate) fn agent_says(n: u64, customer: &str) -> String {
    let app = ImConfig::shop();
    let now = crate::traffic::now_s();
    let sign = im::callback_signature(&app.callback_token.unwrap_or_default(), &now.to_string());
    let ghost = desk::ghost::user_id("shop", customer, 1);
    let body = format!(
        r#"{{"CallbackCommand":"C2C.CallbackAfterSendMsg","From_Account":"user1","To_Account":"{ghost}","MsgSeq":{n},"MsgRandom":{},"MsgTime":{now},"MsgKey":"{n}_{n}_{now}","MsgId":"144115233874815003-{now}-{n}","OnlineOnlyFlag":0,"SendMsgResult":0,"ErrorInfo":"send msg succeed","MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"{} 好的，马上为您处理"}}}}],"CloudCustomData":"","EventTime":{now}000}}"#,
        n * 7 + 1,
        crate::traffic::mark(n),
    );
    let path = format!(
        "/imcallback?SdkAppid={}&CallbackCommand=C2C.CallbackAfterSendMsg&contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI&Sign={sign}&RequestTime={now}",
        app.sdk_app_id
    );
    post(&path, "application/json", &body)
}
