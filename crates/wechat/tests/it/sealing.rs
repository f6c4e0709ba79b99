//! The encryption: paddings, keys, and ciphertexts that are wrong in every way.

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use wechat::{AesKey, CryptoError};

use crate::vectors::{APP_ID, KEY, V5};

/// Encrypts a layout made by hand under [`KEY`].
fn seal_raw(mut padded: Vec<u8>) -> String {
    let key: [u8; 32] = hex::decode("ab53acd5931ed271b6f0a504c7d960dc78caed5e50c97be2db5d9fcec803aa05")
        .unwrap()
        .try_into()
        .unwrap();
    let iv: [u8; 16] = key[..16].try_into().unwrap();
    let length = padded.len();
    let cipher = cbc::Encryptor::<Aes256>::new(&key.into(), &iv.into());
    STANDARD.encode(cipher.encrypt_padded::<NoPadding>(&mut padded, length).unwrap())
}

/// Random bytes, a length field, a message and an AppID, padded to `block`.
fn layout(length: u32, msg: &[u8], app_id: &[u8]) -> Vec<u8> {
    let mut plain = [&[7; 16], length.to_be_bytes().as_slice(), msg, app_id].concat();
    let pad = 32 - plain.len() % 32;
    plain.resize(plain.len() + pad, pad as u8);
    plain
}

fn key() -> AesKey {
    AesKey::parse(KEY).unwrap()
}

#[test]
fn f18_paddings_1_to_32_are_accepted() {
    let mut seen = [false; 33];
    for length in 0..64 {
        let msg = vec![b'x'; length];
        let plain = layout(length as u32, &msg, APP_ID.as_bytes());
        seen[usize::from(*plain.last().unwrap())] = true;
        assert_eq!(key().decrypt(APP_ID, &seal_raw(plain)).unwrap(), msg);
        assert_eq!(key().decrypt(APP_ID, &key().encrypt(APP_ID, [9; 16], &msg)).unwrap(), msg);
    }
    assert_eq!(seen.iter().filter(|seen| **seen).count(), 32);
    assert!(!seen[0]);
}

#[test]
fn f18_other_paddings_are_refused() {
    for pad in [0_u8, 33, 48, 255] {
        let mut plain = layout(12, &[b'x'; 12], APP_ID.as_bytes());
        plain.resize(96, pad);
        assert_eq!(key().decrypt(APP_ID, &seal_raw(plain)), Err(CryptoError::Padding), "{pad}");
    }
    // Right last byte, another one before it.
    let mut plain = layout(12, &[b'x'; 12], APP_ID.as_bytes());
    let at = plain.len() - 2;
    plain[at] ^= 1;
    assert_eq!(key().decrypt(APP_ID, &seal_raw(plain)), Err(CryptoError::Padding));
    // More padding than bytes; nothing but padding; padding into the header.
    assert_eq!(key().decrypt(APP_ID, &seal_raw(vec![32; 16])), Err(CryptoError::Padding));
    assert_eq!(key().decrypt(APP_ID, &seal_raw(vec![16; 16])), Err(CryptoError::Overrun));
    assert_eq!(key().decrypt(APP_ID, &seal_raw(vec![32; 32])), Err(CryptoError::Overrun));
}

#[test]
fn f19_keys_with_any_trailing_bits_are_accepted() {
    // All four last characters that carry the same four bits decode to the same key.
    let sealed = AesKey::parse(&format!("{}A", &KEY[..42])).unwrap().encrypt(APP_ID, [1; 16], b"hello");
    for last in ["A", "B", "C", "D"] {
        let key = AesKey::parse(&format!("{}{last}", &KEY[..42])).unwrap();
        assert_eq!(key.decrypt(APP_ID, &sealed).unwrap(), b"hello", "{last}");
    }
    let other = AesKey::parse(&format!("{}E", &KEY[..42])).unwrap();
    assert!(other.decrypt(APP_ID, &sealed).is_err());
    for key in [
        "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        &format!(" {KEY}\n"),
    ] {
        assert!(AesKey::parse(key).is_ok(), "{key}");
    }
}

#[test]
fn f19_what_is_no_key_is_refused() {
    assert_eq!(AesKey::parse("").unwrap_err(), CryptoError::KeyLength(0));
    assert_eq!(AesKey::parse(&KEY[..42]).unwrap_err(), CryptoError::KeyLength(42));
    assert_eq!(AesKey::parse(&format!("{KEY}=")).unwrap_err(), CryptoError::KeyLength(44));
    assert_eq!(AesKey::parse(&format!("{}!", &KEY[..42])).unwrap_err(), CryptoError::KeyAlphabet);
    assert_eq!(AesKey::parse(&format!("{}=", &KEY[..42])).unwrap_err(), CryptoError::KeyAlphabet);
    assert!(AesKey::parse(&"你".repeat(43)).is_err());
    assert!(AesKey::parse(&format!("{}你", &KEY[..40])).is_err());
}

#[test]
fn f20_wrong_longer_or_shorter_app_id_is_refused() {
    let longer = format!("{APP_ID}0");
    for given in ["", "wxffffffffffffffff", &APP_ID[..17], &longer, "gh_0123456789ab"] {
        let plain = layout(5, b"hello", given.as_bytes());
        assert_eq!(key().decrypt(APP_ID, &seal_raw(plain)), Err(CryptoError::AppId), "{given}");
    }
}

#[test]
fn f20_an_inner_length_that_overruns_is_refused() {
    for length in [24, 100, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let plain = layout(length, b"hello", APP_ID.as_bytes());
        assert_eq!(key().decrypt(APP_ID, &seal_raw(plain)), Err(CryptoError::Overrun), "{length}");
    }
    // Inside the bounds, but not where the message ends: the AppID does not fit.
    for length in [0, 4, 6, 23] {
        let plain = layout(length, b"hello", APP_ID.as_bytes());
        assert_eq!(key().decrypt(APP_ID, &seal_raw(plain)), Err(CryptoError::AppId), "{length}");
    }
}

#[test]
fn f20_truncations_and_flipped_bits_never_panic() {
    // The `=` at the end of base64 carry nothing.
    for end in 0..V5.trim_end_matches('=').len() {
        assert!(key().decrypt(APP_ID, &V5[..end]).is_err(), "{end}");
    }
    let bytes = STANDARD.decode(V5).unwrap();
    for end in 0..bytes.len() {
        assert!(key().decrypt(APP_ID, &STANDARD.encode(&bytes[..end])).is_err(), "{end}");
    }
    let whole = key().decrypt(APP_ID, V5).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // CBC does not authenticate: what still opens is another message, never the same.
        if let Ok(opened) = key().decrypt(APP_ID, &STANDARD.encode(&flipped)) {
            // The first block is all random bytes but for its effect on the length field.
            assert!(bit < 128 || opened != whole, "{bit}");
        }
    }
    for junk in ["", "=", "====", "!!!!", "你好", "AAAA", "\0", " \n "] {
        assert!(key().decrypt(APP_ID, junk).is_err(), "{junk:?}");
    }
}

#[test]
fn line_breaks_in_the_base64_are_ignored() {
    let broken: String =
        V5.as_bytes().chunks(64).map(|line| format!("{}\r\n", str::from_utf8(line).unwrap())).collect();
    assert_eq!(key().decrypt(APP_ID, &broken), key().decrypt(APP_ID, V5));
}
