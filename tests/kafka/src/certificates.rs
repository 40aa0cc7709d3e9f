//! Certificates for brokers and clients, made anew for each cluster.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// A CA, with what is needed to sign.
struct Ca {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a client needs, as PEM.
#[derive(Debug)]
pub struct Certificates {
    /// The CA that signed everybody's.
    pub ca: String,
    /// A CA that signed nobody's.
    pub other_ca: String,
    /// A certificate for a broker on loopback.
    pub broker: String,
    /// Its key.
    pub broker_key: String,
    /// The client's certificate.
    pub client: String,
    /// The client's key.
    pub client_key: String,
    /// A certificate that nobody's CA signed.
    pub stranger: String,
    /// Its key.
    pub stranger_key: String,
}

impl Ca {
    fn new(name: &str) -> Ca {
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Ca { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for these names, with its key.
    fn sign(&self, names: &[&str], years: (i32, i32)) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, "klamm-test");
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        (certificate.pem(), key.serialize_pem())
    }
}

const ALWAYS: (i32, i32) = (2020, 2100);

const HERE: [&str; 2] = ["localhost", "127.0.0.1"];

impl Certificates {
    /// Makes all.
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Certificates {
        Certificates::with(&Ca::new("klamm test CA"), &HERE)
    }

    /// With a broker's certificate for these names.
    pub fn naming(names: &[&str]) -> Certificates {
        Certificates::with(&Ca::new("klamm test CA"), names)
    }

    fn with(ca: &Ca, names: &[&str]) -> Certificates {
        let other_ca = Ca::new("another CA");
        let (broker, broker_key) = ca.sign(names, ALWAYS);
        let (client, client_key) = ca.sign(&["client"], ALWAYS);
        let (stranger, stranger_key) = other_ca.sign(&["client"], ALWAYS);
        let (ca, other_ca) = (ca.pem.clone(), other_ca.pem);
        Certificates { ca, other_ca, broker, broker_key, client, client_key, stranger, stranger_key }
    }

    /// Makes all, and writes those of the brokers where the script `cluster` looks for them.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn make(dir: &Path) -> Certificates {
        let ca = Ca::new("klamm test CA");
        let certificates = Certificates::with(&ca, &HERE);
        let write = |name: &str, (certificate, key): &(String, String)| {
            let text = format!("{key}{certificate}{}", ca.pem);
            fs::write(dir.join(format!("{name}.pem")), text).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        };
        write("ca", &(String::new(), String::new()));
        write("broker", &(certificates.broker.clone(), certificates.broker_key.clone()));
        write("expired", &ca.sign(&HERE, (2020, 2021)));
        write("early", &ca.sign(&HERE, (2090, 2100)));
        write("elsewhere", &ca.sign(&["elsewhere.example"], ALWAYS));
        certificates
    }
}
