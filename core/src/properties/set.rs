//! What each name does with its value.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Dialect, Material,
    draft::{Draft, Protocol},
    value::Value,
};
use crate::{Acks, Codec, Error, IsolationLevel, Partitioner, ResetPolicy, StartAt};

type Done = Result<(), Error>;

pub(super) fn bootstrap(draft: &mut Draft, value: &Value<'_>) -> Done {
    let with_port = |broker: &str| match broker.rsplit_once(':') {
        Some((host, _)) if !broker.starts_with('[') || host.ends_with(']') => broker.to_string(),
        _ => format!("{broker}:9092"),
    };
    draft.client.bootstrap = match draft.dialect {
        Dialect::Java => value.text.into(),
        Dialect::Librdkafka => {
            let brokers = value.text.split(',').map(str::trim).filter(|broker| !broker.is_empty());
            brokers.map(with_port).collect::<Vec<_>>().join(",")
        }
    };
    let why = |error| match error {
        Error::Config { why, .. } => value.wrong(why),
        other => other,
    };
    draft.client.endpoints().map(drop).map_err(why)
}

pub(super) fn client_id(draft: &mut Draft, value: &Value<'_>) -> Done {
    if value.text.len() > 249 {
        return Err(value.wrong("is longer than 249 bytes"));
    }
    draft.client.client_id = value.text.into();
    Ok(())
}

pub(super) fn request_timeout(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.client.request_timeout_ms = value.at_least(1)?;
    Ok(())
}

pub(super) fn ack_timeout(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.producer.ack_timeout_ms = Some(value.at_least(1)?);
    Ok(())
}

pub(super) fn connect_timeout(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.client.connect_timeout_ms = value.at_least(1)?;
    Ok(())
}

pub(super) fn metadata_age(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.client.metadata_max_age_ms = draft.client.metadata_max_age_ms.min(value.at_least(1)?);
    Ok(())
}

pub(super) fn refresh_interval(draft: &mut Draft, value: &Value<'_>) -> Done {
    if value.text == "-1" { Ok(()) } else { metadata_age(draft, value) }
}

pub(super) fn backoff(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.client.backoff_ms = value.at_least(1)?;
    Ok(())
}

pub(super) fn backoff_max(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.client.backoff_max_ms = value.at_least(1)?;
    // As Java has it: the longest wait is then every wait.
    draft.client.backoff_ms = draft.client.backoff_ms.min(draft.client.backoff_max_ms);
    Ok(())
}

/// The size of a system's buffer; `None`: as the system likes.
fn buffer(draft: &Draft, value: &Value<'_>) -> Result<Option<u32>, Error> {
    let systems = match draft.dialect {
        Dialect::Java => "-1",
        Dialect::Librdkafka => "0",
    };
    if value.text == systems { Ok(None) } else { value.at_least(1).map(Some) }
}

pub(super) fn send_buffer(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.client.send_buffer_bytes = buffer(draft, value)?;
    Ok(())
}

pub(super) fn receive_buffer(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.client.receive_buffer_bytes = buffer(draft, value)?;
    Ok(())
}

pub(super) fn acks(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.producer.acks =
        value.choice(&[("all", Acks::All), ("-1", Acks::All), ("1", Acks::Leader), ("0", Acks::None)])?;
    Ok(())
}

pub(super) fn idempotence(draft: &mut Draft, value: &Value<'_>) -> Done {
    let on = value.boolean(draft.dialect)?;
    draft.wants_idempotence = on && value.given;
    draft.producer.idempotence = if on && !value.given { None } else { Some(on) };
    Ok(())
}

pub(super) fn in_flight(draft: &mut Draft, value: &Value<'_>) -> Done {
    let most = value.at_least(1)?;
    draft.too_many_in_flight = value.given && most > 5;
    draft.producer.max_in_flight = most.min(5) as usize;
    Ok(())
}

