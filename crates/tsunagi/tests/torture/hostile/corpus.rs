//! Documents to begin with, and what a seed makes of them.
//!
//! The golden documents of both protocols, and curated ones that have broken parsers elsewhere. Addresses in them lead
//! to a forbidden neighbour of the gateway, so that nothing leaves the machine.

use crate::dice::Dice;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Who writes them: nobody whom the checker knows.
pub(super) const STRANGER: &str = "oHostileHostileHostileHost00";
/// Where their addresses lead.
const NEIGHBOUR: &str = "http://127.0.66.66:9/";

/// Words that parsers stumble over.
const SPLINTERS: &[&[u8]] = &[
    b"<![CDATA[",
    b"]]>",
    b"]]]]><![CDATA[>",
    b"<!--",
    b"-->",
    b"<?xml version=\"1.0\" encoding=\"UTF-16\"?>",
    b"<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>",
    b"&e;",
    b"&#0;",
    b"&#x110000;",
    b"&#xD800;",
    b"&amp;amp;",
    b"<xml>",
    b"</xml>",
    b"<Encrypt>",
    b"</Encrypt>",
    b"<FromUserName>",
    b"<MsgId>",
    b"<Event>",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\x80",
    b"\xe2\x80\xae",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00\\ud800",
    b",",
    b":",
    b"null",
    b"NaN",
    b"-Infinity",
    b"1e999999",
    b"-0",
    b"18446744073709551616",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"1.7976931348623157e309",
    b"\r\n",
    b"\t",
    b"\x7f",
    b"%00",
    b"%n%s",
    b"' OR 1=1 --",
    b"${jndi:ldap://x}",
    b"../../../../etc/passwd",
    b"<script>",
    b"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
    b"\xcc\x81",
];

fn golden(folder: &str, endings: &[&str]) -> Vec<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.retain(|path| path.extension().is_some_and(|ending| endings.iter().any(|e| ending == *e)));
    paths.sort();
    paths.iter().map(|path| at_home(&std::fs::read_to_string(path).unwrap())).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.path().is_dir() {
            true => walk(&entry.path(), found),
            false => found.push(entry.path()),
        }
    }
}

fn at_home(text: &str) -> Vec<u8> {
    text.replace("https://", NEIGHBOUR)
        .replace("http://", NEIGHBOUR)
        .replace(&format!("{NEIGHBOUR}127.0.66.66:9/"), NEIGHBOUR)
        .replace("oAbCdEfGhIjKlMnOpQrStUvWxYz0", STRANGER)
        .into_bytes()
}

/// A text message of the stranger.
pub(super) fn text(msg_id: u64, content: &str) -> Vec<u8> {
    format!(
        "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[{STRANGER}]]></FromUserName>\
         <CreateTime>1760000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{content}]]></Content>\
         <MsgId>{msg_id}</MsgId></xml>"
    )
    .into_bytes()
}

