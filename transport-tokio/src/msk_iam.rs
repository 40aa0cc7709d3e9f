//! Tokens for Amazon MSK's IAM: OAUTHBEARER with an address that was signed (Signature Version 4), as AWS's own signers for MSK make
//! them.
//!
//! ```no_run
//! # #[cfg(feature = "ring")]
//! # async fn run() -> Result<(), klamm_tokio::sasl::TokenError> {
//! use klamm_tokio::{Config, msk_iam::{AwsCredentials, MskIam}, sasl::Sasl, tls::{self, Files}};
//! let tokens = MskIam::new("eu-central-1", AwsCredentials::from_env()?);
//! let tls = tls::builder().system_cas().build()?;
//! let config = Config::new("b-1.example.kafka.eu-central-1.amazonaws.com:9098").tls(tls).sasl(Sasl::oauthbearer(tokens));
//! let client = klamm_tokio::connect_with(config).await?;
//! # Ok(()) }
//! ```
//!
//! Nobody is asked: a token is made on this host, from the credentials and its clock, which must be right to some minutes. It is good
//! for 15 minutes. Credentials that change, as those of roles do, come from [`MskIam::with`].

use std::{
    env, fmt,
    future::{Future, ready},
    pin::Pin,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use klamm::sasl::{Secret, Token, TokenError, TokenFuture, TokenRefused, TokenSource};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// How long a token is good for, in seconds; AWS takes no longer ones.
const LIFE_S: u32 = 900;

/// What is signed: that this client may speak to the cluster, and nothing else.
const SERVICE: &str = "kafka-cluster";
const ACTION: (&str, &str) = ("Action", "kafka-cluster:Connect");

/// Whose key it is. Its `Debug` has nothing but the key's id in it.
#[derive(Clone)]
pub struct AwsCredentials {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
}

impl AwsCredentials {
    /// A user's key.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<Secret>) -> AwsCredentials {
        let (access_key_id, secret_access_key) = (access_key_id.into(), secret_access_key.into());
        AwsCredentials { access_key_id, secret_access_key, session_token: None }
    }

    /// What goes with the key of a role.
    #[must_use]
    pub fn session_token(mut self, token: impl Into<Secret>) -> Self {
        self.session_token = Some(token.into());
        self
    }

    /// Those of `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, where there is one, `AWS_SESSION_TOKEN`.
    ///
    /// # Errors
    /// The name of the variable that is not set, or is no text.
    pub fn from_env() -> Result<AwsCredentials, TokenError> {
        let of = |name: &str| env::var(name).map_err(|error| TokenError::from(format!("{name}: {error}")));
        let credentials = AwsCredentials::new(of("AWS_ACCESS_KEY_ID")?, of("AWS_SECRET_ACCESS_KEY")?);
        Ok(match env::var("AWS_SESSION_TOKEN") {
            Ok(token) if !token.is_empty() => credentials.session_token(token),
            _ => credentials,
        })
    }
}

impl fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsCredentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

type Credentials = Pin<Box<dyn Future<Output = Result<AwsCredentials, TokenError>> + Send>>;

/// A source of tokens for [`Sasl::oauthbearer`](klamm::sasl::Sasl::oauthbearer).
#[derive(Clone)]
pub struct MskIam {
    region: String,
    credentials: Arc<dyn Fn() -> Credentials + Send + Sync>,
}

impl MskIam {
    /// For clusters of a region (`eu-central-1`), with credentials that stay.
    pub fn new(region: impl Into<String>, credentials: AwsCredentials) -> MskIam {
        MskIam::with(region, move || ready(Ok(credentials.clone())))
    }

    /// With credentials that are asked for whenever a token is made: those that AWS's SDK has, say, which renews a role's by itself.
    pub fn with<F, T>(region: impl Into<String>, credentials: F) -> MskIam
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<AwsCredentials, TokenError>> + Send + 'static,
    {
        MskIam { region: region.into(), credentials: Arc::new(move || Box::pin(credentials())) }
    }
}

impl TokenSource for MskIam {
    fn token(&self) -> TokenFuture {
        let (region, credentials) = (self.region.clone(), (self.credentials)());
        Box::pin(async move {
            let credentials = credentials.await?;
            let is_region = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if region.is_empty() || !region.chars().all(is_region) {
                return Err(TokenRefused::new(format!("{region:?} is no region of AWS")).into());
            }
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            let host = format!("kafka.{region}.amazonaws.com");
            let query = presigned(&credentials, &region, SERVICE, &host, "/", &[ACTION], (now, LIFE_S), EMPTY);
            let agent = concat!("klamm%2F", env!("CARGO_PKG_VERSION"));
            let address = Zeroizing::new(format!("https://{host}/?{}&User-Agent={agent}", *query));
            Ok(Token::new(Base64UrlUnpadded::encode_string(address.as_bytes())))
        })
    }
}

impl fmt::Debug for MskIam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MskIam").field("region", &self.region).finish_non_exhaustive()
    }
}