pub(super) fn retries(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.producer.retries = value.at_least(0)?;
    Ok(())
}

pub(super) fn delivery_timeout(draft: &mut Draft, value: &Value<'_>) -> Done {
    let timeout = value.at_least(0)?;
    draft.delivery_given = value.given;
    let is_endless = timeout == 0 && draft.dialect == Dialect::Librdkafka;
    draft.producer.delivery_timeout_ms = if is_endless { u32::MAX } else { timeout };
    Ok(())
}

pub(super) fn linger(draft: &mut Draft, value: &Value<'_>) -> Done {
    let (whole, part) = match draft.dialect {
        Dialect::Java => (value.text, ""),
        Dialect::Librdkafka => value.text.split_once('.').unwrap_or((value.text, "")),
    };
    if !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(value.wrong("must be a number of milliseconds"));
    }
    let whole = Value::given(value.name, whole, false);
    let more = u32::from(part.bytes().any(|digit| digit != b'0'));
    draft.producer.linger_ms = whole.at_least(0).map_err(|_| value.wrong("must be a number of milliseconds"))? + more;
    Ok(())
}

pub(super) fn max_block(draft: &mut Draft, value: &Value<'_>) -> Done {
    let most = value.number(0..=i64::MAX)?;
    draft.producer.max_block_ms = u32::try_from(most).unwrap_or(u32::MAX);
    Ok(())
}

pub(super) fn batch_size(draft: &mut Draft, value: &Value<'_>) -> Done {
    // Java's 0: no batching, so that each record is larger than a batch.
    draft.producer.batch_full_bytes = (value.at_least(0)? as usize).max(1);
    Ok(())
}

pub(super) fn batch_records(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.producer.batch_records = value.at_least(1)?;
    Ok(())
}

pub(super) fn request_bytes(draft: &mut Draft, value: &Value<'_>) -> Done {
    let most = value.at_least(1_000)? as usize;
    (draft.producer.request_bytes, draft.producer.batch_bytes) = (most, most);
    Ok(())
}

pub(super) fn buffer_memory(draft: &mut Draft, value: &Value<'_>) -> Done {
    let bytes = value.number(1..=i64::MAX)?;
    draft.buffer_bytes = usize::try_from(bytes).map_err(|_| value.wrong("is more than this machine can address"))?;
    Ok(())
}

pub(super) fn buffer_kbytes(draft: &mut Draft, value: &Value<'_>) -> Done {
    let bytes = (value.at_least(1)? as usize).checked_mul(1_024);
    draft.buffer_bytes = bytes.ok_or_else(|| value.wrong("is more than this machine can address"))?;
    Ok(())
}

pub(super) fn max_records(draft: &mut Draft, value: &Value<'_>) -> Done {
    let most = value.at_least(0)? as usize;
    draft.producer.max_records = Some(most).filter(|most| *most > 0);
    Ok(())
}

pub(super) fn compression(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.producer.compression = value.choice(&[
        ("none", Codec::None),
        ("gzip", Codec::Gzip),
        ("snappy", Codec::Snappy),
        ("lz4", Codec::Lz4),
        ("zstd", Codec::Zstd),
    ])?;
    Ok(())
}

/// For whatever codec was chosen, which stands before this in the list.
pub(super) fn level(draft: &mut Draft, value: &Value<'_>) -> Done {
    let level = value.number(-1..=12)? as i32;
    draft.producer.compression_level = match draft.producer.compression {
        _ if level == -1 => None,
        Codec::None => None,
        Codec::Snappy if level == 0 => None,
        Codec::Snappy => return Err(value.wrong("snappy has no levels")),
        // Its fast one, which is the first here.
        Codec::Lz4 => Some(level.max(1)),
        Codec::Gzip if level > 9 => return Err(value.wrong("gzip has levels up to 9")),
        Codec::Gzip | Codec::Zstd => Some(level),
    };
    Ok(())
}