/// What has broken parsers elsewhere (F7 to F14).
fn curated_pushes() -> Vec<Vec<u8>> {
    let plain = String::from_utf8(text(1, "plain")).unwrap();
    let letters: Vec<String> = ('b'..='j')
        .zip('a'..='i')
        .map(|(name, of)| format!("<!ENTITY {name} \"{}\">", format!("&{of};").repeat(10)))
        .collect();
    let laughs =
        format!("<!DOCTYPE l [<!ENTITY a \"ha\">{}]><xml><Content>&j;</Content></xml>", letters.concat());
    let quadratic =
        format!("<!DOCTYPE q [<!ENTITY a \"{}\">]><xml>{}</xml>", "a".repeat(20_000), "&a;".repeat(20_000));
    let utf16: Vec<u8> =
        [0xfeff_u16].into_iter().chain(plain.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let utf16_big: Vec<u8> = plain.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let json = |fields: &str| {
        format!(
            "{{\"ToUserName\":\"gh_0123456789ab\",\"FromUserName\":\"{STRANGER}\",\"CreateTime\":1760000000,\"MsgType\":\"text\",{fields}}}"
        )
    };
    let mut all: Vec<Vec<u8>> = vec![
        laughs.into(),
        quadratic.into(),
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><FromUserName>&e;</FromUserName></xml>"
            .into(),
        "<!DOCTYPE x SYSTEM \"http://127.0.66.66:9/x.dtd\"><xml><Content>x</Content></xml>".into(),
        "<!DOCTYPE x [<!ENTITY % p SYSTEM \"http://127.0.66.66:9/p\"> %p;]><xml/>".into(),
        format!("<xml>{}{}</xml>", "<a>".repeat(60_000), "</a>".repeat(60_000)).into(),
        format!("<xml>{}", "<a>".repeat(200_000)).into(),
        format!("<xml>{}</xml>", "<a/>".repeat(100_000)).into(),
        format!("<xml {}/>", "a=\"b\" ".repeat(50_000)).into(),
        format!("<xml a=\"{}\"/>", "b".repeat(400_000)).into(),
        format!("<{0}>x</{0}>", "x".repeat(300_000)).into(),
        format!("<xml><!--{}--></xml>", "-".repeat(100_000)).into(),
        format!("<xml>{}</xml>", "<![CDATA[".repeat(50_000)).into(),
        format!("<xml><Content><![CDATA[{}]]></Content></xml>", "]]".repeat(100_000)).into(),
        format!("<xml><FromUserName>{}</FromUserName></xml>", "o".repeat(500_000)).into(),
        utf16,
        utf16_big,
        [b"\xef\xbb\xbf\xef\xbb\xbf".as_slice(), plain.as_bytes()].concat(),
        plain.replace("plain", "a\u{0}b").into(),
        plain.replace("<MsgId>1<", "<MsgId>99999999999999999999999999<").into(),
        plain.replace("<MsgId>1<", "<MsgId>-1<").into(),
        plain.replace("<MsgId>1<", "<MsgId><").into(),
        plain.replace("1760000000", "1e400").into(),
        plain.replace("1760000000", "-9223372036854775808").into(),
        plain.replace("1760000000", "9223372036854775807").into(),
        plain.replace("1760000000", "99999999999999999999").into(),
        plain.replace("</xml>", "<FromUserName>oOther</FromUserName><MsgType>event</MsgType></xml>").into(),
        plain.replace("<![CDATA[plain]]>", "<![CDATA[a]]><![CDATA[b]]>c<![CDATA[]]>").into(),
        plain.replace("<![CDATA[plain]]>", "<![CDATA[<xml><MsgType>event</MsgType></xml>]]>").into(),
        plain.replace(STRANGER, "").into(),
        plain.replace(STRANGER, "../../x").into(),
        plain.replace(STRANGER, "o\u{202e}\u{0}'--").into(),
        plain.replace("[CDATA[text]]", "[CDATA[event]]").into(),
        json("\"Content\":\"\\ud83d\",\"MsgId\":2").into(),
        json("\"Content\":\"x\",\"Content\":\"y\",\"MsgId\":3").into(),
        json("\"Content\":1e999,\"MsgId\":1e30").into(),
        json("\"Content\":NaN,\"MsgId\":4").into(),
        json("\"Content\":{\"a\":[1,{}]},\"MsgId\":[5]").into(),
        json(&format!("\"Content\":\"{}\",\"MsgId\":6", "\\u0000".repeat(20_000))).into(),
        format!("{}1{}", "{\"a\":[".repeat(60_000), "]}".repeat(60_000)).into(),
        "[".repeat(300_000).into(),
        format!("[{}1]", "1,".repeat(100_000)).into(),
        format!("{{{}\"z\":1}}", (0..30_000).map(|n| format!("\"k{n}\":{n},")).collect::<String>()).into(),
        Vec::new(),
        "<xml/>".into(),
        "<html><body>hello</body></html>".into(),
        "null".into(),
        "\"text\"".into(),
        "{}".into(),
        b"<xml><Content>\xd6\xd0\xce\xc4</Content></xml>".to_vec(),
        // gzip of "<xml/>", of which nobody was told.
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xb3\xa9\xc8\xcd\xd1\xb7\x03\0\x9e\x2c\x21\x0b\x06\0\0\0".to_vec(),
        plain.clone().into(),
    ];
    // The limit of a body, and around it.
    for size in [1_048_575, 1_048_576] {
        let filler = "x".repeat(size - plain.len() + "plain".len());
        all.push(plain.replace("plain", &filler).into());
        all.push(vec![b'x'; size]);
    }
    all
}

fn curated_webhooks() -> Vec<Vec<u8>> {
    let after = |rest: &str| {
        format!(
            "{{\"CallbackCommand\":\"C2C.CallbackAfterSendMsg\",\"From_Account\":\"user1\",\"To_Account\":\"{STRANGER}\",{rest}}}"
        )
    };
    let element = |element: &str| {
        after(&format!(
            "\"MsgSeq\":1,\"MsgRandom\":2,\"MsgTime\":1760000000,\"MsgKey\":\"1_2_3\",\"MsgBody\":[{element}]"
        ))
    };
    vec![
        Vec::new(),
        "{}".into(),
        "[]".into(),
        "null".into(),
        after("\"MsgBody\":[]").into(),
        after("\"MsgBody\":null,\"MsgKey\":null").into(),
        after("\"MsgSeq\":-1,\"MsgRandom\":1e40,\"MsgTime\":\"NaN\",\"MsgBody\":{}").into(),
        after("\"MsgTime\":9223372036854775807,\"MsgKey\":\"\",\"MsgBody\":[null,1,\"x\",[],{}]").into(),
        element("{\"MsgType\":\"TIMTextElem\",\"MsgContent\":{\"Text\":\"\\ud800\\u0000\"}}").into(),
        element("{\"MsgType\":\"TIMTextElem\",\"MsgContent\":{\"Text\":{\"Text\":\"x\"}}}").into(),
        element("{\"MsgType\":\"TIMImageElem\",\"MsgContent\":{\"ImageInfoArray\":{}}}").into(),
        element("{\"MsgType\":\"TIMFileElem\",\"MsgContent\":{\"Url\":\"file:///etc/passwd\",\"FileName\":\"../../x\\u0000\",\"FileSize\":-1}}").into(),
        element("{\"MsgType\":\"TIMSoundElem\",\"MsgContent\":{\"Url\":\"http://127.0.66.66:9/x\",\"Second\":1e300}}").into(),
        element(&format!("{{\"MsgType\":\"TIMCustomElem\",\"MsgContent\":{{\"Data\":\"{}\"}}}}", "{\\\"a\\\":".repeat(20_000))).into(),
        element(&vec!["{\"MsgType\":\"TIMTextElem\",\"MsgContent\":{\"Text\":\"x\"}}"; 10_000].join(",")).into(),
        element(&format!("{{\"MsgType\":\"TIMTextElem\",\"MsgContent\":{{\"Text\":\"{}\"}}}}", "x".repeat(900_000))).into(),
        format!("{}1{}", "{\"MsgBody\":[".repeat(60_000), "]}".repeat(60_000)).into(),
        "{\"CallbackCommand\":\"State.StateChange\",\"Info\":{\"To_Account\":\"nobody\",\"Action\":\"Login\"},\"EventTime\":1e300}".into(),
        "{\"CallbackCommand\":\"C2C.CallbackAfterMsgWithDraw\",\"From_Account\":\"nobody\",\"MsgKey\":[]}".into(),
        "{\"CallbackCommand\":\"C2C.CallbackBeforeSendMsg\",\"From_Account\":\"user1\",\"To_Account\":{}}".into(),
        "{\"CallbackCommand\":\"\\u0000\"}".into(),
        vec![b'{'; 1_048_576],
    ]
}

/// Documents of WeChat.
pub(super) fn pushes() -> &'static [Vec<u8>] {
    static ALL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut golden = golden("wechat/tests/golden", &["xml", "json"]);
        // They have whatever names a customer erased, which is another story than "kept once".
        golden.retain(|document| {
            let text = String::from_utf8_lossy(document);
            !text.contains("user_authorization_") && !text.contains("user_info_modified")
        });
        [golden, curated_pushes()].concat()
    })
}

