//! The demo page and the control endpoints as a browser meets them.

use crate::support::*;

#[tokio::test]
async fn the_page_loads_nothing_from_outside_and_has_a_policy() {
    let (sim, _control) = sim(|_| ()).await;
    for file in ["/", "/page.css", "/page.js", "/words.js"] {
        let response = http().get(format!("{}{file}", sim.control_url)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
        let text = response.text().await.unwrap();
        assert!(!text.contains("http://") && !text.contains("https://"), "{file}");
        assert!(!text.contains(" style=") && !text.contains(" onclick="), "{file}");
        assert!(text.len() > 200, "{file}");
    }
}

#[tokio::test]
async fn other_sites_cannot_call_the_control_endpoints() {
    let (sim, _control) = sim(|_| ()).await;
    let url = format!("{}/sim/state", sim.control_url);
    for (site, status) in [("cross-site", 403), ("same-origin", 200), ("none", 200)] {
        let response = http().get(&url).header("sec-fetch-site", site).send().await.unwrap();
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn a_stopped_simulator_leaves_its_ports() {
    let (sim, _control) = sim(|_| ()).await;
    let url = sim.control_url.clone();
    sim.shutdown().await;
    let address = url.strip_prefix("http://").unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
