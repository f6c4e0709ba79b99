//! What every message goes through, so many times: what it costs is counted from outside. `scripts/instructions` counts
//! instructions and holds them against `hot_paths.txt`; `scripts/instructions --stored` does so with millions of rows in the
//! database.
//!
//! `hot_paths PATH COUNT [FOLDER]`, where PATH is one of
//! - `open-plain`, `open-secure`: a push is verified, decrypted and parsed;
//! - `open-im`: a webhook of IM is verified and parsed;
//! - `ingest`: a webhook becomes durable, 64 in one commit (SQLite);
//! - `crowd`: the same, stored as they come and sorted afterwards;
//! - `work`: as `ingest`, and then its lane is claimed, and its job read and finished;
//! - `fill`: so many messages, with all that belongs to them, and a tenth as many customers lie in FOLDER, for the two above.
//!
//! Prints the pages (4 KiB) that were written and the nanoseconds, each for one item.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "its figures are its result")]

use desk::{Clock, Direction, Entropy, Millis};
use futures_util::future::join_all;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::{Arrival, Effect, Options, Source, Store, Work};

const NOW: Millis = 1_795_000_000_000;
const TOKEN: &str = "GatewayTestToken01";
const APP_ID: &str = "wx0123456789abcdef";
const KEY: &str = "q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgW";
const BATCH: usize = 64;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [path, count, rest @ ..] = words.as_slice() else {
        println!("usage: hot_paths open-plain|open-secure|open-im|ingest|crowd|work|fill COUNT [FOLDER]");
        return;
    };
    let count: usize = count.parse().unwrap();
    let own = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = rest.first().map_or_else(|| own.path().to_owned(), PathBuf::from);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match path.as_str() {
        "open-plain" => open_pushes(count, false),
        "open-secure" => open_pushes(count, true),
        "open-im" => open_webhooks(count),
        "ingest" => runtime.block_on(store_pushes(&folder, count, 0, false)),
        "crowd" => runtime.block_on(store_pushes(&folder, count, BATCH, false)),
        "work" => runtime.block_on(store_pushes(&folder, count, 0, true)),
        "fill" => runtime.block_on(fill(&folder, count)),
        other => panic!("{other} is no path"),
    }
}

fn document(n: usize) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[{}]]></FromUserName>\
         <CreateTime>1795000000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[请问这件还有货吗？我的订单什么时候能发货呢]]></Content><MsgId>{}</MsgId></xml>",
        openid(n),
        24_000_000_000_000_000 + n
    )
}

fn openid(n: usize) -> String {
    format!("oHotPathsCustomer{:011}", n.wrapping_mul(7_919) % 20_000)
}

fn open_pushes(count: usize, is_secure: bool) {
    let key = wechat::AesKey::parse(KEY).unwrap();
    let now_s = NOW / 1_000;
    let requests: Vec<(String, String)> = (0..100)
        .map(|n| {
            let (time, nonce, document) = (now_s.to_string(), n.to_string(), document(n));
            let signature = wechat::signature(&[TOKEN, &time, &nonce]);
            let query = format!("signature={signature}&timestamp={time}&nonce={nonce}");
            if !is_secure {
                return (query, document);
            }
            let encrypt = key.encrypt(APP_ID, *b"0123456789abcdef", document.as_bytes());
            let signature = wechat::signature(&[TOKEN, &time, &nonce, &encrypt]);
            let body = format!(
                "<xml><ToUserName><![CDATA[gh]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
            );
            (format!("{query}&encrypt_type=aes&msg_signature={signature}"), body)
        })
        .collect();
    let credentials = wechat::Credentials {
        app_id: APP_ID.into(),
        tokens: vec![TOKEN.into()],
        aes_keys: vec![key],
        require_encryption: false,
        signature_window: 300,
    };
    let begun = Instant::now();
    for (query, body) in requests.iter().cycle().take(count) {
        let opened = wechat::open(&credentials, query, body.as_bytes(), now_s).unwrap();
        let push = opened.push.unwrap();
        std::hint::black_box(push.dedup_key("shop", &opened.document));
    }
    tell(count, 0, begun.elapsed());
}