/// Bodies of webhooks of IM.
pub(super) fn webhooks() -> &'static [Vec<u8>] {
    static ALL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    ALL.get_or_init(|| {
        let golden = golden("im/tests/golden/webhooks", &["json"]);
        // No agent of the story goes home because a golden document says so.
        let golden =
            golden.into_iter().filter(|body| !String::from_utf8_lossy(body).contains("State.StateChange"));
        golden.chain(curated_webhooks()).collect()
    })
}

/// One document, changed in up to four places; now and then as it is.
pub(super) fn mutated(all: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = pick(all, dice);
    // The large ones are hostile enough, and each costs as much as a hundred others.
    while bytes.len() > 20_000 && dice.below(8) > 0 {
        bytes = pick(all, dice);
    }
    for _ in 0..dice.below(5) {
        mutate(&mut bytes, all, dice);
    }
    bytes.truncate(1_048_576);
    bytes
}

fn pick(all: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    all[dice.below(all.len() as u64) as usize].clone()
}

/// Changes bytes in one place.
pub(super) fn mutate(bytes: &mut Vec<u8>, all: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(bytes.len() as u64 + 1) as usize;
    let end = bytes.len().min(at + 1 + dice.below(40) as usize);
    match dice.below(9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        1 if at < bytes.len() => bytes[at] = dice.next() as u8,
        2 => drop(bytes.drain(at..end)),
        3 => bytes.truncate(at),
        4 => {
            let again = bytes[at..end].repeat(1 + dice.below(50) as usize);
            bytes.splice(at..at, again);
        }
        5 => {
            let other = pick(all, dice);
            let from = dice.below(other.len() as u64 + 1) as usize;
            bytes.splice(at.., other[from..].iter().copied());
        }
        6 => drop(bytes.splice(at..end, (0..dice.below(16)).map(|n| (n * 37) as u8 ^ 0xa5))),
        _ => {
            let splinter = SPLINTERS[dice.below(SPLINTERS.len() as u64) as usize];
            bytes.splice(at..at, splinter.iter().copied());
        }
    }
}
