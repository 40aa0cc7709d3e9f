//! Records of every kind.

use crate::payload;

/// A record to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Specimen {
    /// When it was made.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Specimen {
    /// A record without headers.
    pub fn new(timestamp_ms: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Specimen {
        Specimen { timestamp_ms, key: key.map(<[u8]>::to_vec), value: value.map(<[u8]>::to_vec), headers: Vec::new() }
    }

    fn header(mut self, name: &str, value: Option<&[u8]>) -> Specimen {
        self.headers.push((name.into(), value.map(<[u8]>::to_vec)));
        self
    }

    /// Its line's end.
    pub fn payload(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
        payload(self.key.as_deref(), self.value.as_deref(), headers)
    }
}

const NOW: i64 = 1_700_000_000_000;
const YEAR_9999: i64 = 253_402_300_799_999;

/// Every kind of record, out of order in time, and then so many ordinary ones that batches have several of a codec's blocks.
pub fn specimens() -> Vec<Specimen> {
    let (empty, k, v) = (Some(&b""[..]), Some(&b"k"[..]), Some(&b"v"[..]));
    let mut all = vec![
        Specimen::new(NOW + 1, None, None),
        Specimen::new(NOW, empty, empty),
        Specimen::new(NOW + 2, None, empty),
        Specimen::new(NOW - 1, empty, None),
        Specimen::new(NOW, k, None).header("only", v),
        Specimen::new(NOW, None, v).header("b", v).header("a", Some(b"1")).header("b", Some(b"2")),
        Specimen::new(NOW, k, v).header("b", empty).header("b", None).header("a", None).header("b", empty),
        Specimen::new(NOW, k, v).header("", Some(b"\0")).header("ключ", Some(b"\xff\xfe")).header("", empty),
        Specimen::new(NOW, Some(b"\x00\xff"), Some(b"\x82SNAPPY\0")),
        Specimen::new(0, k, Some(b"1970")),
        Specimen::new(1, k, Some(b"a millisecond later")),
        Specimen::new(-1, k, Some(b"no time")),
        Specimen::new(-5_000, k, Some(b"before 1970")),
        Specimen::new(YEAR_9999, k, Some(b"far")),
        Specimen::new(i64::MIN, k, Some(b"the first")),
        // The difference of these two does not fit into a number of their size.
        Specimen::new(i64::MAX, k, Some(b"the last")),
        Specimen::new(NOW, k, Some(&noise(200_000))),
    ];
    let many = (0..200).fold(Specimen::new(NOW, k, v), |record, i| {
        record.header(["x", "y", "z"][i % 3], [None, empty, Some(&b"0123456789"[..i % 11])][i % 3])
    });
    all.push(many);
    for i in 0..2_000_usize {
        let (key, value) =
            (format!("key {}", i % 10), format!("{{\"number\": {i}, \"filling\": \"{}\"}}", "ab".repeat(i % 97)));
        let record = Specimen::new(NOW + (i as i64 * 7_919) % 10_007, Some(key.as_bytes()), Some(value.as_bytes()));
        all.push(if i % 5 == 0 { record.header("n", Some(i.to_string().as_bytes())) } else { record });
    }
    all
}

/// Bytes that no codec makes smaller.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}