fn open_webhooks(count: usize) {
    let time = (NOW / 1_000).to_string();
    let sign = im::callback_signature(TOKEN, &time);
    let query = format!(
        "SdkAppid=1400000001&CallbackCommand=C2C.CallbackAfterSendMsg&contenttype=json&ClientIP=127.0.0.1&OptPlatform=iOS&Sign={sign}&RequestTime={time}"
    );
    let body = r#"{"CallbackCommand":"C2C.CallbackAfterSendMsg","From_Account":"user1","To_Account":"wx_shop_1","MsgSeq":48374,"MsgRandom":2837546,"MsgTime":1795000000,"MsgKey":"48374_2837546_1795000000","MsgId":"144115233874815003-1795000000-2837546","OnlineOnlyFlag":0,"SendMsgResult":0,"ErrorInfo":"send msg succeed","MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"好的，马上为您处理，请稍等"}}],"CloudCustomData":"","EventTime":1795000000123}"#;
    let credentials =
        im::Credentials { sdk_app_id: 1_400_000_001, tokens: vec![TOKEN.into()], window_s: 300 };
    let begun = Instant::now();
    for _ in 0..count {
        std::hint::black_box(im::open(&credentials, &query, body.as_bytes(), NOW / 1_000).unwrap());
    }
    tell(count, 0, begun.elapsed());
}

async fn open_store(folder: &Path, spool_from: usize) -> Store {
    let url = format!("sqlite:{}", folder.join("hot_paths.db").display());
    let options = Options { connections: 2, spool_from, ..Options::default() };
    Store::open(&url, options, &Clock::new(|| NOW), &entropy(0)).await.unwrap()
}

async fn store_pushes(folder: &Path, count: usize, spool_from: usize, is_worked_off: bool) {
    let store = open_store(folder, spool_from).await;
    // Ids of later runs come after those of earlier ones, as time does.
    let earlier = std::fs::read_to_string(folder.join("runs")).map_or(0, |text| text.len() as u64);
    std::fs::write(folder.join("runs"), "x".repeat(earlier as usize + 1)).unwrap();
    let now = NOW + 1_000_000 * (earlier as Millis + 1);
    let clock = Clock::new(move || now);
    let entropy = entropy(earlier);
    let (written, begun) = (written(), Instant::now());
    for batch in 0..count / BATCH {
        let first = batch * BATCH;
        let arrivals = (first..first + BATCH).map(|n| arrival(n, earlier as usize, &clock, &entropy));
        let stored = join_all(arrivals.map(|arrival| store.ingest(arrival))).await;
        assert!(stored.into_iter().all(|stored| stored.unwrap().is_new() || spool_from > 0));
        if is_worked_off {
            work_off(&store).await;
        }
    }
    store.sort_all().await.unwrap();
    let items = count / BATCH * BATCH;
    tell(items, self::written() - written, begun.elapsed());
    store.close().await;
}

async fn work_off(store: &Store) {
    loop {
        let lease = Duration::from_secs(30);
        let lanes = store.claim("hot", BATCH as i64, lease, Direction::In).await.unwrap();
        if lanes.is_empty() {
            return;
        }
        let each = lanes.into_iter().map(|lane| async move {
            while let Some(job) = store.next_job(&lane).await.unwrap() {
                let (held, head) = (lane.clone(), job.clone());
                store.write(move |tx| Box::pin(async move { tx.finish(&held, &head).await })).await.unwrap();
            }
        });
        join_all(each).await;
    }
}

