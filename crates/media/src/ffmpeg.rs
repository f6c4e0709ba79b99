//! `ffmpeg`, where it is found: voices that both sides can play, lengths, and covers of videos.
//!
//! What it is given comes from strangers: the demuxer is named, never guessed, nothing but the file itself may be
//! opened (a playlist could name others), one thread, no more than so many bytes and seconds.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Semaphore;

use crate::sniff::{Family, Format};

/// For one conversion.
const TIMEOUT: Duration = Duration::from_secs(40);
/// Conversions at a time.
const AT_A_TIME: usize = 2;
/// What a conversion may give at most, in bytes.
const MAX_OUTPUT: usize = 16 * 1024 * 1024;

/// Why a conversion failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FfmpegError {
    /// It is not known how to read this.
    #[error("there is no decoder for this format")]
    Format,
    /// The program could not be run.
    #[error("ffmpeg cannot be run: {0}")]
    Run(#[source] std::io::Error),
    /// It did not end in time.
    #[error("ffmpeg took too long")]
    Timeout,
    /// It refused the file, or gave nothing.
    #[error("ffmpeg could not convert the file")]
    Refused,
}

/// The program. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ffmpeg {
    program: PathBuf,
    probe: PathBuf,
    mp3: bool,
    amr: bool,
    slots: Arc<Semaphore>,
}

impl Ffmpeg {
    /// Asks the program what it can do; `None` when it cannot be run.
    pub async fn find(program: &str) -> Option<Ffmpeg> {
        let told = output(Command::new(program).args(["-hide_banner", "-encoders"])).await.ok()?;
        let told = String::from_utf8_lossy(&told).into_owned();
        let has = |name: &str| told.lines().any(|line| line.split_whitespace().nth(1) == Some(name));
        let path = Path::new(program);
        let probe = match path.file_name().and_then(OsStr::to_str) {
            Some(name) => path.with_file_name(name.replace("ffmpeg", "ffprobe")),
            None => PathBuf::from("ffprobe"),
        };
        let slots = Arc::new(Semaphore::new(AT_A_TIME));
        Some(Ffmpeg {
            program: path.to_owned(),
            probe,
            mp3: has("libmp3lame"),
            amr: has("libopencore_amrnb"),
            slots,
        })
    }

    /// Whether it makes MP3.
    pub fn makes_mp3(&self) -> bool {
        self.mp3
    }

    /// Whether it makes AMR.
    pub fn makes_amr(&self) -> bool {
        self.amr
    }

    /// A voice as MP3, one channel.
    ///
    /// # Errors
    /// See [`FfmpegError`].
    pub async fn mp3(&self, file: &Path, format: Format) -> Result<Vec<u8>, FfmpegError> {
        // Without Xing's frame the file holds sound alone, so that its length can be counted.
        self.convert(
            file,
            format,
            &["-vn", "-ac", "1", "-ar", "16000", "-b:a", "32k", "-write_xing", "0", "-f", "mp3"],
        )
        .await
    }

    /// A voice as AMR, 8 kHz.
    ///
    /// # Errors
    /// See [`FfmpegError`].
    pub async fn amr(&self, file: &Path, format: Format) -> Result<Vec<u8>, FfmpegError> {
        self.convert(file, format, &["-vn", "-ac", "1", "-ar", "8000", "-b:a", "12.2k", "-f", "amr"]).await
    }

    /// The first picture of a video, as JPEG of at most 640 points a side.
    ///
    /// # Errors
    /// See [`FfmpegError`].
    pub async fn frame(&self, file: &Path, format: Format) -> Result<Vec<u8>, FfmpegError> {
        let scale = "scale='min(640,iw)':'min(640,ih)':force_original_aspect_ratio=decrease";
        self.convert(
            file,
            format,
            &["-an", "-frames:v", "1", "-vf", scale, "-c:v", "mjpeg", "-f", "image2pipe"],
        )
        .await
    }

    /// How long a sound or video plays, in seconds, rounded up; `None` when it does not tell.
    pub async fn seconds(&self, file: &Path, format: Format) -> Option<u64> {
        let _slot = self.slots.acquire().await.ok()?;
        let mut command = Command::new(&self.probe);
        command.args(["-v", "error", "-protocol_whitelist", "file", "-f", demuxer(format)?]);
        command.args(["-show_entries", "format=duration", "-of", "csv=p=0"]).arg(file);
        let told = output(&mut command).await.ok()?;
        let seconds: f64 = std::str::from_utf8(&told).ok()?.trim().parse().ok()?;
        (seconds.is_finite() && (0.0..86_400.0).contains(&seconds)).then_some(seconds.ceil() as u64)
    }

    async fn convert(&self, file: &Path, format: Format, how: &[&str]) -> Result<Vec<u8>, FfmpegError> {
        let demuxer = demuxer(format).ok_or(FfmpegError::Format)?;
        let _slot = self.slots.acquire().await.map_err(|_| FfmpegError::Timeout)?;
        let mut command = Command::new(&self.program);
        command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1"]);
        // A film may claim any size, as a picture may.
        command.args(["-max_alloc", "268435456", "-max_pixels", "33177600"]);
        command.args(["-protocol_whitelist", "file", "-f", demuxer, "-i"]).arg(file);
        command.args(["-map_metadata", "-1", "-fs", &MAX_OUTPUT.to_string()]).args(how).arg("pipe:1");
        let bytes = output(&mut command).await?;
        if bytes.is_empty() { Err(FfmpegError::Refused) } else { Ok(bytes) }
    }
}

/// What a program says, if it ends well and in time. It is killed otherwise.
async fn output(command: &mut Command) -> Result<Vec<u8>, FfmpegError> {
    command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path);
    let run = command.output();
    let done = tokio::time::timeout(TIMEOUT, run).await.map_err(|_| FfmpegError::Timeout)?;
    let done = done.map_err(FfmpegError::Run)?;
    if done.status.success() { Ok(done.stdout) } else { Err(FfmpegError::Refused) }
}

/// The one demuxer that may read a format.
fn demuxer(format: Format) -> Option<&'static str> {
    Some(match (format.family, format.extension) {
        (Family::Sound, "amr" | "awb") => "amr",
        (Family::Sound, "mp3") => "mp3",
        (Family::Sound, "aac") => "aac",
        (Family::Sound, "m4a") | (Family::Film, "mp4" | "mov") => "mov",
        (Family::Sound, "ogg") => "ogg",
        (Family::Sound, "wav") => "wav",
        (Family::Sound, "flac") => "flac",
        (Family::Film, "webm") => "matroska",
        _ => return None,
    })
}
