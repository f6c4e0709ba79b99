//! A second gateway process on the same database.

use super::{PATIENCE, World, free_port};
use serde_json::json;
use std::process::Child;
use std::time::{Duration, Instant};

pub(crate) struct Second {
    child: Child,
    pub(crate) webhooks: String,
    pub(crate) admin: String,
}

impl World {
    /// Starts one, with the same configuration but for its addresses, and waits until it is ready.
    pub(crate) async fn second(&self) -> Second {
        let (port, admin_port) = (free_port(), free_port());
        let own = |url: &str| url.rsplit(':').next().unwrap().to_owned();
        let text = std::fs::read_to_string(&self.config).unwrap();
        let text = text
            .replace(&format!("127.0.0.1:{}\"", own(&self.webhooks)), &format!("127.0.0.1:{port}\""))
            .replace(&format!("127.0.0.1:{}\"", own(&self.admin)), &format!("127.0.0.1:{admin_port}\""));
        let config = self.folder.path().join("second.toml");
        std::fs::write(&config, text).unwrap();
        let mut second = Second {
            child: self.process(&config, &[], &[]),
            webhooks: format!("http://127.0.0.1:{port}"),
            admin: format!("http://127.0.0.1:{admin_port}"),
        };
        let begun = Instant::now();
        while !reqwest::get(format!("{}/readyz", second.admin))
            .await
            .is_ok_and(|answer| answer.status() == 200)
        {
            assert!(begun.elapsed() < PATIENCE, "the second gateway is not ready:\n{}", self.log());
            assert!(second.child.try_wait().unwrap().is_none(), "the second gateway ended:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        second
    }

    /// Lets both clouds send their webhooks to another address.
    pub(crate) async fn route_webhooks_to(&self, webhooks: &str) {
        let settings = json!({"app_id": self.app_id(), "webhook_url": format!("{webhooks}/wechat/shop")});
        self.control.configure(settings).await.unwrap();
        self.control.configure(json!({"callback_url": format!("{webhooks}/imcallback")})).await.unwrap();
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
