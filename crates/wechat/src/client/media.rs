//! Temporary media: up, and down again. Start at [`Client::upload_media`] and [`Client::get_media`].
//!
//! WeChat keeps them for three days, those of customers too. For certified accounts.

use std::fmt;

use reqwest::Url;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap};
use reqwest::multipart::{Form, Part};
use secrecy::{ExposeSecret, SecretString};

use crate::client::answer::{self, Answer};
use crate::client::{CallError, Client, Fault, fault, read, unreadable};
use crate::media::{ArticleImage, Media, MediaFormat};
use crate::wire;

/// Longest body that may be JSON though its content type says otherwise, in bytes.
const MAX_SMALL: usize = 4 * 1024;

/// A file that WeChat has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Valid for three days, in this account alone, as often as wanted.
    pub media_id: String,
    /// When, seconds since 1970.
    pub created_at: Option<i64>,
}

/// What [`Client::get_media`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Download {
    /// The file itself.
    File(MediaFile),
    /// Where the file is: so for a video. [`Client::get_address`] reads it, without a token.
    Address(String),
}

/// A file from WeChat. `Debug` shows its size alone.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// The content.
    pub bytes: Vec<u8>,
    /// `Content-Type` as received. WeChat's pages do not say which one a voice message has; ask
    /// [`MediaFile::format`].
    pub content_type: Option<String>,
    /// The name of `Content-Disposition`, when it is a plain one. Made by WeChat from the id.
    pub file_name: Option<String>,
}

impl MediaFile {
    /// What the content says that it is; `None` for what this crate does not know, such as speex.
    pub fn format(&self) -> Option<MediaFormat> {
        MediaFormat::of(&self.bytes)
    }
}

impl fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("MediaFile");
        debug.field("bytes", &self.bytes.len()).field("content_type", &self.content_type);
        debug.finish_non_exhaustive()
    }
}

impl Client {
    /// Uploads a temporary file (`POST /cgi-bin/media/upload`). The content is copied once, for the time of the call.
    ///
    /// Vendor page: `/doc/service/api/material/temporary/api_uploadtempmedia`.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; after any of them the upload may be repeated, at the cost of one call.
    #[tracing::instrument(name = "wechat.upload_media", skip_all, fields(kind = media.kind().name()))]
    pub async fn upload_media(
        &self,
        access_token: &SecretString,
        media: &Media,
    ) -> Result<Uploaded, CallError> {
        let form = Form::new().part("media", part(media)?);
        let answer = self.upload(wire::MEDIA_UPLOAD, access_token, Some(media), form).await?;
        // For a thumbnail the id has another name.
        let media_id = answer.optional("media_id").or_else(|| answer.optional("thumb_media_id"));
        let media_id = media_id.ok_or_else(unreadable)?;
        Ok(Uploaded { media_id, created_at: answer.number("created_at") })
    }

    /// Uploads a picture for the inside of an article and gives its address, which is also fit for the picture
    /// of a card (`POST /cgi-bin/media/uploadimg`). It counts in no limit of material.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    #[tracing::instrument(name = "wechat.upload_article_image", skip_all)]
    pub async fn upload_article_image(
        &self,
        access_token: &SecretString,
        image: &ArticleImage,
    ) -> Result<String, CallError> {
        let form = Form::new().part("media", part(&image.0)?);
        let answer = self.upload(wire::UPLOAD_IMG, access_token, None, form).await?;
        answer.optional("url").ok_or_else(unreadable)
    }

    /// Reads a temporary file, of the account's or a customer's, of at most `max_bytes`
    /// (`GET /cgi-bin/media/get`). Nothing beyond that is held in memory.
    ///
    /// A voice message comes in 8 kHz AMR; in 16 kHz with the customer's `media_id_16k`.
    ///
    /// Vendor page: `/doc/service/Asset_Management/Get_temporary_materials.html`.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; 40007 when the id is unknown or older than three days. [`Fault::TooLarge`] for a file
    /// over `max_bytes`. An error is recognised whatever its content type is.
    #[tracing::instrument(name = "wechat.get_media", skip_all)]
    pub async fn get_media(
        &self,
        access_token: &SecretString,
        media_id: &str,
        max_bytes: usize,
    ) -> Result<Download, CallError> {
        let request = self.get(wire::MEDIA_GET, access_token, &[("media_id", media_id)]);
        match self.download(request, max_bytes, &[access_token.expose_secret()]).await? {
            Body::File(file) => Ok(Download::File(file)),
            Body::Answer(answer) => {
                answer.optional("video_url").map(Download::Address).ok_or_else(unreadable)
            }
        }
    }

    /// Reads a voice message that a web page recorded with the JS-SDK, in 16 kHz speex
    /// (`GET /cgi-bin/media/get/jssdk`). Not for voice messages of the chat.
    ///
    /// Vendor page: `/doc/service/api/material/temporary/api_gethdvoice`.
    ///
    /// # Errors
    ///
    /// As [`Client::get_media`].
    #[tracing::instrument(name = "wechat.get_jssdk_voice", skip_all)]
    pub async fn get_jssdk_voice(
        &self,
        access_token: &SecretString,
        media_id: &str,
        max_bytes: usize,
    ) -> Result<MediaFile, CallError> {
        let request = self.get(wire::MEDIA_GET_JSSDK, access_token, &[("media_id", media_id)]);
        match self.download(request, max_bytes, &[access_token.expose_secret()]).await? {
            Body::File(file) => Ok(file),
            Body::Answer(_) => Err(unreadable()),
        }
    }