/// The hash of a body of no bytes.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The query of a GET that may be asked by whoever has it, from `time.0` (in seconds since 1970) on for `time.1` seconds:
/// "Authenticating Requests: Using Query Parameters" of AWS's Signature Version 4.
#[expect(clippy::too_many_arguments, reason = "all of it is signed")]
fn presigned(
    credentials: &AwsCredentials,
    region: &str,
    service: &str,
    host: &str,
    path: &str,
    asked: &[(&str, &str)],
    time: (u64, u32),
    body_hash: &str,
) -> Zeroizing<String> {
    let stamp = stamp(time.0);
    let day = &stamp[..8];
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let (credential, life) = (format!("{}/{scope}", credentials.access_key_id), time.1.to_string());
    let mut all: Vec<(&str, &str)> = asked.to_vec();
    all.extend([("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", &credential), ("X-Amz-Date", &stamp)]);
    all.extend([("X-Amz-Expires", &*life), ("X-Amz-SignedHeaders", "host")]);
    let session = credentials.session_token.as_ref().map(|token| String::from_utf8_lossy(token.bytes()));
    all.extend(session.as_ref().map(|token| ("X-Amz-Security-Token", &**token)));
    all.sort_unstable();
    let pairs: Vec<String> = all.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let query = pairs.join("&");
    let request = format!("GET\n{path}\n{query}\nhost:{host}\n\nhost\n{body_hash}");
    let said = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(request.as_bytes())));
    let signature = hex(&*mac(&*signing_key(&credentials.secret_access_key, day, region, service), said.as_bytes()));
    Zeroizing::new(format!("{query}&X-Amz-Signature={signature}"))
}

/// The key of a day, so that whoever learns it has no other.
fn signing_key(secret: &Secret, day: &str, region: &str, service: &str) -> Zeroizing<[u8; 32]> {
    let first = Zeroizing::new([b"AWS4", secret.bytes()].concat());
    let mut key = mac(&first, day.as_bytes());
    for part in [region, service, "aws4_request"] {
        key = mac(&*key, part.as_bytes());
    }
    key
}

fn mac(key: &[u8], data: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(data);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 3986, as AWS has it.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

/// `20260131T235959Z`, in the calendar that there has been since 1582.
fn stamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March, so that a leap day is the last; eras have 400 of them. 1970 begins 719,468 days after the first.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// AWS's documentation, "Examples of how to derive a signing key for Signature Version 4".
    #[test]
    fn a_signing_key_as_aws_derives_it() {
        let key = signing_key(&SECRET.into(), "20150830", "us-east-1", "iam");
        assert_eq!(hex(&*key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }

    /// AWS's documentation, "Authenticating Requests: Using Query Parameters".
    #[test]
    fn a_query_as_aws_signs_it() {
        let credentials = AwsCredentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let (host, time) = ("examplebucket.s3.amazonaws.com", (1_369_353_600, 86_400));
        let query = presigned(&credentials, "us-east-1", "s3", host, "/test.txt", &[], time, "UNSIGNED-PAYLOAD");
        let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(query.ends_with(&format!("&X-Amz-Signature={signature}")), "{}", *query);
    }

    /// What aws-msk-iam-sasl-signer-python 1.0.2 makes at this time.
    #[test]
    fn tokens_as_awss_signer_for_msk_makes_them() {
        let credentials = AwsCredentials::new("AKIDEXAMPLE", SECRET);
        let session = "FQoGZXIvYXdzEXAMPLE/+token==";
        for (credentials, signature) in [
            (credentials.clone(), "97d4e3e55788f745476fbd1db62aa3669e6ae0c35671ccd6f3802a5eccb0e0a4"),
            (credentials.session_token(session), "432cf1b18f2a77c539c652c9d20a7c2dd8fc2c49c301b1b135ac99429384424c"),
        ] {
            let region = "eu-central-1";
            let host = "kafka.eu-central-1.amazonaws.com";
            let query = presigned(&credentials, region, SERVICE, host, "/", &[ACTION], (1_795_741_323, LIFE_S), EMPTY);
            let start = "Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261127%2F\
                         eu-central-1%2Fkafka-cluster%2Faws4_request&X-Amz-Date=20261127T010203Z&X-Amz-Expires=900&";
            assert!(query.starts_with(start), "{}", *query);
            assert!(query.ends_with(&format!("&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}")), "{}", *query);
        }
    }

    #[test]
    fn days_of_the_calendar() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
            (1_798_761_599, "20261231T235959Z"),
        ] {
            assert_eq!(stamp(seconds), text);
        }
    }

    #[test]
    fn a_token_is_an_address_and_shows_nothing() {
        let iam = MskIam::new("eu-central-1", AwsCredentials::new("AKIDEXAMPLE", SECRET));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(iam.token()).expect("a token");
        let shown = format!("{iam:?} {:?}", AwsCredentials::new("AKIDEXAMPLE", SECRET).session_token("session"));
        assert!(shown.contains("AKIDEXAMPLE") && !shown.contains("wJalr") && !shown.contains("session\""), "{shown}");
        for region in ["", "eu/central", "EU"] {
            let iam = MskIam::new(region, AwsCredentials::new("AKIDEXAMPLE", SECRET));
            let error = runtime.block_on(iam.token()).map(drop).expect_err("no region");
            assert!(error.to_string().contains("no region"), "{error}");
        }
    }
}