fn level_of(draft: &mut Draft, codec: Codec, level: Option<i64>) {
    if draft.producer.compression == codec {
        draft.producer.compression_level = level.map(|level| level as i32);
    }
}

pub(super) fn gzip_level(draft: &mut Draft, value: &Value<'_>) -> Done {
    let level = value.number(-1..=9)?;
    if level == 0 {
        return Err(value.wrong("must be -1, or from 1 to 9"));
    }
    level_of(draft, Codec::Gzip, Some(level).filter(|level| *level > 0));
    Ok(())
}

pub(super) fn lz4_level(draft: &mut Draft, value: &Value<'_>) -> Done {
    let level = value.number(1..=17)?;
    level_of(draft, Codec::Lz4, Some(level).filter(|level| *level != 9));
    Ok(())
}

pub(super) fn zstd_level(draft: &mut Draft, value: &Value<'_>) -> Done {
    let level = value.number(-131_072..=22)?;
    level_of(draft, Codec::Zstd, Some(level));
    Ok(())
}

pub(super) fn partitioner(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.producer.partitioner = value.choice(&[
        ("random", Partitioner::Random),
        ("consistent", Partitioner::Consistent),
        ("consistent_random", Partitioner::ConsistentRandom),
        ("murmur2", Partitioner::Murmur2),
        ("murmur2_random", Partitioner::Murmur2Random),
        ("fnv1a", Partitioner::Fnv1a),
        ("fnv1a_random", Partitioner::Fnv1aRandom),
    ])?;
    Ok(())
}

pub(super) fn ignore_keys(draft: &mut Draft, value: &Value<'_>) -> Done {
    let ignores = value.boolean(draft.dialect)?;
    draft.producer.partitioner = if ignores { Partitioner::Random } else { Partitioner::Murmur2Random };
    Ok(())
}

pub(super) fn partitioner_class(_: &mut Draft, value: &Value<'_>) -> Done {
    Err(value.wrong("a class of Java's cannot run here; without this keys go where Java's own partitioner puts them"))
}

pub(super) fn fetch_min(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.consumer.fetch_min_bytes = value.at_least(0)?;
    Ok(())
}

pub(super) fn fetch_max(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.consumer.fetch_max_bytes = value.at_least(1)?;
    Ok(())
}

pub(super) fn partition_max(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.consumer.partition_max_bytes = value.at_least(1)?;
    Ok(())
}

pub(super) fn fetch_wait(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.consumer.fetch_max_wait_ms = value.at_least(0)?.max(1);
    Ok(())
}

pub(super) fn offset_reset(draft: &mut Draft, value: &Value<'_>) -> Done {
    const EARLIEST: (StartAt, ResetPolicy) = (StartAt::Earliest, ResetPolicy::Earliest);
    const LATEST: (StartAt, ResetPolicy) = (StartAt::Latest, ResetPolicy::Latest);
    const NONE: (StartAt, ResetPolicy) = (StartAt::Latest, ResetPolicy::Fail);
    let (from, reset) = match draft.dialect {
        Dialect::Java => value.choice(&[("earliest", EARLIEST), ("latest", LATEST), ("none", NONE)])?,
        Dialect::Librdkafka => value.choice(&[
            ("smallest", EARLIEST),
            ("earliest", EARLIEST),
            ("beginning", EARLIEST),
            ("largest", LATEST),
            ("latest", LATEST),
            ("end", LATEST),
            ("error", NONE),
        ])?,
    };
    (draft.consumer.from, draft.consumer.reset) = (from, Some(reset));
    Ok(())
}

pub(super) fn isolation(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.consumer.isolation_level = value.choice(&[
        ("read_uncommitted", IsolationLevel::ReadUncommitted),
        ("read_committed", IsolationLevel::ReadCommitted),
    ])?;
    Ok(())
}

