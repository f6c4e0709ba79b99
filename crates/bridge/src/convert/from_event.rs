//! What a customer does besides writing, as a line that an agent can read.

use desk::Language;
use desk::words::{Act, act};
use wechat::Event;

/// The line for a tap, a scan or a follow by QR code; `None` for what says nothing to an agent.
pub(crate) fn line(event: &Event, language: Language) -> Option<String> {
    let (which, more) = match event {
        Event::Click { key } => (Act::Menu, vec![key]),
        Event::Scan { scene, .. } => (Act::Scan, vec![scene]),
        Event::Subscribe { scene: Some(scene), .. } => (Act::FollowedBy, vec![scene]),
        Event::ScancodePush { key, scan } | Event::ScancodeWaitmsg { key, scan } => {
            (Act::ScannedCode, vec![key, &scan.result])
        }
        Event::PicSysphoto { key, .. }
        | Event::PicPhotoOrAlbum { key, .. }
        | Event::PicWeixin { key, .. } => (Act::Pictures, vec![key]),
        Event::LocationSelect { key, label, poi_name, .. } => (Act::Place, vec![key, poi_name, label]),
        _ => return None,
    };
    let more: Vec<String> =
        more.into_iter().map(|text| one_line(text)).filter(|text| !text.is_empty()).collect();
    Some(act(language, which, &more.join(" · ")))
}

/// A key or a scene has 64 characters at most; a scanned code may hold anything.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    if text.chars().count() <= 300 {
        text.to_owned()
    } else {
        text.chars().take(300).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wechat::ScanCode;

    #[test]
    fn taps_and_scans_become_lines_with_their_key_or_scene() {
        let zh = |event: Event| line(&event, Language::Zh).unwrap();
        assert_eq!(zh(Event::Click { key: "CALL_AGENT".into() }), "[点击菜单：CALL_AGENT]");
        assert_eq!(zh(Event::Scan { scene: "shop_12".into(), ticket: None }), "[扫描二维码：shop_12]");
        let scan = ScanCode { scan_type: "qrcode".into(), result: "ORDER-9\n".into() };
        assert_eq!(zh(Event::ScancodeWaitmsg { key: "SCAN".into(), scan }), "[扫码：SCAN · ORDER-9]");
        let followed = Event::Subscribe { scene: Some("shop_12".into()), ticket: None };
        assert_eq!(line(&followed, Language::En).unwrap(), "[followed by QR code: shop_12]");
        assert_eq!(line(&Event::Subscribe { scene: None, ticket: None }, Language::En), None);
        assert_eq!(
            line(&Event::View { url: "https://shop.example.com".into(), menu_id: None }, Language::En),
            None
        );
        assert_eq!(zh(Event::Click { key: String::new() }), "[点击菜单]");
    }
}