fn arrival(n: usize, run: usize, clock: &Clock, entropy: &Entropy) -> Arrival {
    let openid = openid(n);
    let conversation = store::ConversationId::new(clock, entropy);
    let number = 24_000_000_000_000_000 + run * 10_000_000 + n;
    Arrival {
        id: store::InboxId::new(clock, entropy),
        source: Source::Wechat,
        account: "shop".into(),
        dedup_key: format!("m:{number:020}:shop:{openid}"),
        kind: "push",
        received_at: clock.now(),
        query: None,
        body: document(n).into_bytes(),
        reply: None,
        work: Work::Customer { openid, said_at: 1, effect: Effect::Write { conversation, waiting: None } },
        trace: None,
        may_wait: true,
    }
}

/// Rows as they lie there after a while: all worked off.
async fn fill(folder: &Path, messages: usize) {
    let url = format!("sqlite:{}", folder.join("hot_paths.db").display());
    open_store(folder, 0).await.close().await;
    use sqlx::{AssertSqlSafe, Connection};
    let mut conn = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let customers = (messages / 10).max(20_000);
    let each = |rows: usize| {
        format!("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {} )", rows - 1)
    };
    // As UUIDs of version 7: their order is that of time.
    let id = |kind: &str| format!("printf('0195{kind}-%08x-7000-8000-%012x', i / 65536, i)");
    let customer = format!("printf('oHotPathsCustomer%011d', (i * 7919) % {customers})");
    let at = format!("{NOW} - {messages} + i");
    let statements = [
        "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA cache_size = -400000".to_owned(),
        format!(
            "{} INSERT INTO customer (account, openid, subscribed, conversation, conversation_at, generation, msg_seq, created_at) SELECT 'shop', printf('oHotPathsCustomer%011d', i), 1, {}, {NOW}, 1, 10, {NOW} FROM n",
            each(customers),
            id("c")
        ),
        format!(
            "{} INSERT INTO lane (id, account, openid, direction, head, tail, epoch) SELECT printf('in/shop/oHotPathsCustomer%011d', i), 'shop', printf('oHotPathsCustomer%011d', i), 'in', 10, 10, 10 FROM n",
            each(customers)
        ),
        format!(
            "{} INSERT INTO inbox (id, source, account, kind, received_at, body) SELECT {}, 'wechat', 'shop', 'push', {at}, zeroblob(300) FROM n",
            each(messages),
            id("a")
        ),
        format!(
            "{} INSERT INTO dedup (key, inbox, at) SELECT printf('m:%020d:shop:', 23000000000000000 + i) || {customer}, {}, {at} FROM n",
            each(messages),
            id("a")
        ),
        format!(
            "{} INSERT INTO message (id, account, openid, direction, kind, conversation, inbox, created_at) SELECT {}, 'shop', {customer}, 'in', 'text', {}, {}, {at} FROM n",
            each(messages),
            id("b"),
            id("c"),
            id("a")
        ),
        format!(
            "{} INSERT INTO delivery (id, message, part, state, body, sender, recipient, tries, changed_at) SELECT {}, {}, 0, 'sent', '请问这件还有货吗？', 'wx_shop', 'user1', 1, {at} FROM n",
            each(messages),
            id("d"),
            id("b")
        ),
        format!(
            "{} INSERT INTO attempt (id, delivery, epoch, started_at, ended_at, outcome, account) SELECT {}, {}, 1, {at}, {at} + 40, 'sent', 'shop' FROM n",
            each(messages),
            id("e"),
            id("d")
        ),
        "ANALYZE; PRAGMA optimize".to_owned(),
    ];
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
}

/// Bytes that this process has handed to the system to be written.
fn written() -> u64 {
    let told = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

fn tell(items: usize, bytes: u64, took: Duration) {
    println!(
        "pages {:.3} nanoseconds {}",
        bytes as f64 / 4_096.0 / items as f64,
        took.as_nanos() / items as u128
    );
}

/// Random bytes (SplitMix64) that differ from seed to seed.
fn entropy(seed: u64) -> Entropy {
    let state = AtomicU64::new(seed << 40);
    Entropy::new(move |buffer| {
        for chunk in buffer.chunks_mut(8) {
            let mut x = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(x ^ (x >> 31)).to_le_bytes()[..chunk.len()]);
        }
    })
}
