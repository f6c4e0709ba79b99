//! A PostgreSQL of our own that can be killed, stopped, restarted, and fails over to a synchronous standby.

use crate::link::{Link, Mode};
use crate::support::free_port;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The user that runs it, when we are root, whom PostgreSQL refuses.
const OWNER: &str = "postgres";

pub(crate) struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    /// The one that takes writes.
    pub(crate) primary: Server,
    standby: Option<Server>,
    /// Between the two.
    pub(crate) wire: Link,
    /// Whether commits wait for the standby.
    synchronous: bool,
    made: u32,
    env: Vec<(String, String)>,
}

/// Whether there is a second server, and commits wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standby {
    None,
    Asynchronous,
    Synchronous,
}

pub(crate) struct Server {
    data: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Its process and those that it has started.
    fn processes(&self) -> Vec<u32> {
        let parent = self.pid();
        let mut all = vec![parent];
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let of = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
            if of == Some(parent) {
                all.push(pid);
            }
        }
        all
    }

    fn signal(&self, signal: &str, everybody: bool) {
        let pids = if everybody { self.processes() } else { vec![self.pid()] };
        let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
        // One that has ended meanwhile is no fault.
        drop(Command::new("kill").arg(signal).args(&pids).stderr(Stdio::null()).status());
    }

    /// `kill -9` of all its processes at once: what was not written is gone.
    pub(crate) fn kill(&mut self) {
        self.signal("-KILL", true);
        self.wait();
    }

    /// In good order (SIGINT: connections are ended at once).
    fn stop(&mut self) {
        self.signal("-INT", false);
        self.wait();
    }

    pub(crate) fn freeze(&self) {
        self.signal("-STOP", true);
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT", true);
    }

    fn wait(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.signal("-CONT", true);
            self.signal("-KILL", true);
            self.wait();
        }
    }
}

