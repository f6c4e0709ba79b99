//! Decryption, from both sides of the cipher: arbitrary text as ciphertext, and arbitrary bytes as what the
//! ciphertext holds (length field, AppID and padding are the fuzzer's).

#![no_main]

use aes::cipher::{BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use base64::{Engine, engine::general_purpose::STANDARD};
use libfuzzer_sys::fuzz_target;
use wechat::AesKey;

const ENCODING_AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const APP_ID: &str = "wxb11529c136998cb6";

fuzz_target!(|input: &[u8]| {
    let key = AesKey::parse(ENCODING_AES_KEY).unwrap();
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = AesKey::parse(text);
        if let Ok(message) = key.decrypt(APP_ID, text) {
            assert!(message.len() < text.len());
        }
    }
    let mut plain = input.to_vec();
    plain.truncate(input.len() / 16 * 16);
    if plain.is_empty() {
        return;
    }
    let sealed = STANDARD.encode(encrypt(&plain));
    if let Ok(message) = key.decrypt(APP_ID, &sealed) {
        // Whatever was accepted keeps the layout that the reference gives: random, length, message, AppID, padding.
        let pad = usize::from(plain[plain.len() - 1]);
        assert!((1..=32).contains(&pad));
        let length = u32::from_be_bytes(plain[16..20].try_into().unwrap()) as usize;
        assert_eq!(message, &plain[20..20 + length]);
        assert_eq!(&plain[20 + length..plain.len() - pad], APP_ID.as_bytes());
    }
    // What we seal is opened again, whatever it says.
    let again = key.encrypt(APP_ID, *b"0123456789abcdef", input);
    assert_eq!(key.decrypt(APP_ID, &again).unwrap(), input);
    assert!(key.decrypt("wxffffffffffffffff", &again).is_err());
});

fn encrypt(plain: &[u8]) -> Vec<u8> {
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let lenient = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let key: [u8; 32] = lenient.decode(ENCODING_AES_KEY).unwrap().try_into().unwrap();
    let iv: [u8; 16] = key[..16].try_into().unwrap();
    let mut sealed = plain.to_vec();
    cbc::Encryptor::<aes::Aes256>::new(&key.into(), &iv.into())
        .encrypt_padded::<NoPadding>(&mut sealed, plain.len())
        .expect("whole blocks");
    sealed
}
