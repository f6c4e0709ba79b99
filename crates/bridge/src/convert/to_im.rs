//! What a delivery carries, as an element of IM. Links are made by the caller: this file knows no key.

use desk::{Content, Shape, Still};
use im::{Element, ImageInfo};

/// "Download from the URL": the only value that is taken.
const DOWNLOAD: u32 = 2;

/// The element; `None` where words say it better. `link` gives the address of a file by its id and name.
pub(crate) fn element(content: &Content, link: impl Fn(&str, &str) -> Option<String>) -> Option<Element> {
    match content {
        Content::Wanted { .. } => None,
        Content::Image { media, size, width, height, extension, preview } => {
            let url = link(media, &content.file()?.1)?;
            let original = |kind| info(kind, *size, *width, *height, url.clone());
            let mut images = vec![original(1), original(2)];
            images.push(match preview {
                Some(preview) => {
                    let url = link(&preview.media, "preview.jpg")?;
                    info(3, preview.size, preview.width, preview.height, url)
                }
                None => original(3),
            });
            Some(Element::Image {
                uuid: Some(media.clone()),
                image_format: Some(image_format(extension)),
                images,
                other: im::Other::new(),
            })
        }
        Content::Voice { media, size, seconds, .. } => Some(Element::Sound {
            url: Some(link(media, &content.file()?.1)?),
            uuid: Some(media.clone()),
            size: Some(*size),
            second: Some(*seconds),
            download_flag: Some(DOWNLOAD),
            other: im::Other::new(),
        }),
        Content::Video { media, size, seconds, extension, cover } => {
            let Still { media: still, size: still_size, width, height } = cover;
            Some(Element::Video {
                video_url: Some(link(media, &content.file()?.1)?),
                video_uuid: Some(media.clone()),
                video_size: Some(*size),
                video_second: Some(*seconds),
                video_format: Some(extension.clone()),
                video_download_flag: Some(DOWNLOAD),
                thumb_url: Some(link(still, "cover.jpg")?),
                thumb_uuid: Some(still.clone()),
                thumb_size: Some(*still_size),
                thumb_width: Some(u64::from(*width)),
                thumb_height: Some(u64::from(*height)),
                thumb_format: Some("JPG".to_owned()),
                thumb_download_flag: Some(DOWNLOAD),
                other: im::Other::new(),
            })
        }
        // A voice that no client plays is a link to open, not a file to look for.
        Content::File { shape: Shape::Voice, .. } => None,
        Content::File { media, size, name, .. } => Some(Element::File {
            url: Some(link(media, name)?),
            uuid: Some(media.clone()),
            file_name: Some(name.clone()),
            file_size: Some(*size),
            download_flag: Some(DOWNLOAD),
            other: im::Other::new(),
        }),
        Content::Place { latitude, longitude, name } => Some(Element::Location {
            desc: Some(name.clone()),
            latitude: *latitude,
            longitude: *longitude,
            other: im::Other::new(),
        }),
    }
}

fn info(kind: u32, size: u64, width: u32, height: u32, url: String) -> ImageInfo {
    ImageInfo {
        kind: Some(kind),
        size: Some(size),
        width: Some(u64::from(width)),
        height: Some(u64::from(height)),
        url: Some(url),
        other: im::Other::new(),
    }
}

fn image_format(extension: &str) -> u32 {
    match extension {
        "jpg" => 1,
        "gif" => 2,
        "png" => 3,
        "bmp" => 4,
        _ => 255,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_required_field_of_an_element_is_there() {
        let still = Still { media: "s".into(), size: 7, width: 198, height: 99 };
        let link = |id: &str, name: &str| Some(format!("https://m/{id}/{name}"));
        let picture = Content::Image {
            media: "p".into(),
            size: 900,
            width: 800,
            height: 400,
            extension: "png".into(),
            preview: Some(still.clone()),
        };
        let json = serde_json::to_value(element(&picture, link).unwrap()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"MsgType": "TIMImageElem", "MsgContent": {"UUID": "p", "ImageFormat": 3, "ImageInfoArray": [
                {"Type": 1, "Size": 900, "Width": 800, "Height": 400, "URL": "https://m/p/image.png"},
                {"Type": 2, "Size": 900, "Width": 800, "Height": 400, "URL": "https://m/p/image.png"},
                {"Type": 3, "Size": 7, "Width": 198, "Height": 99, "URL": "https://m/s/preview.jpg"}]}})
        );
        let film =
            Content::Video { media: "v".into(), size: 9, seconds: 3, extension: "mp4".into(), cover: still };
        let json = serde_json::to_value(element(&film, link).unwrap()).unwrap();
        assert_eq!(json["MsgContent"]["VideoDownloadFlag"], 2);
        assert_eq!(json["MsgContent"]["ThumbUrl"], "https://m/s/cover.jpg");
        assert_eq!(json["MsgContent"]["ThumbFormat"], "JPG");
        assert_eq!(element(&picture, |_, _| None), None);
    }
}
