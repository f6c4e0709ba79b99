//! `tsunagi check` with each thing wrong that can be wrong between the configuration, the database and both clouds.
//! What is wrong on the way back from the clouds is in `check_webhooks.rs`.

use super::run::{Ran, run};
use crate::support::{AGENT, Database, Engine, Setup, World, engines};
use serde_json::json;
use sim::{Fault, Format, Kind, Mode, Sim, SimConfig};
use tempfile::TempDir;

/// Both clouds, a database that nobody serves, and a configuration for them.
struct Desk {
    folder: TempDir,
    clouds: Sim,
    database: Database,
    text: String,
}

impl Desk {
    async fn new(engine: Engine) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(engine, folder.path()).await;
        let clouds = sim::start(SimConfig::shop()).await.unwrap();
        let (shop, app) = (sim::WechatAccountConfig::shop(), sim::ImConfig::shop());
        let text = format!(
            "[store]\nurl = \"{}\"\n[im]\nsdk_app_id = {}\nsecret_key = \"{}\"\nbase_url = \"{}\"\ncallback_token = \"{}\"\n\
             [[account]]\nid = \"shop\"\napp_id = \"{}\"\napp_secret = \"{}\"\ntoken = \"{}\"\nencoding_aes_key = \"{}\"\n\
             base_url = \"{}\"\nagents = [\"{AGENT}\"]\n",
            database.url,
            app.sdk_app_id,
            app.secret_key,
            clouds.im_url,
            app.callback_token.unwrap(),
            shop.app_id,
            shop.app_secret,
            shop.token,
            shop.encoding_aes_key.unwrap(),
            clouds.wechat_url,
        );
        Desk { folder, clouds, database, text }
    }

    async fn check(&self) -> Ran {
        self.check_with("", "").await
    }

    /// With the first `old` of the configuration replaced.
    async fn check_with(&self, old: &str, new: &str) -> Ran {
        assert!(self.text.contains(old), "{old}");
        let path = self.folder.path().join("check.toml");
        std::fs::write(&path, self.text.replacen(old, new, 1)).unwrap();
        run(self.folder.path(), &["check", "--json", "--config", "check.toml"]).await
    }

    /// With every call of this kind refused with this code.
    async fn check_refused(&self, target: &str, code: i64) -> Ran {
        let control = self.clouds.control();
        control.fault(Fault::lasting(target, Kind::Errcode, 60_000).value(code)).await.unwrap();
        let ran = self.check().await;
        control.clear_faults().await.unwrap();
        ran
    }
}

