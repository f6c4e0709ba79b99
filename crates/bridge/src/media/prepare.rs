//! What came, made fit for the other side. What a file is, its content says; what nobody can show or play is handed over
//! as a file to download, so that nothing is lost.

use desk::{Clock, Content, Entropy, Shape, Still};
use media::{Family, Format, TempFile, amr_seconds, picture};
use store::{MediaFile, MediaId};
use wechat::MediaKind;

use crate::Bridge;

/// The longer side of a preview, in points; IM's own clients make theirs so large.
const PREVIEW: u32 = 198;
/// The longer side of a cover, in points.
const COVER: u32 = 640;
/// The name of a picture that was made to fit.
pub(super) const FITTED: &str = "image.jpg";
/// The most bytes of a file that is held in memory to be converted.
const IN_MEMORY: u64 = 32 * 1024 * 1024;

/// A file that was fetched.
pub(super) struct Brought {
    pub(super) file: TempFile,
    pub(super) sent: Sent,
}

/// What its sender says of a file.
pub(super) struct Sent {
    /// A video's still picture.
    pub(super) still: Option<Vec<u8>>,
    pub(super) shape: Shape,
    /// The name that it was sent with, already without any folder; may be empty.
    pub(super) name: String,
    /// How long the sender says that it plays.
    pub(super) seconds: Option<u64>,
}

/// A file that is to be kept.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) file: TempFile,
    pub(super) about: MediaFile,
}

/// What becomes of a fetched file: what the delivery carries from now on, and all files to be kept, the original first.
pub(super) struct Prepared {
    pub(super) content: Content,
    pub(super) files: Vec<Made>,
}

struct Bench<'a> {
    id: &'a str,
    clock: &'a Clock,
    entropy: &'a Entropy,
    files: Vec<Made>,
}

impl Bench<'_> {
    /// Keeps one more file that was made from the original.
    fn add(&mut self, bytes: &[u8], name: &str, size: (u32, u32), seconds: u64) -> std::io::Result<String> {
        let id = MediaId::new(self.clock, self.entropy).as_str().to_owned();
        let file = TempFile::of(bytes)?;
        let about = about(&file, name, size, seconds);
        self.files.push(Made { id: id.clone(), file, about });
        Ok(id)
    }

    fn still(&mut self, jpeg: &picture::Jpeg, name: &str) -> std::io::Result<Still> {
        let media = self.add(&jpeg.bytes, name, (jpeg.width, jpeg.height), 0)?;
        Ok(Still { media, size: jpeg.bytes.len() as u64, width: jpeg.width, height: jpeg.height })
    }

    fn original(&self) -> &Made {
        &self.files[0]
    }
}

/// What is known of a file before it is kept.
pub(super) fn about(file: &TempFile, name: &str, (width, height): (u32, u32), seconds: u64) -> MediaFile {
    MediaFile {
        name: name.to_owned(),
        content_type: file.format().content_type.to_owned(),
        size: file.size(),
        sha256: file.sha256(),
        width,
        height,
        seconds,
    }
}

impl Bridge {
    /// Work on a picture, where blocking is allowed.
    pub(super) async fn at_the_bench<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<T> {
        let place = self.inner.library.bench.clone().acquire_owned().await.map_err(std::io::Error::other)?;
        let work = move || {
            let _place = place;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)
    }

    /// For the agent's IM client.
    pub(super) async fn prepare_for_agent(&self, id: &str, brought: Brought) -> std::io::Result<Prepared> {
        let Brought { file, sent } = brought;
        let (mut bench, format, shape) = self.bench(id, file, &sent);
        let content = match (shape, format.family) {
            (Shape::Image, Family::Picture) => self.picture(&mut bench, format).await?,
            (Shape::Voice, Family::Sound) => self.playable(&mut bench, format, sent.seconds).await?,
            (Shape::Video, Family::Film) => Some(self.film(&mut bench, format, &sent).await?),
            _ => None,
        };
        Ok(bench.done(content, shape))
    }

    /// For WeChat. What it would refuse goes as a link.
    pub(super) async fn prepare_for_wechat(&self, id: &str, brought: Brought) -> std::io::Result<Prepared> {
        let Brought { file, sent } = brought;
        let (mut bench, format, shape) = self.bench(id, file, &sent);
        let content = match (shape, format.family) {
            (Shape::Image, Family::Picture) => self.sendable_picture(&mut bench, format).await?,
            (Shape::Voice, Family::Sound) => self.sendable_voice(&mut bench, format, sent.seconds).await?,
            (Shape::Video, Family::Film) if wechat_takes(MediaKind::Video, &bench)? => {
                Some(self.film(&mut bench, format, &sent).await?)
            }
            _ => None,
        };
        Ok(bench.done(content, shape))
    }

