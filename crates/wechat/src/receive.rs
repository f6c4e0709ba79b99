//! What a webhook endpoint needs: from the raw request to a typed push. Start at [`open`] and [`verify_url`]; a server
//! that is open to everybody asks [`check_query`] first.
//!
//! There is no I/O here, and the clock is an argument. How replies are sealed is in `seal.rs`.

use secrecy::{ExposeSecret, SecretString};

use crate::crypto::{AesKey, CryptoError};
use crate::document::{self, Format, MAX_DOCUMENT};
use crate::fields::Fields;
use crate::push::{ParseError, Push};
pub use crate::query::Query;
pub use crate::seal::Seal;
use crate::signature::signature_matches;

/// Longest `echostr` that is reflected, in bytes; real ones have about 19.
const MAX_ECHO: usize = 128;

/// What an account shares with WeChat. Current values first, previous ones after them: all are accepted, so
/// that they can be changed in the console while messages come in.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// AppID (`wx…`), not the original id (`gh_…`).
    pub app_id: String,
    /// The tokens. Empty ones are ignored.
    pub tokens: Vec<SecretString>,
    /// The EncodingAESKeys. Empty in plaintext mode.
    pub aes_keys: Vec<AesKey>,
    /// Whether plaintext bodies are refused. Has no effect without a key. The query's signature does not cover a
    /// plaintext body, so keep this on in secure and compatible mode.
    pub require_encryption: bool,
    /// How many seconds a signed timestamp may be off; 0 = do not check. WeChat defines no limit; 300 is common.
    pub signature_window: u64,
}

/// Why a request is answered with an HTTP error and leaves no trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The query string is malformed.
    #[error("the query string is malformed: {0}")]
    Query(&'static str),
    /// A verification request has no `echostr`, or one that is too long to be reflected.
    #[error("the echostr is missing or too long")]
    Echo,
    /// There is no `signature`.
    #[error("the signature is missing")]
    MissingSignature,
    /// `signature` is made with none of the tokens.
    #[error("the signature does not match the token")]
    Signature,
    /// `msg_signature` is missing, is made with none of the tokens, or there is no ciphertext that it covers.
    #[error("the msg_signature is missing or does not match")]
    MsgSignature,
    /// The timestamp is outside the window. Look at the clock of this machine, too.
    #[error("the signed timestamp is too far from this machine's clock")]
    Stale,
    /// The body is plaintext and the account requires encryption.
    #[error("the body is plaintext, but the account requires encryption")]
    Plaintext,
    /// The body is larger than 1 MiB.
    #[error("the body is larger than 1 MiB")]
    TooLarge,
}

impl Refusal {
    /// The HTTP status to answer with: 400, 403 or 413.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::Query(_) | Refusal::Echo => 400,
            Refusal::TooLarge => 413,
            Refusal::MissingSignature
            | Refusal::Signature
            | Refusal::MsgSignature
            | Refusal::Stale
            | Refusal::Plaintext => 403,
        }
    }
}

/// A genuine push that cannot be read, now. Keep the raw query and body: [`replay`] may succeed once the cause
/// (such as a wrong EncodingAESKey) is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the push cannot be read")]
pub struct Unreadable {
    /// Why.
    #[source]
    pub reason: UnreadableReason,
}

