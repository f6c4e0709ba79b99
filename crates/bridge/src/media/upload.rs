//! What goes to `custom/send` for a delivery: its words, or a file that WeChat has a media_id for.
//!
//! An upload may be repeated without harm, so it is no attempt; only the call after it is. A media_id is good for three
//! days in its account, and is used for as long; what WeChat will not take goes as a link.

use std::time::Instant;

use desk::{Content, Millis, Reason, Shape, Still, Tried};
use media::{TempFile, picture};
use secrecy::SecretString;
use store::{Delivery, Error, Job, MediaId, MediaState, WechatMedia, faults};
use wechat::{CallError, Media, MediaKind, Outgoing};

use super::prepare::{FITTED, about, fitted_picture};
use super::{count, object_key, words_for};
use crate::breaker::Operation;
use crate::convert::{wechat_answers, wechat_outcome};
use crate::token::Trouble;
use crate::worker::Held;
use crate::{Account, Bridge};

/// WeChat keeps an upload for three days; a little less, so that none expires on its way.
const LIFE: Millis = 3 * 86_400_000 - 600_000;

/// Why there is nothing to send.
enum NotUploaded {
    /// As with a call that did not go out.
    Trouble(Trouble),
    /// WeChat does not take this file as what it was sent.
    Unsuitable(Reason),
}

impl From<Trouble> for NotUploaded {
    fn from(trouble: Trouble) -> NotUploaded {
        NotUploaded::Trouble(trouble)
    }
}

fn never(reason: Reason, detail: &str) -> NotUploaded {
    NotUploaded::Trouble(Trouble::new(Tried::Never(reason), detail))
}

impl Bridge {
    /// What is sent for a delivery, its files uploaded where that is needed.
    pub(crate) async fn outgoing(
        &self,
        held: &mut Held,
        account: &Account,
        delivery: &Delivery,
        token: &SecretString,
    ) -> Result<Result<Outgoing, Trouble>, Error> {
        let mut content = delivery.content.clone();
        // As it is, smaller, as a link.
        for _ in 0..3 {
            let Some(carried) = &content else {
                return Ok(Ok(Outgoing::Text { content: delivery.body.clone() }));
            };
            match self.upload(held, account, carried, token).await? {
                Ok(Some(outgoing)) => return Ok(Ok(outgoing)),
                Ok(None) => return Ok(self.as_link(account, carried)),
                Err(NotUploaded::Trouble(trouble)) => return Ok(Err(trouble)),
                Err(NotUploaded::Unsuitable(reason)) => {
                    content = Some(self.another_way(held, account, delivery, carried, reason).await?);
                }
            }
        }
        Ok(Err(Trouble::new(Tried::Never(Reason::MediaKind), "no form of it is taken")))
    }

    /// `None` for what can only go as words.
    async fn upload(
        &self,
        held: &mut Held,
        account: &Account,
        content: &Content,
        token: &SecretString,
    ) -> Result<Result<Option<Outgoing>, NotUploaded>, Error> {
        let outgoing = match content {
            Content::Image { media, .. } => self
                .media_id(held, account, media, MediaKind::Image, token)
                .await?
                .map(|media_id| Outgoing::Image { media_id }),
            Content::Voice { media, .. } => self
                .media_id(held, account, media, MediaKind::Voice, token)
                .await?
                .map(|media_id| Outgoing::Voice { media_id }),
            Content::Video { media, cover, .. } => {
                let still = self.media_id(held, account, &cover.media, MediaKind::Thumb, token).await?;
                let thumb_media_id = match still {
                    Ok(id) => id,
                    Err(why) => return Ok(Err(why)),
                };
                self.media_id(held, account, media, MediaKind::Video, token).await?.map(|media_id| {
                    Outgoing::Video { media_id, thumb_media_id, title: None, description: None }
                })
            }
            Content::File { .. } | Content::Place { .. } | Content::Wanted { .. } => return Ok(Ok(None)),
        };
        Ok(outgoing.map(Some))
    }

    fn as_link(&self, account: &Account, content: &Content) -> Result<Outgoing, Trouble> {
        let words = words_for(account.language, content);
        match self.link_of(content) {
            Some(link) => Ok(Outgoing::Text { content: format!("{words}\n{link}") }),
            None if content.file().is_some() => {
                Err(Trouble::new(Tried::Never(Reason::NoPublicUrl), "no public_url"))
            }
            None => Ok(Outgoing::Text { content: words }),
        }
    }

