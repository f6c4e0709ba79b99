//! Pictures: how large they are, small versions for chats, and versions that fit under a limit.
//!
//! A picture of a stranger may claim any size: what it would need in memory is known before anything is decoded.
//! These functions take processor time; call them where blocking is allowed.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage};

/// The most points that are decoded: more than telephones make.
const MAX_POINTS: u64 = 64_000_000;
/// A picture of more than this many points has a byte for each [`SPARSE`] of them at least, or is not worth its decoding: a
/// file of a hundred bytes may claim sixteen million points.
const LARGE: u64 = 1_000_000;
const SPARSE: u64 = 1_000;
/// The longer side of a picture that is made to fit, at most, in points: more than any phone shows.
const LONGEST: u32 = 2_560;
/// The most memory that a decoded picture may take, and its decoder beside it, in bytes each.
const MAX_MEMORY: u64 = 256 * 1024 * 1024;

/// A JPEG that was made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jpeg {
    /// The file.
    pub bytes: Vec<u8>,
    /// In points.
    pub width: u32,
    /// In points.
    pub height: u32,
}

/// Width and height in points, from the file's head; nothing is decoded. `None` for what is no picture that can be
/// decoded here.
pub fn measure(bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, height) =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?.into_dimensions().ok()?;
    (width > 0 && height > 0).then_some((width, height))
}

/// A JPEG whose longer side has at most `longest` points, and whose size is at most `max_bytes`. `None` when the picture
/// cannot be decoded, or is too large for it.
pub fn thumbnail(bytes: &[u8], longest: u32, max_bytes: usize) -> Option<Jpeg> {
    let picture = decode(bytes)?;
    let small = if picture.width().max(picture.height()) > longest {
        picture.thumbnail(longest, longest)
    } else {
        picture
    };
    shrink(small, max_bytes)
}

/// The picture as a JPEG of at most `max_bytes`, as large as that and a phone allow. `None` as for [`thumbnail`].
pub fn fit(bytes: &[u8], max_bytes: usize) -> Option<Jpeg> {
    thumbnail(bytes, LONGEST, max_bytes)
}

/// The cover of a video that has none: dark, with a triangle to be pressed.
pub fn plain_cover() -> Jpeg {
    let (width, height) = (320_u32, 180_u32);
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let (right, down) = (i64::from(x) - 140, (i64::from(y) - 90).abs());
        let inside = (0..=48).contains(&right) && down * 48 <= (48 - right) * 28;
        image::Rgb(if inside { [235; 3] } else { [42, 44, 48] })
    });
    let mut bytes = Vec::new();
    // Into memory, a picture of a fixed size: nothing can fail.
    drop(JpegEncoder::new_with_quality(&mut bytes, 80).encode_image(&picture));
    Jpeg { bytes, width, height }
}

fn decode(bytes: &[u8]) -> Option<DynamicImage> {
    let (width, height) = measure(bytes)?;
    let points = u64::from(width) * u64::from(height);
    if points > MAX_POINTS || (points > LARGE && points / SPARSE > bytes.len() as u64) {
        return None;
    }
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    if decoder.total_bytes() > MAX_MEMORY {
        return None;
    }
    let orientation = decoder.orientation().ok();
    let mut picture = DynamicImage::from_decoder(decoder).ok()?;
    if let Some(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    Some(picture)
}

/// Lower quality first, then fewer points.
fn shrink(picture: DynamicImage, max_bytes: usize) -> Option<Jpeg> {
    let mut picture = on_white(picture);
    for _ in 0..8 {
        for quality in [85, 70, 55] {
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&picture).ok()?;
            if bytes.len() <= max_bytes {
                return Some(Jpeg { width: picture.width(), height: picture.height(), bytes });
            }
        }
        let (width, height) = ((picture.width() * 2 / 3).max(1), (picture.height() * 2 / 3).max(1));
        picture = image::imageops::thumbnail(&picture, width, height);
    }
    None
}

/// JPEG knows no transparency.
fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let from = picture.into_rgba8();
    let mut to = RgbImage::new(from.width(), from.height());
    for (old, new) in from.pixels().zip(to.pixels_mut()) {
        let [red, green, blue, alpha] = old.0.map(u32::from);
        let mix = |part: u32| u8::try_from((part * alpha + 255 * (255 - alpha)) / 255).unwrap_or(255);
        new.0 = [mix(red), mix(green), mix(blue)];
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, RgbaImage};

    fn noise(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut state = 1_u32;
        let picture = RgbaImage::from_fn(width, height, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [a, b, c, _] = state.to_be_bytes();
            image::Rgba([a, b, c, 255])
        });
        let mut bytes = Cursor::new(Vec::new());
        let picture = DynamicImage::from(picture);
        let picture = if format == ImageFormat::Jpeg { picture.into_rgb8().into() } else { picture };
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn pictures_are_measured_and_shrunk() {
        for format in
            [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP, ImageFormat::Bmp]
        {
            let bytes = noise(300, 500, format);
            assert_eq!(measure(&bytes), Some((300, 500)), "{format:?}");
            let small = thumbnail(&bytes, 198, 64 * 1024).unwrap();
            assert_eq!(small.height.max(small.width), 198, "{format:?}");
            assert_eq!(measure(&small.bytes), Some((small.width, small.height)));
        }
        let large = noise(600, 400, ImageFormat::Png);
        let fitted = fit(&large, 40_000).unwrap();
        assert!(fitted.bytes.len() <= 40_000 && fitted.width < 600);
        assert!(fit(&large, 10).is_none());
    }

    #[test]
    fn transparent_points_become_white() {
        let clear = DynamicImage::from(RgbaImage::from_pixel(9, 9, image::Rgba([0, 0, 0, 0])));
        let mut bytes = Cursor::new(Vec::new());
        clear.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let shown = decode(&thumbnail(&bytes.into_inner(), 9, 9_999).unwrap().bytes).unwrap().into_rgb8();
        assert!(shown.pixels().all(|point| point.0.iter().all(|part| *part > 250)));
    }

    #[test]
    fn hostile_pictures_cost_nothing() {
        // A PNG whose head claims 60,000 × 60,000 points.
        let mut huge = noise(8, 8, ImageFormat::Png);
        huge[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let begun = std::time::Instant::now();
        assert!(thumbnail(&huge, 198, 64 * 1024).is_none());
        assert!(begun.elapsed().as_millis() < 500);
        // Found by fuzzing: a GIF of forty-nine bytes that claims sixteen million points, and is a point large.
        let mut sparse = b"GIF89a\x01\xff\xff\0\x80\xff\0\0\xff\0\0\xff\0!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01".to_vec();
        sparse.extend([0; 6]);
        assert_eq!(measure(&sparse), Some((65_281, 255)));
        assert!(thumbnail(&sparse, 198, 64 * 1024).is_none());
        // Cut off: the head can be read, the rest cannot.
        let whole = noise(300, 300, ImageFormat::Jpeg);
        assert_eq!(measure(&whole[..2_000]), Some((300, 300)));
        for end in [0, 1, 5, 100] {
            assert!(thumbnail(&whole[..end], 198, 64 * 1024).is_none());
        }
        assert_eq!(measure(b"GIF89a\0\0\0\0\0\0\0"), None);
        // A page with the first bytes of a picture.
        assert!(thumbnail(b"\xff\xd8\xff<script>alert(1)</script>", 198, 64 * 1024).is_none());
    }
}