/// Why a genuine push cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnreadableReason {
    /// It is encrypted, and no EncodingAESKey is configured.
    #[error("the push is encrypted, but no EncodingAESKey is configured")]
    NoKey,
    /// None of the keys opens it.
    #[error("no configured EncodingAESKey opens the push")]
    Decrypt(#[source] CryptoError),
    /// The document is no push.
    #[error("the document is no push")]
    Parse(#[source] ParseError),
}

impl From<UnreadableReason> for Unreadable {
    fn from(reason: UnreadableReason) -> Self {
        Unreadable { reason }
    }
}

impl From<ParseError> for Unreadable {
    fn from(error: ParseError) -> Self {
        UnreadableReason::Parse(error).into()
    }
}

/// A genuine request, opened.
pub struct Opened {
    /// The push, or why it cannot be read.
    pub push: Result<Push, Unreadable>,
    /// The decrypted document; the raw body when the push cannot be read, so that [`replay`] can be tried later.
    pub document: Vec<u8>,
    /// How the reply has to look.
    pub seal: Seal,
}

/// Answers a verification request (GET): the exact bytes to send back, as `text/plain` with status 200 and
/// nothing around them.
///
/// The same request can come again when the configuration is saved again, so nothing may be consumed by it.
///
/// # Errors
///
/// See [`Refusal`].
pub fn verify_url(c: &Credentials, raw_query: &str, now_s: i64) -> Result<String, Refusal> {
    let query = Query::parse(raw_query)?;
    check_signature(c, &query, now_s)?;
    query.echostr.filter(|echo| echo.len() <= MAX_ECHO).ok_or(Refusal::Echo)
}

/// Checks what the address alone can prove, before the body is read: signature and age, as [`open`] does again.
///
/// A server that asks this first need not keep the body of a request that will be refused anyway, so strangers cannot
/// fill its memory.
///
/// # Errors
///
/// See [`Refusal`].
pub fn check_query(c: &Credentials, raw_query: &str, now_s: i64) -> Result<(), Refusal> {
    check_signature(c, &Query::parse(raw_query)?, now_s)
}

/// Checks, decrypts and parses a push (POST).
///
/// A body with `Encrypt` is opened whenever a key is configured, and then only the decrypted part counts:
/// in compatible mode the plain fields beside it are not authenticated.
///
/// # Errors
///
/// [`Refusal`] when the request is not proven to come from someone who knows the token. A genuine request whose
/// content cannot be read is `Ok`, with the reason in [`Opened::push`].
pub fn open(c: &Credentials, raw_query: &str, body: &[u8], now_s: i64) -> Result<Opened, Refusal> {
    if body.len() > MAX_DOCUMENT {
        return Err(Refusal::TooLarge);
    }
    let query = Query::parse(raw_query)?;
    check_signature(c, &query, now_s)?;
    let plain = document::read(body);
    let envelope = encrypt_field(&plain, body);
    if !is_encrypted(c, &query, envelope.is_some()) {
        if c.require_encryption && !c.aes_keys.is_empty() {
            return Err(Refusal::Plaintext);
        }
        let format = plain.as_ref().map_or(Format::Xml, |(format, _)| *format);
        let push = plain.and_then(|(_, fields)| Push::from_fields(fields)).map_err(Unreadable::from);
        return Ok(Opened { push, document: body.to_vec(), seal: Seal::plain(format) });
    }
    let (format, encrypt) = envelope.ok_or(Refusal::MsgSignature)?;
    let given = query.msg_signature.as_deref().ok_or(Refusal::MsgSignature)?;
    let token = tokens(c)
        .find(|token| {
            let parts = [token.expose_secret(), &query.timestamp, &query.nonce, &encrypt];
            signature_matches(&parts, given)
        })
        .ok_or(Refusal::MsgSignature)?;
    Ok(match decrypt(c, &encrypt) {
        Ok((key, document)) => {
            let read = document::read(&document);
            let inner = read.as_ref().map_or(format, |(format, _)| *format);
            let seal = Seal::locked(inner, format, token, key, &c.app_id);
            match read.and_then(|(_, fields)| Push::from_fields(fields)) {
                Ok(push) => Opened { push: Ok(push), document, seal },
                Err(error) => Opened { push: Err(error.into()), document: body.to_vec(), seal },
            }
        }
        Err(reason) => {
            Opened { push: Err(reason.into()), document: body.to_vec(), seal: Seal::plain(format) }
        }
    })
}

/// Reads a stored request again, with the keys of today. Signatures and time are not checked: [`open`] did that
/// when the request came, and its token may be gone by now.
///
/// # Errors
///
/// [`Unreadable`] as from [`open`].
pub fn replay(c: &Credentials, raw_query: &str, body: &[u8]) -> Result<Push, Unreadable> {
    replay_document(c, raw_query, body).map(|(push, _)| push)
}

/// Like [`replay`], and gives the decrypted document too, which [`Push::dedup_key`] is made from.
///
/// # Errors
///
/// As [`replay`].
pub fn replay_document(c: &Credentials, raw_query: &str, body: &[u8]) -> Result<(Push, Vec<u8>), Unreadable> {
    let plain = document::read(body);
    let envelope = encrypt_field(&plain, body);
    let encrypted = Query::parse(raw_query).is_ok_and(|q| is_encrypted(c, &q, envelope.is_some()));
    match envelope {
        Some((_, encrypt)) if encrypted => {
            let (_, document) = decrypt(c, &encrypt)?;
            Ok((Push::parse(&document)?, document))
        }
        _ => Ok((plain.and_then(|(_, fields)| Push::from_fields(fields))?, body.to_vec())),
    }
}

fn tokens(c: &Credentials) -> impl Iterator<Item = &SecretString> {
    // Anyone can sign with an empty token.
    c.tokens.iter().filter(|token| !token.expose_secret().is_empty())
}

fn check_signature(c: &Credentials, query: &Query, now_s: i64) -> Result<(), Refusal> {
    let holds = tokens(c).any(|token| {
        signature_matches(&[token.expose_secret(), &query.timestamp, &query.nonce], &query.signature)
    });
    if !holds {
        return Err(Refusal::Signature);
    }
    if query.is_fresh(now_s, c.signature_window) { Ok(()) } else { Err(Refusal::Stale) }
}

fn is_encrypted(c: &Credentials, query: &Query, has_ciphertext: bool) -> bool {
    query.encrypted || (has_ciphertext && !c.aes_keys.is_empty())
}

/// The body's `Encrypt`. The plain fields beside it may be broken: they do not count.
fn encrypt_field(plain: &Result<(Format, Fields), ParseError>, body: &[u8]) -> Option<(Format, String)> {
    let of = |(format, fields): &(Format, Fields)| Some((*format, fields.optional("Encrypt")?));
    match plain {
        Ok(read) => of(read),
        Err(ParseError::Encoding) => of(&document::read_lossy(body).ok()?),
        Err(_) => None,
    }
}

/// Opens a ciphertext with the first key that fits.
fn decrypt<'c>(c: &'c Credentials, encrypt: &str) -> Result<(&'c AesKey, Vec<u8>), UnreadableReason> {
    let mut reason = UnreadableReason::NoKey;
    for key in &c.aes_keys {
        match key.decrypt(&c.app_id, encrypt) {
            Ok(document) => return Ok((key, document)),
            // With the right key and another AppID the padding holds: that says more than a wrong key.
            Err(error) if error == CryptoError::AppId || reason == UnreadableReason::NoKey => {
                reason = UnreadableReason::Decrypt(error);
            }
            Err(_) => {}
        }
    }
    Err(reason)
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("bytes", &self.document.len())
            .field("seal", &self.seal)
            .finish_non_exhaustive()
    }
}