    /// The media_id of a file, uploaded if WeChat has it no more.
    async fn media_id(
        &self,
        held: &mut Held,
        account: &Account,
        media: &str,
        kind: MediaKind,
        token: &SecretString,
    ) -> Result<Result<String, NotUploaded>, Error> {
        let Some(row) = self.inner.store.kept_media(media).await? else {
            return Ok(Err(never(Reason::MediaGone, "the file is not kept any more")));
        };
        let (of, sha256, now) = (account.id.clone(), row.file.sha256.clone(), self.inner.clock.now());
        let known = self
            .inner
            .store
            .read(move |tx| Box::pin(async move { tx.upload_of(&of, &sha256, kind.name(), now).await }));
        if let Some(known) = known.await? {
            return Ok(Ok(known.id));
        }
        let bytes = match self.objects().get(&object_key(&account.id, media)).await {
            Ok(Some(bytes)) => bytes.to_vec(),
            Ok(None) => return Ok(Err(never(Reason::MediaGone, "the file is not in the media store"))),
            Err(error) => {
                tracing::error!(account = account.id, media, %error, "the media store does not answer");
                return Ok(Err(Trouble::new(Tried::NotSent, "the media store").into()));
            }
        };
        let size = bytes.len() as u64;
        let file = match Media::new(kind, bytes) {
            Ok(file) => file,
            Err(wechat::MediaError::TooLarge { .. } | wechat::MediaError::TooLong(_)) => {
                return Ok(Err(NotUploaded::Unsuitable(Reason::MediaTooLarge)));
            }
            Err(_) => return Ok(Err(NotUploaded::Unsuitable(Reason::MediaKind))),
        };
        faults::point("media.before_upload");
        let uploaded = held.renewing(self, self.call_upload(account, &file, token)).await?;
        let media_id = match uploaded {
            Ok(media_id) => media_id,
            Err(why) => {
                count(account, "upload", "failed", 0);
                return Ok(Err(why));
            }
        };
        count(account, "upload", "ok", size);
        faults::point("media.after_upload");
        let wechat = WechatMedia { kind: kind.name().to_owned(), id: media_id.clone(), until: now + LIFE };
        let (lane, id) = (held.lane.clone(), media.to_owned());
        let kept = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.fence(&lane).await?;
                tx.uploaded_media(&id, &wechat).await
            })
        });
        kept.await?;
        Ok(Ok(media_id))
    }

    /// `media/upload`; if WeChat refuses the token, once more with another.
    async fn call_upload(
        &self,
        account: &Account,
        file: &Media,
        token: &SecretString,
    ) -> Result<String, NotUploaded> {
        let upload = Operation::wechat(&account.id, "media/upload");
        let pass = self.inner.breakers.ask(upload, "", false).map_err(Trouble::held)?;
        let mut result = self.upload_once(account, file, token).await;
        pass.end(wechat_answers(&result));
        if matches!(&result, Err(CallError::Refused(code)) if wechat::verdict(code.code) == wechat::Verdict::Token)
        {
            let token = self.inner.tokens.instead_of(account, token).await?;
            result = self.upload_once(account, file, &token).await;
        }
        let error = match result {
            Ok(media_id) => return Ok(media_id),
            Err(error) => error,
        };
        let told = wechat_outcome::<()>(&Err(error));
        match told.tried {
            Tried::Never(reason @ (Reason::MediaKind | Reason::MediaTooLarge)) => {
                Err(NotUploaded::Unsuitable(reason))
            }
            // Whether it arrived does not matter: the customer sees nothing of it. Nor does how often a busy WeChat is
            // asked: two repeats are the limit of custom/send.
            Tried::Unclear | Tried::Busy => Err(Trouble::new(Tried::NotSent, told.detail).into()),
            tried => Err(Trouble::new(tried, told.detail).into()),
        }
    }

    async fn upload_once(
        &self,
        account: &Account,
        file: &Media,
        token: &SecretString,
    ) -> Result<String, CallError> {
        let started = Instant::now();
        let result = account.client.upload_media(token, file).await;
        let told = wechat_outcome(&result);
        self.observe(&account.id, "media/upload", &told, started);
        result.map(|uploaded| uploaded.media_id)
    }

    /// A smaller picture for one that is too large, a link for everything else; the delivery carries it from now on.
    async fn another_way(
        &self,
        held: &Held,
        account: &Account,
        delivery: &Delivery,
        content: &Content,
        reason: Reason,
    ) -> Result<Content, Error> {
        let smaller = match content {
            Content::Image { media, size, .. }
                if reason == Reason::MediaTooLarge && *size > wechat::SAFE_IMAGE as u64 =>
            {
                self.smaller(account, media).await?
            }
            _ => None,
        };
        let (made, content) = match smaller {
            Some((made, content)) => (Some(made), content),
            None => (None, linked(content)),
        };
        tracing::info!(
            account = account.id,
            delivery = delivery.id,
            reason = reason.as_str(),
            smaller = made.is_some(),
            "WeChat does not take a file as it is"
        );
        count(account, "convert", if made.is_some() { "smaller" } else { "link" }, 0);
        let (lane, id) = (held.lane.clone(), delivery.id.clone());
        let (body, carried) = (words_for(account.language, &content), content.clone());
        let kept = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.fence(&lane).await?;
                if let Some((made, about)) = &made {
                    tx.keep_media(made.as_str(), MediaState::Wanted, about).await?;
                }
                tx.set_content(&id, Some(&carried), &body).await
            })
        });
        kept.await?;
        Ok(content)
    }

    /// A smaller picture, whose row is there and still waits for its commit.
    async fn smaller(
        &self,
        account: &Account,
        media: &str,
    ) -> Result<Option<((MediaId, store::MediaFile), Content)>, Error> {
        let Some(row) = self.inner.store.kept_media(media).await? else { return Ok(None) };
        let Ok(Some(bytes)) = self.objects().get(&object_key(&account.id, media)).await else {
            return Ok(None);
        };
        let fitted = self.at_the_bench(move || picture::fit(&bytes, wechat::SAFE_IMAGE)).await;
        let Ok(Some(jpeg)) = fitted else { return Ok(None) };
        let Ok(file) = TempFile::of(&jpeg.bytes) else { return Ok(None) };
        let id = MediaId::new(&self.inner.clock, &self.inner.entropy);
        let (made, now) = (id.clone(), self.inner.clock.now());
        let wanted = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.want_media(made.as_str(), &row.account, &row.openid, &row.delivery, "", now).await
            })
        });
        wanted.await?;
        if let Err(error) = self.objects().put(&object_key(&account.id, id.as_str()), &file).await {
            tracing::warn!(account = account.id, media, %error, "a smaller picture could not be kept");
            return Ok(None);
        }
        let (width, height) = (jpeg.width, jpeg.height);
        let about = about(&file, FITTED, (width, height), 0);
        let still = Still { media: id.as_str().to_owned(), size: about.size, width, height };
        Ok(Some(((id, about), fitted_picture(still))))
    }

    /// WeChat does not know a delivery's uploads any more (40007): the next try uploads them again.
    pub(crate) async fn forget_uploads(
        &self,
        held: &Held,
        job: &Job,
        delivery: &Delivery,
    ) -> Result<(), Error> {
        let (lane, id, message) = (held.lane.clone(), delivery.id.clone(), job.subject.clone());
        let forgotten = self.inner.store.write(move |tx| {
            Box::pin(async move {
                tx.fence(&lane).await?;
                // What it carries by now: a smaller picture may have taken the place of one that was too large.
                let parts = tx.deliveries(&message).await?;
                let content = parts.into_iter().find(|part| part.id == id).and_then(|part| part.content);
                let mut files: Vec<String> = Vec::new();
                if let Some(content) = &content {
                    files.extend(content.file().map(|(id, _)| id.to_owned()));
                    if let Content::Video { cover, .. } = content {
                        files.push(cover.media.clone());
                    }
                }
                for id in &files {
                    if let Some(row) = tx.media(id).await? {
                        tx.forget_uploads(&row.account, &row.file.sha256).await?;
                    }
                }
                Ok(())
            })
        });
        forgotten.await
    }
}

/// The same as a file to download.
fn linked(content: &Content) -> Content {
    let (shape, size) = match content {
        Content::Image { size, .. } => (Shape::Image, *size),
        Content::Voice { size, .. } => (Shape::Voice, *size),
        Content::Video { size, .. } => (Shape::Video, *size),
        Content::File { size, shape, .. } => (*shape, *size),
        Content::Wanted { shape, .. } => (*shape, 0),
        Content::Place { .. } => (Shape::File, 0),
    };
    match content.file() {
        Some((media, name)) => Content::File { media: media.to_owned(), size, name, shape },
        None => content.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_becomes_a_file_of_the_same_shape() {
        let voice =
            Content::Voice { media: "a".into(), size: 3_000_000, seconds: 61, extension: "mp3".into() };
        let link = linked(&voice);
        assert_eq!(link.file(), Some(("a", "voice.mp3".to_owned())));
        assert_eq!(words_for(desk::Language::En, &link), "[voice] (3.0 MB)");
    }
}