    fn bench<'a>(&'a self, id: &'a str, file: TempFile, sent: &Sent) -> (Bench<'a>, Format, Shape) {
        let (format, shape) = (file.format(), sent.shape);
        let name = match sent.name.as_str() {
            "" => format!("{}.{}", shape.as_str(), format.extension),
            name => name.to_owned(),
        };
        let about = about(&file, &name, (0, 0), 0);
        let files = vec![Made { id: id.to_owned(), file, about }];
        let bench = Bench { id, clock: &self.inner.clock, entropy: &self.inner.entropy, files };
        (bench, format, shape)
    }

    /// A picture with a small version of it.
    async fn picture(&self, bench: &mut Bench<'_>, format: Format) -> std::io::Result<Option<Content>> {
        let Some(bytes) = in_memory(bench)? else { return Ok(None) };
        let worked = self
            .at_the_bench(move || (picture::measure(&bytes), picture::thumbnail(&bytes, PREVIEW, 64 * 1024)));
        let (Some((width, height)), preview) = worked.await? else { return Ok(None) };
        bench.measured(width, height);
        let preview = preview.map(|jpeg| bench.still(&jpeg, "preview.jpg")).transpose()?;
        Ok(Some(bench.image(format, (width, height), preview)))
    }

    /// A voice in a format that every client plays; none where it cannot be made.
    async fn playable(
        &self,
        bench: &mut Bench<'_>,
        format: Format,
        said: Option<u64>,
    ) -> std::io::Result<Option<Content>> {
        let seconds = self.seconds(bench, format, said).await?;
        bench.lasts(seconds);
        if matches!(format.extension, "mp3" | "m4a") {
            return Ok(Some(bench.voice(None, format.extension, seconds)));
        }
        let Some(ffmpeg) = self.inner.library.settings.ffmpeg.as_ref().filter(|ffmpeg| ffmpeg.makes_mp3())
        else {
            return Ok(None);
        };
        match ffmpeg.mp3(bench.original().file.path(), format).await {
            Ok(mp3) => {
                let id = bench.add(&mp3, "voice.mp3", (0, 0), seconds)?;
                Ok(Some(bench.voice(Some((id, mp3.len() as u64)), "mp3", seconds)))
            }
            Err(error) => {
                tracing::warn!(media = bench.id, %error, "a voice could not be converted; it goes as a link");
                Ok(None)
            }
        }
    }

    /// A video with its cover: the sender's, else its first picture, else one that is always there.
    async fn film(&self, bench: &mut Bench<'_>, format: Format, sent: &Sent) -> std::io::Result<Content> {
        let seconds = self.seconds(bench, format, sent.seconds).await?;
        bench.lasts(seconds);
        let cover =
            |bytes: Vec<u8>| self.at_the_bench(move || picture::thumbnail(&bytes, COVER, wechat::MAX_THUMB));
        let mut jpeg = match sent.still.clone() {
            Some(still) => cover(still).await?,
            None => None,
        };
        if let (None, Some(ffmpeg)) = (&jpeg, &self.inner.library.settings.ffmpeg)
            && let Ok(frame) = ffmpeg.frame(bench.original().file.path(), format).await
        {
            jpeg = cover(frame).await?;
        }
        let jpeg = match jpeg {
            Some(jpeg) => jpeg,
            None => self.at_the_bench(picture::plain_cover).await?,
        };
        let cover = bench.still(&jpeg, "cover.jpg")?;
        let original = bench.original();
        Ok(Content::Video {
            media: original.id.clone(),
            size: original.file.size(),
            seconds,
            extension: format.extension.to_owned(),
            cover,
        })
    }

    async fn sendable_picture(
        &self,
        bench: &mut Bench<'_>,
        format: Format,
    ) -> std::io::Result<Option<Content>> {
        let Some(bytes) = in_memory(bench)? else { return Ok(None) };
        if MediaKind::Image.check(&bytes).is_ok() {
            let Some((width, height)) = picture::measure(&bytes) else { return Ok(None) };
            bench.measured(width, height);
            return Ok(Some(bench.image(format, (width, height), None)));
        }
        let fitted = self.at_the_bench(move || picture::fit(&bytes, wechat::SAFE_IMAGE));
        let Some(jpeg) = fitted.await? else { return Ok(None) };
        let still = bench.still(&jpeg, FITTED)?;
        Ok(Some(fitted_picture(still)))
    }

    /// As it is where WeChat takes it; else converted, if it is not too long.
    async fn sendable_voice(
        &self,
        bench: &mut Bench<'_>,
        format: Format,
        said: Option<u64>,
    ) -> std::io::Result<Option<Content>> {
        let seconds = self.seconds(bench, format, said).await?;
        bench.lasts(seconds);
        if seconds > wechat::MAX_VOICE_SECONDS as u64 {
            return Ok(None);
        }
        // WeChat's clients play narrow AMR alone.
        if wechat_takes(MediaKind::Voice, bench)? && format != Format::AMR_WIDE {
            return Ok(Some(bench.voice(None, format.extension, seconds)));
        }
        let Some(ffmpeg) = &self.inner.library.settings.ffmpeg else { return Ok(None) };
        let path = bench.original().file.path().to_owned();
        let (converted, extension) = match (ffmpeg.makes_mp3(), ffmpeg.makes_amr()) {
            (true, _) => (ffmpeg.mp3(&path, format).await, "mp3"),
            (false, true) => (ffmpeg.amr(&path, format).await, "amr"),
            (false, false) => return Ok(None),
        };
        match converted {
            Ok(voice) if MediaKind::Voice.check(&voice).is_ok() => {
                let id = bench.add(&voice, &format!("voice.{extension}"), (0, 0), seconds)?;
                Ok(Some(bench.voice(Some((id, voice.len() as u64)), extension, seconds)))
            }
            Ok(_) => Ok(None),
            Err(error) => {
                tracing::warn!(media = bench.id, %error, "a voice could not be converted; it goes as a link");
                Ok(None)
            }
        }
    }

    /// How long it plays, as its content says; else as the sender says.
    async fn seconds(&self, bench: &Bench<'_>, format: Format, said: Option<u64>) -> std::io::Result<u64> {
        let original = &bench.original().file;
        if matches!(format.extension, "amr" | "awb")
            && let Some(bytes) = in_memory(bench)?
            && let Some(seconds) = amr_seconds(&bytes)
        {
            return Ok(seconds);
        }
        let measured = match &self.inner.library.settings.ffmpeg {
            Some(ffmpeg) => ffmpeg.seconds(original.path(), format).await,
            None => None,
        };
        Ok(measured.or(said).unwrap_or(0))
    }
}