pub(super) fn protocol(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.protocol = value.choice(&[
        ("plaintext", Protocol { tls: false, sasl: false }),
        ("ssl", Protocol { tls: true, sasl: false }),
        ("sasl_plaintext", Protocol { tls: false, sasl: true }),
        ("sasl_ssl", Protocol { tls: true, sasl: true }),
    ])?;
    let lacks = |feature| Err(value.wrong(format!("needs the feature `{feature}` of this build")));
    match draft.protocol {
        Protocol { tls: true, .. } if !cfg!(feature = "tls") => lacks("tls"),
        Protocol { sasl: true, .. } if !cfg!(feature = "sasl") => lacks("sasl"),
        _ => Ok(()),
    }
}

fn file(draft: &mut Draft, value: &Value<'_>) -> Material {
    draft.tls.first.get_or_insert(value.name);
    Material::File(value.text.into())
}

fn pem(draft: &mut Draft, value: &Value<'_>) -> Material {
    draft.tls.first.get_or_insert(value.name);
    Material::Pem(value.text.into())
}

pub(super) fn ca_file(draft: &mut Draft, value: &Value<'_>) -> Done {
    let file = file(draft, value);
    if value.text != "probe" {
        draft.tls.cas.push(file);
    }
    Ok(())
}

pub(super) fn ca_pem(draft: &mut Draft, value: &Value<'_>) -> Done {
    let pem = pem(draft, value);
    draft.tls.cas.push(pem);
    Ok(())
}

pub(super) fn chain_file(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.tls.chain = Some((value.name, file(draft, value)));
    Ok(())
}

pub(super) fn chain_pem(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.tls.chain = Some((value.name, pem(draft, value)));
    Ok(())
}

pub(super) fn key_file(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.tls.key = Some((value.name, file(draft, value)));
    Ok(())
}

pub(super) fn key_pem(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.tls.key = Some((value.name, pem(draft, value)));
    Ok(())
}

pub(super) fn truststore(draft: &mut Draft, value: &Value<'_>) -> Done {
    let file = file(draft, value);
    draft.tls.truststore = Some(file);
    Ok(())
}

pub(super) fn keystore(draft: &mut Draft, value: &Value<'_>) -> Done {
    let file = file(draft, value);
    draft.tls.keystore = Some(file);
    Ok(())
}

pub(super) fn truststore_type(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.tls.truststore_is_pem = is_pem(value)?;
    Ok(())
}

pub(super) fn keystore_type(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.tls.keystore_is_pem = is_pem(value)?;
    Ok(())
}

/// The default is no error before there is a store.
fn is_pem(value: &Value<'_>) -> Result<bool, Error> {
    let is_pem = value.text.eq_ignore_ascii_case("PEM");
    if is_pem || !value.given { Ok(is_pem) } else { Err(value.wrong("must be PEM: no other store is read")) }
}

pub(super) fn identification(_: &mut Draft, value: &Value<'_>) -> Done {
    value.choice(&[("https", ())]).map_err(|_| value.wrong("must be https: the host is always checked"))
}

pub(super) fn verification(draft: &mut Draft, value: &Value<'_>) -> Done {
    if value.boolean(draft.dialect)? {
        Ok(())
    } else {
        Err(value.wrong("must be true: certificates are always checked"))
    }
}

pub(super) fn key_password(_: &mut Draft, value: &Value<'_>) -> Done {
    Err(value.wrong("keys are read unencrypted only: `openssl pkcs8 -topk8 -nocrypt` makes one"))
}

pub(super) fn mechanism(draft: &mut Draft, value: &Value<'_>) -> Done {
    if value.given {
        draft.sasl.first.get_or_insert(value.name);
    }
    draft.sasl.mechanism = value.text.to_ascii_uppercase();
    Ok(())
}

fn secret(draft: &mut Draft, value: &Value<'_>) -> Option<String> {
    draft.sasl.first.get_or_insert(value.name);
    Some(value.text.into())
}

pub(super) fn user(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.sasl.user = secret(draft, value);
    Ok(())
}