    /// Reads what an address of WeChat's holds, without a token: a [`Download::Address`], or a message's
    /// `PicUrl`. Only hosts under `qpic.cn` and `qq.com` are asked, and the one of this client's
    /// base URL: the address came with a message, and nobody else's servers are to be reached through it.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; [`Fault::Address`] when the host is another.
    #[tracing::instrument(name = "wechat.get_address", skip_all)]
    pub async fn get_address(&self, address: &str, max_bytes: usize) -> Result<MediaFile, CallError> {
        let url = Url::parse(address.trim()).ok().filter(|url| self.may_ask(url));
        let url = url.ok_or(CallError::NotSent(Fault::Address))?;
        match self.download(self.http.get(url), max_bytes, &[]).await? {
            Body::File(file) => Ok(file),
            Body::Answer(_) => Err(unreadable()),
        }
    }

    /// Whether an address is one that [`Client::get_address`] would ask: for whoever downloads by other means.
    pub fn knows_address(&self, address: &str) -> bool {
        Url::parse(address.trim()).is_ok_and(|url| self.may_ask(&url))
    }

    fn may_ask(&self, url: &Url) -> bool {
        let ours = url.origin() == self.base_url.origin();
        let theirs = url.domain().is_some_and(|host| {
            let host = host.trim_end_matches('.');
            ["qpic.cn", "qq.com"].iter().any(|domain| {
                host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
        });
        let plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty();
        plain && url.password().is_none() && (ours || (theirs && url.port().is_none()))
    }

    /// A POST of a form. `typed` is the media whose kind the parameter `type` names.
    pub(super) async fn upload(
        &self,
        path: &str,
        access_token: &SecretString,
        typed: Option<&Media>,
        form: Form,
    ) -> Result<Answer, CallError> {
        let token = access_token.expose_secret();
        let mut request = self.http.post(self.url(path)).query(&[("access_token", token)]);
        if let Some(media) = typed {
            request = request.query(&[("type", media.kind().name())]);
        }
        let response = self.exchange(request.multipart(form), self.media_timeout).await?;
        answer::judge(&read(response, super::MAX_ANSWER).await?, &[token])
    }

    /// Reads a file, or the JSON that came in its place.
    pub(super) async fn download(
        &self,
        request: reqwest::RequestBuilder,
        max_bytes: usize,
        hidden: &[&str],
    ) -> Result<Body, CallError> {
        let response = self.exchange(request, self.media_timeout).await?;
        let content_type = header(response.headers(), CONTENT_TYPE.as_str());
        let file_name = header(response.headers(), CONTENT_DISPOSITION.as_str()).and_then(|v| file_name(&v));
        // An error must be readable whatever small limit is set.
        let bytes = read(response, max_bytes.max(MAX_SMALL)).await?;
        sort(MediaFile { bytes, content_type, file_name }, max_bytes, hidden)
    }
}

/// Tells a file from the JSON, or a proxy's page, that came in its place.
fn sort(file: MediaFile, max_bytes: usize, hidden: &[&str]) -> Result<Body, CallError> {
    let bytes = &file.bytes;
    if bytes.is_empty() {
        return Err(CallError::Unclear(Fault::Empty));
    }
    let says_text = file.content_type.as_deref().is_some_and(is_text);
    let start = bytes.trim_ascii_start();
    if start.starts_with(b"{") && (says_text || bytes.len() <= MAX_SMALL) {
        match answer::judge(bytes, hidden) {
            // Some file that happens to begin with a brace.
            Err(CallError::Unclear(Fault::Unreadable)) if !says_text => {}
            judged => return judged.map(Body::Answer),
        }
    }
    let is_page = start.starts_with(b"<");
    if is_page || (says_text && MediaFormat::of(bytes).is_none()) {
        return Err(unreadable());
    }
    if bytes.len() > max_bytes {
        return Err(CallError::Unclear(Fault::TooLarge));
    }
    Ok(Body::File(file))
}

/// What comes back where a file was asked for.
pub(super) enum Body {
    File(MediaFile),
    Answer(Answer),
}

/// The part called `media`, with a name and a content type: WeChat takes one without a name for no file at all.
pub(super) fn part(media: &Media) -> Result<Part, CallError> {
    Part::bytes(media.bytes().to_vec())
        .file_name(media.file_name())
        .mime_str(media.format().content_type())
        .map_err(|error| CallError::NotSent(fault::transport(error)))
}

fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/") || kind.ends_with("json") || kind.ends_with("xml")
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// The name of a `Content-Disposition`, when it has nothing that could lead out of a folder.
fn file_name(disposition: &str) -> Option<String> {
    let at = disposition.to_ascii_lowercase().find("filename=")?;
    let rest = disposition[at + "filename=".len()..].trim_start();
    let name = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split(';').next()?.trim_end(),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let fits = !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && name.bytes().all(plain);
    fits.then(|| name.to_owned())
}

#[cfg(fuzzing)]
pub(crate) fn fuzz_download(
    content_type: &str,
    disposition: &str,
    bytes: &[u8],
    max_bytes: usize,
) -> Option<MediaFile> {
    let (content_type, file_name) = (Some(content_type.to_owned()), file_name(disposition));
    match sort(MediaFile { bytes: bytes.to_vec(), content_type, file_name }, max_bytes, &["oSECRET"]) {
        Ok(Body::File(file)) => Some(file),
        Ok(Body::Answer(answer)) => {
            let _ = (answer.optional("video_url"), answer.optional("down_url"), answer.objects("news_item"));
            None
        }
        Err(_) => None,
    }
}