impl Bench<'_> {
    fn measured(&mut self, width: u32, height: u32) {
        let about = &mut self.files[0].about;
        (about.width, about.height) = (width, height);
    }

    fn lasts(&mut self, seconds: u64) {
        self.files[0].about.seconds = seconds;
    }

    fn image(&self, format: Format, (width, height): (u32, u32), preview: Option<Still>) -> Content {
        let original = self.original();
        Content::Image {
            media: original.id.clone(),
            size: original.file.size(),
            width,
            height,
            extension: format.extension.to_owned(),
            preview,
        }
    }

    fn voice(&self, converted: Option<(String, u64)>, extension: &str, seconds: u64) -> Content {
        let original = self.original();
        let (media, size) = converted.unwrap_or_else(|| (original.id.clone(), original.file.size()));
        Content::Voice { media, size, seconds, extension: extension.to_owned() }
    }

    fn done(self, content: Option<Content>, shape: Shape) -> Prepared {
        let original = self.original();
        let content = content.unwrap_or_else(|| Content::File {
            media: original.id.clone(),
            size: original.file.size(),
            name: original.about.name.clone(),
            shape,
        });
        Prepared { content, files: self.files }
    }
}

/// What a delivery carries whose picture was made to fit.
pub(super) fn fitted_picture(Still { media, size, width, height }: Still) -> Content {
    Content::Image { media, size, width, height, extension: "jpg".to_owned(), preview: None }
}

/// The original's bytes, unless it is too large to be held in memory.
fn in_memory(bench: &Bench<'_>) -> std::io::Result<Option<Vec<u8>>> {
    let file = &bench.original().file;
    if file.size() > IN_MEMORY { Ok(None) } else { file.bytes().map(Some) }
}

fn wechat_takes(kind: MediaKind, bench: &Bench<'_>) -> std::io::Result<bool> {
    let file = &bench.original().file;
    Ok(file.size() <= kind.max_bytes() as u64 && kind.check(&file.bytes()?).is_ok())
}