pub(super) fn password(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.sasl.password = secret(draft, value);
    Ok(())
}

pub(super) fn jaas(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.sasl.jaas = secret(draft, value);
    Ok(())
}

/// Where tokens come from; the value is one of theirs.
fn token(draft: &mut Draft, value: &Value<'_>) -> Option<String> {
    draft.sasl.tokens.first.get_or_insert(value.name);
    secret(draft, value)
}

pub(super) fn token_method(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.sasl.tokens.is_oidc = value.choice(&[("default", false), ("oidc", true)])?;
    if draft.sasl.tokens.is_oidc {
        token(draft, value);
    }
    Ok(())
}

pub(super) fn token_endpoint(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.sasl.tokens.endpoint = token(draft, value);
    Ok(())
}

pub(super) fn token_client(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.sasl.tokens.client_id = token(draft, value);
    Ok(())
}

pub(super) fn token_secret(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.sasl.tokens.client_secret = token(draft, value);
    Ok(())
}

pub(super) fn token_scope(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.sasl.tokens.scope = token(draft, value);
    Ok(())
}

pub(super) fn token_extensions(draft: &mut Draft, value: &Value<'_>) -> Done {
    token(draft, value);
    for pair in value.text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let Some((name, told)) = pair.split_once('=') else {
            return Err(value.wrong("must be names with values (a=b), and commas between them"));
        };
        draft.sasl.tokens.extensions.push((name.trim().into(), told.trim().into()));
    }
    Ok(())
}

pub(super) fn token_urlencode(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.sasl.tokens.urlencode = value.boolean(draft.dialect)?;
    if draft.sasl.tokens.urlencode {
        token(draft, value);
    }
    Ok(())
}

pub(super) fn token_ca_file(draft: &mut Draft, value: &Value<'_>) -> Done {
    let file = token(draft, value).filter(|file| file != "probe");
    draft.sasl.tokens.cas.extend(file.map(Material::File));
    Ok(())
}

pub(super) fn token_ca_pem(draft: &mut Draft, value: &Value<'_>) -> Done {
    let pem = token(draft, value);
    draft.sasl.tokens.cas.extend(pem.map(Material::Pem));
    Ok(())
}

/// Java's class for what is done here, in whatever package it is: it has moved.
fn class(draft: &mut Draft, value: &Value<'_>, known: &[&str]) -> Done {
    token(draft, value);
    let class = value.text.rsplit('.').next().unwrap_or_default();
    if known.contains(&class) {
        return Ok(());
    }
    Err(value.wrong(format!("a class of Java's cannot run here; what {} does is there", known[0])))
}

pub(super) fn login_handler(draft: &mut Draft, value: &Value<'_>) -> Done {
    class(draft, value, &["OAuthBearerLoginCallbackHandler"])
}

pub(super) fn jwt_retriever(draft: &mut Draft, value: &Value<'_>) -> Done {
    class(draft, value, &["ClientCredentialsJwtRetriever", "DefaultJwtRetriever"])
}

pub(super) fn group_id(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.group.group_id = Some(value.text.into()).filter(|id: &String| !id.is_empty());
    Ok(())
}

pub(super) fn session_timeout(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.group.session_timeout_ms = value.at_least(1)?;
    Ok(())
}

pub(super) fn poll_interval(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.group.max_poll_interval_ms = value.at_least(1)?;
    Ok(())
}

pub(super) fn auto_commit(draft: &mut Draft, value: &Value<'_>) -> Done {
    draft.group.enable_auto_commit = value.boolean(draft.dialect)?;
    Ok(())
}

pub(super) fn transactions(_: &mut Draft, value: &Value<'_>) -> Done {
    Err(value.wrong("there are no transactions yet"))
}

pub(super) fn serializer(_: &mut Draft, value: &Value<'_>) -> Done {
    Err(value.wrong("keys and values are bytes here; leave it out"))
}