impl Cluster {
    /// A primary, and a synchronous standby if one is wanted. `settings` are lines for postgresql.conf.
    pub(crate) async fn start(
        folder: &Path,
        standby: Standby,
        settings: &str,
        env: Vec<(String, String)>,
    ) -> Cluster {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/tools");
        let told = Command::new(script).arg("postgres").output().unwrap();
        let programs = PathBuf::from(String::from_utf8(told.stdout).unwrap().trim());
        let folder = folder.join("postgres");
        std::fs::create_dir(&folder).unwrap();
        // Its owner has to get to it.
        open_way(&folder);
        let data = folder.join("1");
        own(&folder);
        run(as_owner(&programs.join("initdb")).arg("-D").arg(&data).args([
            "-U",
            "app",
            "--auth=trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]));
        let conf = data.join("postgresql.conf");
        let text = std::fs::read_to_string(&conf).unwrap();
        let own_settings = format!(
            "{}\nlisten_addresses = '127.0.0.1'\nmax_connections = 200\nunix_socket_directories = ''\n\
             logging_collector = off\n{settings}\n",
            // What the documents tell an operator.
            include_str!("../../../../ops/postgresql.conf")
        );
        std::fs::write(&conf, format!("{text}\n{own_settings}")).unwrap();
        let primary = Server { data, port: free_port(), process: None };
        let wire = Link::to(primary.address()).await;
        let mut cluster =
            Cluster { wire, synchronous: true, folder, programs, primary, standby: None, made: 1, env };
        cluster.primary.process = Some(cluster.launch(&cluster.primary));
        cluster.until_it_answers(cluster.primary.port).await;
        if standby != Standby::None {
            cluster.synchronous = standby == Standby::Synchronous;
            cluster.add_standby().await;
        }
        cluster
    }

    pub(crate) fn url(port: u16, database: &str) -> String {
        format!("postgres://app@127.0.0.1:{port}/{database}")
    }

    fn launch(&self, server: &Server) -> Child {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log")).unwrap();
        as_owner(&self.programs.join("postgres"))
            .arg("-D")
            .arg(&server.data)
            .args(["-p", &server.port.to_string()])
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    async fn until_it_answers(&self, port: u16) {
        let begun = Instant::now();
        loop {
            let told = self.sql_on(port, "SELECT 1").await;
            if told.is_ok() {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "PostgreSQL does not start: {told:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Not on this thread: an answer may need a wire that is carried here.
    async fn sql_on(&self, port: u16, sql: &str) -> Result<String, String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args([
            "-X",
            "-At",
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-U",
            "app",
            "-d",
            "postgres",
            "-c",
        ])
        .arg(sql)
        .env("PGCONNECT_TIMEOUT", "3");
        let told = tokio::task::spawn_blocking(move || psql.output().unwrap()).await.unwrap();
        match told.status.success() {
            true => Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&told.stderr).into_owned()),
        }
    }

    /// Runs something on the primary.
    pub(crate) async fn sql(&self, sql: &str) -> String {
        self.sql_on(self.primary.port, sql).await.unwrap()
    }

    /// Copies the primary and waits for the copy to be its synchronous standby: from then on a commit is on both.
    async fn add_standby(&mut self) {
        self.made += 1;
        let data = self.folder.join(self.made.to_string());
        let server = Server { data, port: free_port(), process: None };
        let mut copy = as_owner(&self.programs.join("pg_basebackup"));
        copy.arg(format!(
            "--dbname=host=127.0.0.1 port={} user=app application_name=standby",
            self.wire.port
        ))
        .args(["-R", "-X", "stream", "-c", "fast", "--no-sync", "-D"])
        .arg(&server.data);
        // The wire is ours to carry meanwhile.
        tokio::task::spawn_blocking(move || run(&mut copy)).await.unwrap();
        let mut server = server;
        server.process = Some(self.launch(&server));
        self.standby = Some(server);
        let begun = Instant::now();
        while self.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'").await != "1" {
            assert!(begun.elapsed() < Duration::from_secs(60), "the standby does not come up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if !self.synchronous {
            return;
        }
        // Named only now that it follows: before, commits would have waited for nobody.
        self.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'").await;
        self.sql("SELECT pg_reload_conf()").await;
        self.until_in_step().await;
    }

    /// Waits until the standby takes part in commits: until then none is answered.
    async fn until_in_step(&self) {
        let begun = Instant::now();
        while self.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").await != "1" {
            assert!(begun.elapsed() < Duration::from_secs(60), "the standby does not follow");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// In good order, and up again.
    pub(crate) async fn restart(&mut self) {
        self.primary.stop();
        self.come_back().await;
    }

    /// Up again after a kill.
    pub(crate) async fn come_back(&mut self) {
        // What is left of a killed one may be in its way for a moment.
        self.primary.process = Some(self.launch(&self.primary));
        self.revive().await;
        if self.synchronous && self.standby.is_some() {
            self.until_in_step().await;
        }
    }

    /// Starts it again if it has ended, and waits until it answers.
    pub(crate) async fn revive(&mut self) {
        let begun = Instant::now();
        while self.sql_on(self.primary.port, "SELECT 1").await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "PostgreSQL does not come back");
            if self.primary.process.as_mut().is_none_or(|process| process.try_wait().unwrap().is_some()) {
                self.primary.process = Some(self.launch(&self.primary));
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// The primary dies for good and the standby takes its place, as a manager of such pairs does it. The caller leads
    /// connections to [`Cluster::primary`] then; [`Cluster::replace_standby`] makes it a pair again.
    pub(crate) async fn fail_over(&mut self) {
        self.primary.kill();
        let standby = self.standby.take().unwrap();
        // Alone for now: it must not wait for a standby of its own.
        let auto = standby.data.join("postgresql.auto.conf");
        let text = std::fs::read_to_string(&auto).unwrap();
        let text: String = text
            .lines()
            .filter(|line| !line.starts_with("synchronous_standby_names"))
            .collect::<Vec<_>>()
            .join("\n");
        std::fs::write(&auto, text + "\n").unwrap();
        standby.signal("-HUP", false);
        run(as_owner(&self.programs.join("pg_ctl")).args(["promote", "-w", "-D"]).arg(&standby.data));
        let old = std::mem::replace(&mut self.primary, standby);
        self.wire.aim(self.primary.address());
        self.wire.set(Mode::Open);
        drop(std::fs::remove_dir_all(&old.data));
    }

    pub(crate) async fn replace_standby(&mut self) {
        self.add_standby().await;
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Everybody may pass through the folders above.
fn open_way(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for above in folder.ancestors().take_while(|above| *above != std::env::temp_dir()) {
        let mode = std::fs::metadata(above).unwrap().permissions().mode();
        std::fs::set_permissions(above, std::fs::Permissions::from_mode(mode | 0o011)).unwrap();
    }
}

fn own(folder: &Path) {
    if is_root() {
        run(Command::new("chown").arg(OWNER).arg(folder));
    }
}

fn as_owner(program: &Path) -> Command {
    // It ends with us, however we end.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if is_root() {
        command.args([&format!("--reuid={OWNER}"), &format!("--regid={OWNER}"), "--clear-groups"]);
    }
    command.arg(program);
    command.current_dir("/").env("LC_ALL", "C.UTF-8");
    command
}

fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}