fn secrets() -> Vec<String> {
    let (shop, app) = (sim::WechatAccountConfig::shop(), sim::ImConfig::shop());
    vec![
        shop.app_secret,
        shop.token,
        shop.encoding_aes_key.unwrap(),
        app.secret_key,
        app.callback_token.unwrap(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_runs_as_it_should_has_no_fault() {
    for engine in engines() {
        let world = Setup::new(engine).mode(Mode::Secure, Format::Xml).start().await;
        world.agent_is_there().await;
        let ran = world.check("", "").await;
        ran.is_calm();
        // The address is one of this machine alone, and http may warn of nothing else here.
        let warnings = ran.found("warning");
        assert!(warnings.len() == 1 && warnings[0][1] == "address", "{}", ran.said());
        let fine: Vec<String> =
            ran.found("ok").into_iter().map(|[group, name, ..]| format!("{group}.{name}")).collect();
        for wanted in [
            "configuration.configuration",
            "database.version",
            "database.schema",
            "database.served",
            "clock.clock",
            "wechat.reach",
            "wechat.token",
            "wechat.quota",
            "wechat.callback_ips",
            "im.reach",
            "im.usersig",
            "im.agents",
            "im.deletion",
            "im.accounts",
            "webhooks.verify",
            "webhooks.callback",
            "webhooks.forged",
            "media.store",
            "media.ffmpeg",
            "media.links",
        ] {
            assert!(fine.iter().any(|name| name == wanted), "{wanted} is missing\n{}", ran.said());
        }
        assert!(ran.stdout.contains("a gateway is running on it"), "{}", ran.said());

        // For a person: no escape codes where nobody sees them, and no secret.
        let said = run(world.folder.path(), &["check", "--config", "checked.toml"]).await;
        assert!(said.code == ran.code && said.stdout.ends_with(", 1 warning\n"), "{}", said.said());
        assert!(
            said.stdout.contains("ok       database: ") && !said.stdout.contains('\u{1b}'),
            "{}",
            said.said()
        );
        for secret in secrets() {
            assert!(!said.said().contains(&secret) && !ran.said().contains(&secret), "{secret}");
        }
        let accounts = world.control.get("/sim/state").await.unwrap()["im"]["accounts"].to_string();
        assert!(!accounts.contains("tsunagi-check"), "what was made to find out is gone: {accounts}");
        world.drained().await;
        world.database.discard().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_configuration_are_named() {
    let desk = Desk::new(Engine::Sqlite).await;
    desk.check_with("agents = [\"user1\"]", "agent = [\"user1\"]").await.names(
        "configuration",
        "configuration",
        "account[0].agent: unknown key",
        "did you mean `agents`?",
    );
    desk.check_with("id = \"shop\"", "id = \"Shop\"").await.names(
        "configuration",
        "configuration",
        "account[0].id",
        "write 1 to 32 of a-z",
    );
    let ran = desk.check_with("[[account]]", "[[account]").await;
    ran.names("configuration", "configuration", "not valid TOML", "texts need quotes");
    let usage = run(desk.folder.path(), &["check"]).await;
    assert_eq!(usage.code, 2, "{}", usage.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_a_sqlite_file_are_named() {
    let desk = Desk::new(Engine::Sqlite).await;
    let file = desk.folder.path().join("tsunagi.db");
    let ran = desk.check_with("tsunagi.db", "no/such/tsunagi.db").await;
    ran.names("database", "folder", "does not exist", "make the folder");
    assert!(!desk.folder.path().join("no").exists() && !file.exists(), "nothing was made");

    std::fs::write(&file, "this is a letter to a customer, not a database\n".repeat(100)).unwrap();
    desk.check().await.names(
        "database",
        "not_a_database",
        "not a SQLite database",
        "put the right file there",
    );
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    desk.check().await.names("database", "file", "is a folder", "correct store.url");
    std::fs::remove_dir(&file).unwrap();

    let clean = desk.check().await;
    clean.is_calm();
    assert!(clean.stdout.contains("its tables are made when `tsunagi serve` starts"), "{}", clean.said());
    assert!(!file.exists(), "a check makes no database");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_another_version_is_named() {
    for engine in engines() {
        let mut world = Setup::new(engine).start().await;
        world.agent_is_there().await;
        world.stop();
        world.database.execute("UPDATE meta SET value = '1' WHERE key = 'schema'").await;
        let older = world.check("", "").await;
        let warned = older.found("warning");
        let schema =
            warned.iter().find(|found| found[1] == "schema").unwrap_or_else(|| panic!("{}", older.said()));
        assert!(
            schema[2].contains("schema 1") && schema[3].contains("migrates it when it starts"),
            "{schema:?}"
        );
        world.database.execute("UPDATE meta SET value = '9999' WHERE key = 'schema'").await;
        let newer = world.check("public_url", "# public_url").await;
        newer.names("database", "schema", "schema 9999", "use the newer tsunagi");
        world.database.discard().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_postgresql_are_named() {
    if !engines().contains(&Engine::Postgres) {
        return;
    }
    let desk = Desk::new(Engine::Postgres).await;
    let clean = desk.check().await;
    clean.is_calm();
    let safe: Vec<(String, String)> =
        desk.database.pairs("SELECT name, setting FROM pg_settings WHERE name = 'fsync'").await;
    let named =
        clean.all("fault").iter().any(|found| found[1] == "durable" && found[3].contains("postgresql.conf"));
    assert_eq!(safe[0].1 == "off", named, "{}", clean.said());
    let url = desk.database.url.clone();
    let elsewhere = desk.check_with(&url, "postgres://app:planted-password@127.0.0.1:1/shop").await;
    elsewhere.names("database", "unreachable", "cannot be reached", "start PostgreSQL");
    assert!(!elsewhere.said().contains("planted-password"));
    let none = desk.check_with(&url, &url.replace("/it_", "/nowhere_")).await;
    none.names("database", "no_database", "does not exist", "createdb");
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    desk.database
        .execute_text(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"))
        .await;
    let standby = desk.check().await;
    standby.names("database", "read_only", "nothing can be written", "name the primary server");
    desk.database.discard().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f70_a_wrong_clock_is_named() {
    let desk = Desk::new(Engine::Sqlite).await;
    desk.clouds.control().advance_clock(120_000).await.unwrap();
    let ran = desk.check().await;
    let faults = ran.found("fault");
    assert_eq!(faults.len(), 2, "one of each cloud\n{}", ran.said());
    for [group, name, what, todo] in faults {
        assert_eq!((group.as_str(), name.as_str()), ("clock", "clock"));
        assert!(what.contains("s behind") && todo.contains("NTP"), "{what} {todo}");
    }
    desk.clouds.control().advance_clock(-240_000).await.unwrap();
    let ran = desk.check().await;
    assert!(
        ran.found("fault").iter().all(|found| found[2].contains("s ahead of")) && ran.code == 1,
        "{}",
        ran.said()
    );
    desk.clouds.control().advance_clock(130_000).await.unwrap();
    let near = desk.check().await;
    assert_eq!(near.code, 0, "{}", near.said());
    assert!(near.found("warning").iter().any(|found| found[0] == "clock"), "{}", near.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_official_account_are_named() {
    let desk = Desk::new(Engine::Sqlite).await;
    for (code, name, todo) in [
        (40164, "ip_list", "to the account's IP list"),
        (40243, "token_40243", "unfreeze"),
        (89501, "token_89501", "let them confirm it"),
        (89506, "token_89506", "24 hours"),
        (45009, "token_45009", "used up"),
        (-1, "token_-1", "check again in a minute"),
    ] {
        let ran = desk.check_refused("wechat.token", code).await;
        ran.names("wechat", name, &code.to_string(), todo);
    }
    let shop = sim::WechatAccountConfig::shop();
    let (app_id, secret) = (shop.app_id, shop.app_secret);
    desk.check_with(&app_id, "wx0000000000000000").await.names(
        "wechat",
        "token_40013",
        "40013",
        "correct app_id",
    );
    let wrong = desk.check_with(&secret, "0123456789abcdef0123456789abcdef").await;
    wrong.names("wechat", "token_40125", "40125", "correct app_secret");
    let dead = format!("base_url = \"http://127.0.0.1:1\"\nlanguage = \"en\"\n# {}", desk.clouds.wechat_url);
    let live = format!("base_url = \"{}\"\nagents", desk.clouds.wechat_url);
    let unreachable = desk.check_with(&live, &format!("{dead}\nagents")).await;
    unreachable.names("wechat", "reach", "the connection is refused", "check address and port");

    let control = desk.clouds.control();
    for (kind, value, words) in [
        (Kind::Status, json!(502), "HTTP status 502"),
        (Kind::Body, json!("<html>login</html>"), "not what the call should give"),
        (Kind::Body, json!(""), "empty"),
    ] {
        control.fault(Fault::lasting("wechat.token", kind, 60_000).value(value)).await.unwrap();
        desk.check().await.names("wechat", "answer", words, "any proxy on the way to WeChat");
        control.clear_faults().await.unwrap();
    }
    control.configure(json!({"certified": false})).await.unwrap();
    let ran = desk.check().await;
    ran.is_calm();
    let warned = ran.found("warning");
    let [_, _, what, todo] = warned.iter().find(|warning| warning[1] == "permission").unwrap();
    assert!(what.contains("48001") && todo.contains("reply = \"passive\""), "{}", ran.said());
    let passive = desk.check_with("id = \"shop\"", "id = \"shop\"\nreply = \"passive\"").await;
    assert_eq!(passive.code, 0, "{}", passive.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_im_app_are_named() {
    let desk = Desk::new(Engine::Sqlite).await;
    let app = sim::ImConfig::shop();
    for (code, name, todo) in [
        (60026, "data_centre", "adminapisgp.im.qcloud.com"),
        (60020, "arrears", "pay"),
        (60021, "source_address", "allowed addresses"),
        (60028, "trial_calls", "upgrade"),
        (70001, "usersig", "clock"),
        (70003, "secret_key", "copy the key"),
        (70013, "usersig", "same app"),
        (60007, "rate", "im.rate"),
    ] {
        desk.check_refused("im", code).await.names("im", name, &code.to_string(), todo);
    }
    let key = "0".repeat(64);
    desk.check_with(&app.secret_key, &key).await.names("im", "secret_key", "70009", "correct im.secret_key");
    let other = desk.check_with("1400000001", "1400000002").await;
    other.names("im", "sdk_app_id", "70020", "another region");
    let nobody = desk.check_with("[im]\n", "[im]\nadmin = \"nobody\"\n").await;
    nobody.names("im", "admin", "60010", "make nobody an administrator");
    let live = format!("base_url = \"{}\"", desk.clouds.im_url);
    let gone = desk.check_with(&live, "base_url = \"http://127.0.0.1:1\"").await;
    gone.names("im", "reach", "the connection is refused", "check address and port");

    let control = desk.clouds.control();
    control.configure(json!({"deletion_enabled": false})).await.unwrap();
    desk.check().await.names("im", "deletion", "71000", "on_unsubscribe = \"keep\"");
    let kept = desk.check_with("id = \"shop\"", "id = \"shop\"\non_unsubscribe = \"keep\"").await;
    assert_eq!(kept.code, 0, "{}", kept.said());
    control.configure(json!({"deletion_enabled": true, "account_limit": 1})).await.unwrap();
    control.agent_online(AGENT, true).await.unwrap();
    desk.check().await.names("im", "accounts", "70398", "upgrade the app");
}

#[tokio::test(flavor = "multi_thread")]
async fn clouds_that_do_not_answer_do_not_hold_it_up() {
    let desk = Desk::new(Engine::Sqlite).await;
    for target in ["wechat", "im"] {
        desk.clouds.control().fault(Fault::lasting(target, Kind::Hang, 60_000)).await.unwrap();
    }
    let begun = std::time::Instant::now();
    let ran = desk.check().await;
    let faults = ran.found("fault");
    let named: Vec<&str> = faults.iter().map(|found| found[1].as_str()).collect();
    assert_eq!(named, ["answer", "answer"], "{}", ran.said());
    assert!(faults.iter().all(|found| found[2].contains("nothing was answered in time")), "{}", ran.said());
    // Both at the same time, 8 s each.
    assert!(begun.elapsed() < std::time::Duration::from_secs(14), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_are_not_there_are_named() {
    let desk = Desk::new(Engine::Sqlite).await;
    let missing = desk.check().await;
    let warned = missing.found("warning");
    let agents =
        warned.iter().find(|found| found[1] == "agents").unwrap_or_else(|| panic!("{}", missing.said()));
    assert!(agents[2].contains(AGENT) && agents[3].contains("imports them when it starts"), "{agents:?}");
    assert_eq!(missing.code, 0);
}

impl World {
    /// Waits until the gateway has imported its agent.
    async fn agent_is_there(&self) {
        let imported = |line: &serde_json::Value| {
            line["api"] == "im.account_import" && line["user_id"] == AGENT && line["error_code"] == 0
        };
        self.control.wait_for(crate::support::PATIENCE, imported).await.unwrap();
    }

    /// Checks with the gateway's own configuration and its address, `old` replaced in it.
    pub(super) async fn check(&self, old: &str, new: &str) -> Ran {
        let address = format!("[server]\npublic_url = \"{}\"\n", self.webhooks);
        let text = std::fs::read_to_string(&self.config).unwrap().replacen("[server]\n", &address, 1);
        assert!(text.contains(old), "{old}");
        std::fs::write(self.folder.path().join("checked.toml"), text.replacen(old, new, 1)).unwrap();
        run(self.folder.path(), &["check", "--json", "--config", "checked.toml"]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_kept_converted_or_opened_are_told() {
    let desk = Desk::new(Engine::Sqlite).await;
    let found = |ran: &Ran, level: &str, name: &str| {
        let all = ran.found(level).into_iter();
        all.filter(|[group, ..]| group == "media").any(|[_, found, ..]| found == name)
    };
    let ran = desk.check().await;
    assert!(found(&ran, "ok", "store") && !desk.folder.path().join("media").exists(), "{}", ran.said());
    // A file stands where the folder should be.
    std::fs::write(desk.folder.path().join("media"), "x").unwrap();
    let ran = desk.check().await;
    assert!(found(&ran, "fault", "store"), "{}", ran.said());
    let ran = desk
        .check_with("[store]", "[media]\nffmpeg = \"/nowhere/ffmpeg\"\n[store]\nmedia = \"file:other\"")
        .await;
    assert!(found(&ran, "warning", "ffmpeg"), "{}", ran.said());
    let open = "[server]\nlisten = \"0.0.0.0:18080\"\n[store]";
    let ran = desk.check_with("[store]", open).await;
    assert!(found(&ran, "fault", "links"), "{}", ran.said());
    let bucket = "[media]\ns3_endpoint = \"http://127.0.0.1:1\"\ns3_access_key = \"k\"\ns3_secret_key = \"planted-s3\"\ns3_timeout = 1\n\
                  [store]\nmedia = \"s3://bucket/x\"";
    let ran = desk.check_with("[store]", bucket).await;
    assert!(found(&ran, "fault", "store") && !ran.said().contains("planted-s3"), "{}", ran.said());
}
