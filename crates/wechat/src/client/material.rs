//! Permanent material, where three days are too short. Start at [`Client::add_material`].
//!
//! An account keeps at most 100,000 pictures and articles, and 1,000 of the other kinds. Messages and replies take
//! a permanent `media_id` as well as a temporary one.

use std::fmt;

use reqwest::multipart::Form;
use secrecy::{ExposeSecret, SecretString};

use crate::client::answer::Answer;
use crate::client::media::{Body, MediaFile, part};
use crate::client::{CallError, Client, unreadable};
use crate::media::Media;
use crate::wire;

/// The words of a permanent video.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VideoWords {
    /// Its title.
    pub title: String,
    /// Its description.
    pub introduction: String,
}

/// A permanent file that WeChat has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Valid until it is deleted.
    pub media_id: String,
    /// Its address, for pictures.
    pub url: Option<String>,
}

/// What [`Client::get_material`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// The file itself.
    File(MediaFile),
    /// Where a video is, and its words. [`Client::get_address`] reads it.
    Video {
        /// Its title.
        title: String,
        /// Its description.
        description: String,
        /// `down_url`.
        url: String,
    },
    /// Articles.
    News(Vec<NewsItem>),
}

/// An article of the material library. `Debug` shows its title's length alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewsItem {
    /// `title`.
    pub title: String,
    /// `author`.
    pub author: String,
    /// `digest`.
    pub digest: String,
    /// `content`, HTML.
    pub content: String,
    /// `url`: where it can be read.
    pub url: String,
    /// `content_source_url`: where "read the original" leads.
    pub source_url: String,
    /// `thumb_media_id`: its picture.
    pub thumb_media_id: String,
}

impl fmt::Debug for NewsItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewsItem").field("title_bytes", &self.title.len()).finish_non_exhaustive()
    }
}

impl Client {
    /// Adds a permanent file (`POST /cgi-bin/material/add_material`). WeChat wants `words` for a video.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. After [`CallError::Unclear`] the file may be there, and counts in the limit.
    #[tracing::instrument(name = "wechat.add_material", skip_all, fields(kind = media.kind().name()))]
    pub async fn add_material(
        &self,
        access_token: &SecretString,
        media: &Media,
        words: Option<&VideoWords>,
    ) -> Result<Added, CallError> {
        let mut form = Form::new().part("media", part(media)?);
        if let Some(VideoWords { title, introduction }) = words {
            let body = wire::VideoDescription { title: title.clone(), introduction: introduction.clone() };
            form = form.text("description", serde_json::to_string(&body).unwrap_or_default());
        }
        let answer = self.upload(wire::MATERIAL_ADD, access_token, Some(media), form).await?;
        // The quirk of temporary thumbnails is not known here, and costs nothing to tolerate.
        let media_id = answer.optional("media_id").or_else(|| answer.optional("thumb_media_id"));
        Ok(Added { media_id: media_id.ok_or_else(unreadable)?, url: answer.optional("url") })
    }

    /// Reads permanent material of at most `max_bytes` (`POST /cgi-bin/material/get_material`).
    ///
    /// # Errors
    ///
    /// As [`Client::get_media`].
    #[tracing::instrument(name = "wechat.get_material", skip_all)]
    pub async fn get_material(
        &self,
        access_token: &SecretString,
        media_id: &str,
        max_bytes: usize,
    ) -> Result<Material, CallError> {
        let body = wire::MediaId { media_id: media_id.to_owned() };
        let request = self.post(wire::MATERIAL_GET, access_token, &body);
        let answer = match self.download(request, max_bytes, &[access_token.expose_secret()]).await? {
            Body::File(file) => return Ok(Material::File(file)),
            Body::Answer(answer) => answer,
        };
        if let Some(items) = answer.objects("news_item") {
            return Ok(Material::News(items.iter().map(news_item).collect()));
        }
        let url = answer.optional("down_url").ok_or_else(unreadable)?;
        Ok(Material::Video { title: answer.text("title"), description: answer.text("description"), url })
    }

    /// Deletes permanent material (`POST /cgi-bin/material/del_material`).
    ///
    /// # Errors
    ///
    /// See [`CallError`]; 40007 when there is none.
    #[tracing::instrument(name = "wechat.delete_material", skip_all)]
    pub async fn delete_material(
        &self,
        access_token: &SecretString,
        media_id: &str,
    ) -> Result<(), CallError> {
        let body = wire::MediaId { media_id: media_id.to_owned() };
        let request = self.post(wire::MATERIAL_DELETE, access_token, &body);
        self.command(request, &[access_token.expose_secret()]).await
    }
}

fn news_item(item: &Answer) -> NewsItem {
    NewsItem {
        title: item.text("title"),
        author: item.text("author"),
        digest: item.text("digest"),
        content: item.text("content"),
        url: item.text("url"),
        source_url: item.text("content_source_url"),
        thumb_media_id: item.text("thumb_media_id"),
    }
}
