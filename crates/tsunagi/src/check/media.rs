//! Pictures, voices and files: whether they can be kept, converted, and opened by those who get a link.

use media::{Ffmpeg, Objects};

use super::Surroundings;
use super::board::{Board, Group, Section};
use crate::config::Server;

pub(super) async fn look(around: &Surroundings, board: &Board) {
    let section = board.section(Group::Media, "");
    let config = &around.config.media;
    let place = match &config.place {
        media::Place::Folder(folder) => format!("the folder {}", folder.display()),
        media::Place::Bucket(bucket) => format!("the bucket {}", bucket.name),
    };
    match &config.place {
        // Made here, it might belong to another user than the one that runs the gateway.
        media::Place::Folder(folder) if !folder.exists() => {
            section.ok("store", format!("{place} will be made at the first start"));
        }
        _ => store(around, &place, &section).await,
    }
    match &config.ffmpeg {
        None => section.warn(
            "ffmpeg",
            "media.ffmpeg is empty: voices that the other side cannot play go as links",
            "install ffmpeg, and set media.ffmpeg = \"ffmpeg\"",
        ),
        Some(program) => match Ffmpeg::find(program).await {
            Some(ffmpeg) if ffmpeg.makes_mp3() => {
                let amr = if ffmpeg.makes_amr() { " and AMR" } else { "" };
                section.ok("ffmpeg", format!("voices are converted by {program}, which makes MP3{amr}"));
            }
            Some(_) => section.warn(
                "ffmpeg",
                format!("{program} makes no MP3: voices that the other side cannot play go as links"),
                "install an ffmpeg with libmp3lame",
            ),
            None => section.warn(
                "ffmpeg",
                format!("{program} cannot be run: voices that the other side cannot play go as links"),
                "install ffmpeg (Debian, Ubuntu: apt-get install ffmpeg), or name its path in media.ffmpeg",
            ),
        },
    }
    links(&around.config.server, &section);
}

async fn store(around: &Surroundings, place: &str, section: &Section) {
    let config = &around.config.media;
    let name = format!("check-{:08x}", around.entropy.u32());
    let kept = match Objects::open(&config.place, config.timeout) {
        Ok(objects) => objects.probe(&name).await,
        Err(error) => Err(error),
    };
    match kept {
        Ok(()) => section.ok("store", format!("files can be written, read and removed in {place}")),
        Err(error) => section.fault(
            "store",
            format!("files cannot be kept in {place}: {}", whole(&error)),
            match &config.place {
                media::Place::Folder(_) => "let the user that runs tsunagi write into it, or name another one in store.media",
                media::Place::Bucket(_) => {
                    "compare store.media, media.s3_endpoint, s3_region, s3_path_style and the key with the storage service's console"
                }
            },
        ),
    }
}

/// What is wrong with the address as such is told where the webhooks are looked at.
fn links(server: &Server, section: &Section) {
    match &server.public_url {
        Some(url) => {
            let local = url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127."));
            if url.scheme() != "https" && !local {
                section.warn(
                    "links",
                    "server.public_url is not https: web clients of agents refuse files under such links",
                    "put a proxy with TLS in front of the listener, and write its https address in server.public_url",
                );
                return;
            }
            section.ok("links", format!("links to files begin with {}", url.as_str().trim_end_matches('/')));
        }
        None if server.listen.ip().is_loopback() => section.ok(
            "links",
            format!("links to files begin with http://{}, for a trial on this machine", server.listen),
        ),
        None => section.fault(
            "links",
            "server.public_url is not set: pictures, voices and files reach agents as words only",
            "write the address under which the world reaches the listener in server.public_url",
        ),
    }
}

/// With what lies behind it.
fn whole(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        let more = one.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = one.source();
    }
    words
}
