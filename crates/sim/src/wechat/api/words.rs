//! WeChat's words for its error codes (§10).

use std::net::IpAddr;

use axum::body::Bytes;
use serde_json::{Value, json};

use super::Refused;
use super::rids::Record;
use crate::world::World;

/// What a refusal has to know of the call that it refuses.
#[derive(Clone, Debug)]
pub(super) struct Words {
    /// The address that WeChat saw.
    pub(super) caller: IpAddr,
    pub(super) app_id: String,
    /// The path; a query would name the token.
    pub(super) path: String,
    pub(super) body: Bytes,
}

impl Words {
    /// The answer for an errcode; `openapi/rid/get` can be asked for it afterwards.
    pub(super) fn refusal(&self, world: &World, Refused(errcode): Refused) -> Value {
        let (now_s, chance) = (world.clock.now_s(), &world.chance);
        let rid = format!("{now_s:08x}-{}-{}", chance.hex(8), chance.hex(8));
        let answer = json!({"errcode": errcode, "errmsg": format!("{} rid: {rid}", self.of(errcode))});
        let body = std::str::from_utf8(&self.body).ok().filter(|body| body.len() <= 4096).unwrap_or_default();
        let request = json!({"invoke_time": now_s, "cost_in_ms": 1, "request_url": self.path,
                             "request_body": body, "response_body": answer.to_string(),
                             "client_ip": self.caller.to_string()});
        let record = Record { rid, app_id: self.app_id.clone(), at_s: now_s, request };
        world.wechat().rids.keep(record);
        answer
    }

    fn of(&self, errcode: i64) -> String {
        let words = match errcode {
            -1 => "system error",
            40001 => "invalid credential, access_token is invalid or not latest",
            40002 => "invalid grant_type",
            40003 => "invalid openid",
            40004 => "invalid media type",
            40005 => "invalid file type",
            40006 => "invalid media size",
            40007 => "invalid media_id",
            40008 => "invalid message type",
            40009 => "invalid image size",
            40010 => "invalid voice size",
            40011 => "invalid video size",
            40012 => "invalid thumb size",
            40013 => "invalid appid",
            40032 => "invalid openid list size",
            40035 => "invalid parameter",
            40066 => "invalid url",
            40125 => "invalid appsecret",
            40164 => {
                let v6 = match self.caller {
                    IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                    IpAddr::V6(v6) => v6,
                };
                // Rust writes a mapped address as WeChat does: ::ffff:203.0.113.7.
                return format!("invalid ip {} ipv6 {v6}, not in whitelist", self.caller);
            }
            40201 => "no callback url is set",
            40202 => "invalid action",
            40203 => "invalid check_operator",
            40243 => "appsecret is frozen",
            41001 => "access_token missing",
            41002 => "appid missing",
            41004 => "appsecret missing",
            41005 => "media data missing",
            42001 => "access_token expired",
            43001 => "require GET method",
            43002 => "require POST method",
            43004 => "require subscribe",
            43019 => "require remove blacklist",
            44001 => "empty media data",
            44002 => "empty post data",
            44003 => "empty news data",
            44004 => "empty content",
            45001 => "media size out of limit",
            45002 => "content size out of limit",
            45003 => "title size out of limit",
            45004 => "description size out of limit",
            45005 => "url size out of limit",
            45006 => "picurl size out of limit",
            45007 => "playtime out of limit",
            45008 => "article size out of limit",
            45009 => "reach max api daily quota limit",
            45011 => "api minute-quota reach limit, must slower, retry next minute",
            45015 => "response out of time limit or subscription is canceled",
            45047 => "out of response count limit",
            45064 => "no permission to use weapp in msg",
            45072 => "invalid command",
            45080 => "no message exchanged in the last 30 seconds",
            45081 => "already typing",
            45086 => "invalid attribute 'data-miniprogram-appid'",
            45087 => "customer service messages from this account are blocked",
            45098 => "msgmenu list size out of limit",
            45099 => "msgmenu item size out of limit",
            46001 => "media data no exist",
            46004 => "user no exist",
            47001 => "data format error",
            48001 => "api unauthorized",
            48002 => "user block message",
            48006 => "forbid to clear quota because of reaching the limit",
            50001 => "user unauthorized",
            50002 => "user limited",
            50005 => "user is unsubscribed",
            65400 => "please enable new custom service",
            65401 => "invalid custom service account",
            76001 => "rid not found",
            76002 => "rid is error",
            76003 => "rid belongs to another account",
            76004 => "rid is expired",
            76021 => "cgi_path not found, please check",
            76022 => "could not use this cgi_path, no permission",
            89503 => "this ip's call is waiting for the confirmation of an administrator",
            _ => "error",
        };
        words.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f29_the_address_is_named_as_the_console_wants_it() {
        let caller = |address: &str| Words {
            caller: address.parse().unwrap(),
            app_id: String::new(),
            path: String::new(),
            body: Bytes::new(),
        };
        let words = caller("203.0.113.7");
        assert_eq!(words.of(40164), "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist");
        let words = caller("2001:db8::7");
        assert_eq!(words.of(40164), "invalid ip 2001:db8::7 ipv6 2001:db8::7, not in whitelist");
    }
}
