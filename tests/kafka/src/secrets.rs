//! What nobody may see, and a log at TRACE that is looked through for it while the suites run.

use std::{
    fmt::Display,
    io::Write as _,
    sync::{Mutex, MutexGuard},
};

use klamm_tokio::tls::rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};

use crate::{Certificates, token::base64url};

/// Passwords, tokens and keys, in whatever form they might be written.
#[derive(Default)]
pub struct Secrets(Vec<(String, Vec<String>)>);

impl Secrets {
    /// A password or a token: at least 8 bytes, so that it stands nowhere by chance.
    pub fn add(&mut self, what: &str, secret: &[u8]) {
        assert!(secret.len() >= 8, "{what} is too short to be looked for");
        self.0.push((what.into(), forms(secret)));
    }

    /// A private key on an elliptic curve, as the certificates of these tests have: its lines, and the number itself.
    pub fn add_key(&mut self, what: &str, pem: &str) {
        let lines = pem.lines().filter(|line| line.len() >= 40 && !line.starts_with('-')).map(str::to_owned);
        self.0.push((what.into(), lines.collect()));
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a key");
        // RFC 5915 in RFC 5958: the 32 bytes before the public key, which everybody may see.
        let bytes = key.secret_der();
        self.add(what, &bytes[36..68]);
    }

    /// All private keys of clients.
    pub fn add_certificates(&mut self, certificates: &Certificates) {
        self.add_key("the client's key", &certificates.client_key);
        self.add_key("the stranger's key", &certificates.stranger_key);
    }

    /// Which of them stands in a text.
    pub fn in_text(&self, text: &str) -> Option<&str> {
        self.0.iter().find(|(_, forms)| forms.iter().any(|form| text.contains(form))).map(|(what, _)| &**what)
    }
}

/// As it is, in hexadecimal, as a list of bytes, and as base64, wherever in a longer text it begins.
fn forms(secret: &[u8]) -> Vec<String> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<String> = secret.iter().map(|byte| byte.to_string()).collect();
    let list_of_hex: Vec<String> = secret.iter().map(|byte| format!("{byte:x}")).collect();
    let mut forms = vec![hex.to_uppercase(), hex, list.join(", "), list_of_hex.join(", ")];
    if let Ok(text) = std::str::from_utf8(secret) {
        forms.push(text.to_owned());
        forms.push(text.escape_debug().to_string());
    }
    for before in 0..3 {
        let all = [&[0; 2][..before], secret].concat();
        // Characters that have bits of its neighbours in them could be any.
        let whole = base64url(&all)[(before * 8).div_ceil(6)..all.len() * 8 / 6].to_owned();
        forms.push(whole.replace('-', "+").replace('_', "/"));
        forms.push(whole);
    }
    forms
}

/// What this process's suites have for secrets, and what was logged in it.
static WATCHED: Mutex<(Secrets, Vec<String>)> = Mutex::new((Secrets(Vec::new()), Vec::new()));

fn watched() -> MutexGuard<'static, (Secrets, Vec<String>)> {
    WATCHED.lock().expect("nobody panics in here")
}

struct Log;

/// What a host of components tells of each instruction that it compiles: gigabytes, and nothing of a client.
const COMPILERS: [&str; 3] = ["cranelift", "regalloc", "wasmtime"];

impl log::Log for Log {
    fn enabled(&self, of: &log::Metadata<'_>) -> bool {
        !COMPILERS.iter().any(|compiler| of.target().starts_with(compiler))
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = format!("{} {}: {}", record.level(), record.target(), record.args());
        let mut watched = watched();
        if let Some(what) = watched.0.in_text(&line) {
            // A panic in the driver's task need not be the test's failure; and `eprintln!` would be kept back.
            drop(writeln!(std::io::stderr(), "{what} was logged: {line}"));
            std::process::abort();
        }
        if record.target().starts_with("klamm") {
            // Kept back unless the test fails.
            println!("{line}");
        }
        watched.1.push(line);
    }

    fn flush(&self) {}
}

/// From now on everything that is logged in this process, at any level, is looked through, too, for what `add` adds. A hit ends
/// the process. A test that fails shows what a client of its own logged.
pub fn watch_log(add: impl FnOnce(&mut Secrets)) {
    static LOG: Log = Log;
    add(&mut watched().0);
    // Whoever comes second finds it there.
    if log::set_logger(&LOG).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
}

/// Whether a line with these words was logged since [`watch_log`].
pub fn was_logged(words: &str) -> bool {
    watched().1.iter().any(|line| line.contains(words))
}

/// An error's words and its `Debug` are for logs as well.
///
/// # Panics
/// When a secret that [`watch_log`] knows is in them.
pub fn assert_tells_nothing(error: &(impl Display + std::fmt::Debug)) {
    let text = format!("{error} {error:?} {error:#?}");
    if let Some(what) = watched().0.in_text(&text) {
        panic!("{what} is told: {text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_form_it_has_it_is_found() {
        let mut secrets = Secrets::default();
        secrets.add("the password", b"alice-secret");
        for shown in [
            "password=alice-secret;",
            "616c6963652d736563726574",
            "00616C6963652D736563726574",
            "[97, 108, 105, 99, 101, 45, 115, 101, 99, 114, 101, 116]",
            "YWxpY2Utc2VjcmV0",
            // "\0alice-secret" and "\0\0alice-secret\0", and what PLAIN says.
            "AGFsaWNlLXNlY3JldA==",
            "AABhbGljZS1zZWNyZXQA",
            "AGFsaWNlAGFsaWNlLXNlY3JldA==",
        ] {
            assert_eq!(secrets.in_text(shown), Some("the password"), "{shown}");
        }
        for other in ["alice", "secret", "alice-secre", "Secret", "YWxpY2U="] {
            assert_eq!(secrets.in_text(other), None, "{other}");
        }
        let certificates = Certificates::new();
        secrets.add_certificates(&certificates);
        assert_eq!(secrets.in_text(&certificates.client_key), Some("the client's key"));
        let key = PrivateKeyDer::from_pem_slice(certificates.client_key.as_bytes()).expect("a key");
        assert_eq!(secrets.in_text(&format!("{:?}", key.secret_der())), Some("the client's key"));
        assert_eq!(secrets.in_text(&certificates.client), None, "a certificate has the public one");
    }
}
