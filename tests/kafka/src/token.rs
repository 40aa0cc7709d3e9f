//! Tokens for OAUTHBEARER.

use std::time::{SystemTime, UNIX_EPOCH};

use klamm_tokio::sasl::Token;

use crate::watch_log;

/// A token that Kafka takes for testing: not signed (RFC 7519, section 6), of this user, for so long. No log may have it.
pub fn unsigned_token(user: &str, seconds: i64) -> Token {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let claims = format!(r#"{{"sub":"{user}","iat":{now},"exp":{}}}"#, now + seconds);
    let part = |json: &str| base64url(json.as_bytes());
    let token = format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims));
    watch_log(|secrets| secrets.add("a token", part(&claims).as_bytes()));
    Token::new(token)
}

/// Base64 as URLs have it, without padding.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).for_each(|i| text.push(LETTERS[(word >> (18 - 6 * i)) as usize & 63].into()));
    }
    text
}
