//! The message encryption: AES-256-CBC under the account's EncodingAESKey. Start at [`AesKey`].
//!
//! Layout of a plaintext: 16 random bytes, the message's length as four bytes (big-endian), the message, the
//! AppID; then 1 to 32 bytes of padding. The block size of the padding is 32, not the cipher's 16, so the usual
//! PKCS#7 readers refuse valid messages.
//! Vendor page: <https://developers.weixin.qq.com/doc/subscription/guide/dev/push/encryption>

use std::fmt;

use aes::Aes256;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use secrecy::zeroize::Zeroize;

/// Block size of the padding, in bytes.
const PAD_BLOCK: usize = 32;
/// The random bytes and the length field that stand before the message.
const HEADER: usize = 20;

/// 43 characters carry 258 bits: the last two are usually not zero, and a strict reader refuses them.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a key or a ciphertext is refused. Holds nothing of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The EncodingAESKey has not the 43 characters that the console makes.
    #[error("an EncodingAESKey has 43 characters, this one has {0}")]
    KeyLength(usize),
    /// The EncodingAESKey has a character that is not base64.
    #[error("the EncodingAESKey has a character outside A-Z, a-z, 0-9, + and /")]
    KeyAlphabet,
    /// The ciphertext is not base64.
    #[error("the ciphertext is not base64")]
    Base64,
    /// The ciphertext is empty or not a multiple of 16 bytes.
    #[error("the ciphertext's length is not a multiple of the block size")]
    Length,
    /// The padding is not 1 to 32 equal bytes: most often the wrong key.
    #[error("the padding is wrong, most likely because of another EncodingAESKey")]
    Padding,
    /// The inner length field points behind the end.
    #[error("the inner length field overruns the message")]
    Overrun,
    /// The message is sealed for another AppID.
    #[error("the message is sealed for another AppID")]
    AppId,
}

/// An account's EncodingAESKey, decoded. Wiped from memory on drop; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct AesKey([u8; 32]);

impl AesKey {
    /// Reads the 43 characters shown in the console. White space around them is ignored, and the two spare
    /// bits of the last character may have any value.
    pub fn parse(encoding_aes_key: &str) -> Result<AesKey, CryptoError> {
        let text = encoding_aes_key.trim();
        if text.len() != 43 {
            return Err(CryptoError::KeyLength(text.chars().count()));
        }
        let mut bytes = LENIENT.decode(text).map_err(|_| CryptoError::KeyAlphabet)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| CryptoError::KeyAlphabet);
        bytes.zeroize();
        key.map(AesKey)
    }

    /// Seals `msg` for the account `app_id` and gives the base64 text of an `Encrypt` field. `random` must be
    /// fresh for each message. `msg` must be shorter than 4 GiB.
    pub fn encrypt(&self, app_id: &str, random: [u8; 16], msg: &[u8]) -> String {
        let length = u32::try_from(msg.len()).unwrap_or(u32::MAX);
        let mut plain = Vec::with_capacity(HEADER + msg.len() + app_id.len() + PAD_BLOCK);
        plain.extend_from_slice(&random);
        plain.extend_from_slice(&length.to_be_bytes());
        plain.extend_from_slice(msg);
        plain.extend_from_slice(app_id.as_bytes());
        let pad = PAD_BLOCK - plain.len() % PAD_BLOCK;
        plain.resize(plain.len() + pad, pad as u8);
        let cipher = cbc::Encryptor::<Aes256>::new(&self.0.into(), &self.iv().into());
        let length = plain.len();
        let sealed = cipher.encrypt_padded::<NoPadding>(&mut plain, length);
        STANDARD.encode(sealed.expect("the padding above makes whole blocks"))
    }

    /// Opens the base64 text of an `Encrypt` field and gives the message. White space inside the base64 is
    /// ignored.
    ///
    /// # Errors
    ///
    /// See [`CryptoError`]. The AppID inside must be `app_id`: that is what binds the key to the account.
    pub fn decrypt(&self, app_id: &str, encrypt: &str) -> Result<Vec<u8>, CryptoError> {
        // Almost never there, and then taken out: the second look costs what the first saves.
        let decoded = LENIENT.decode(encrypt).or_else(|_| {
            let compact: Vec<u8> = encrypt.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
            LENIENT.decode(compact)
        });
        let mut bytes = decoded.map_err(|_| CryptoError::Base64)?;
        if bytes.is_empty() || bytes.len() % 16 != 0 {
            return Err(CryptoError::Length);
        }
        let cipher = cbc::Decryptor::<Aes256>::new(&self.0.into(), &self.iv().into());
        let plain = cipher.decrypt_padded::<NoPadding>(&mut bytes).map_err(|_| CryptoError::Length)?;
        open_layout(plain, app_id).map(<[u8]>::to_vec)
    }

    fn iv(&self) -> [u8; 16] {
        let mut iv = [0; 16];
        iv.copy_from_slice(&self.0[..16]);
        iv
    }
}

/// Takes padding, header and AppID off a decrypted message.
fn open_layout<'a>(plain: &'a [u8], app_id: &str) -> Result<&'a [u8], CryptoError> {
    let pad = usize::from(*plain.last().ok_or(CryptoError::Padding)?);
    if pad == 0 || pad > PAD_BLOCK || pad > plain.len() {
        return Err(CryptoError::Padding);
    }
    let (content, padding) = plain.split_at(plain.len() - pad);
    if padding.iter().any(|&b| usize::from(b) != pad) {
        return Err(CryptoError::Padding);
    }
    let (header, rest) = content.split_at_checked(HEADER).ok_or(CryptoError::Overrun)?;
    let length = header[16..].iter().fold(0_usize, |n, &b| n << 8 | usize::from(b));
    let (msg, given) = rest.split_at_checked(length).ok_or(CryptoError::Overrun)?;
    if given == app_id.as_bytes() { Ok(msg) } else { Err(CryptoError::AppId) }
}

impl Drop for AesKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey([redacted])")
    }
}
