//! Which UserIDs are safe. Start at [`is_valid_user_id`].

/// Longest UserID, in bytes.
pub const MAX_USER_ID: usize = 32;

/// Whether `user_id` is one that every part of Tencent Cloud IM accepts: 1 to 32 bytes of `[A-Za-z0-9_-]`.
///
/// The error codes' page allows any printable ASCII, the UserSig library only these; whether case matters is
/// nowhere stated, so never make two UserIDs that differ in case alone.
///
/// ```
/// assert!(im::is_valid_user_id("oABcd-1234567890_efGHIJKLmn"));
/// assert!(!im::is_valid_user_id("customer 1"));
/// ```
pub fn is_valid_user_id(user_id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=MAX_USER_ID).contains(&user_id.len()) && user_id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f52_user_ids_have_1_to_32_bytes_of_letters_digits_underscore_and_hyphen() {
        for good in
            ["a", "-", "_", "o6_bmjrPTlm6_2sgVt7hMZOPfL2M", &"x".repeat(32), "oABcd-1234_efGHIJKLmn-2"]
        {
            assert!(is_valid_user_id(good), "{good}");
        }
        for bad in ["", &"x".repeat(33), "a b", "a.b", "a:b", "a@b", "客户", "a\n", "a\0", "é", "+", "/"] {
            assert!(!is_valid_user_id(bad), "{bad:?}");
        }
        assert!(!is_valid_user_id(&"客".repeat(11)), "33 bytes in 11 characters");
    }
}
