//! What is compressed: a batch of each kind of record that Kafka mostly carries, the same ones every time.

/// The size of a batch.
const BYTES: usize = 1 << 20;

/// Each kind's name, and a batch of it.
pub(crate) fn all() -> [(&'static str, Vec<u8>); 3] {
    [("JSON", fill(json)), ("logs", fill(log)), ("binary", fill(message))]
}

/// A small generator of numbers (xorshift64*), from a fixed seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn of<'a>(&mut self, these: &[&'a str]) -> &'a str {
        these[self.below(these.len() as u64) as usize]
    }
}

fn fill(record: fn(u64, &mut Numbers, &mut Vec<u8>)) -> Vec<u8> {
    let (mut numbers, mut bytes) = (Numbers(0x9e37_79b9_7f4a_7c15), Vec::with_capacity(BYTES + 1024));
    for i in 0.. {
        record(i, &mut numbers, &mut bytes);
        if bytes.len() >= BYTES {
            break;
        }
    }
    bytes.truncate(BYTES);
    bytes
}

/// An event of a shop.
fn json(i: u64, n: &mut Numbers, to: &mut Vec<u8>) {
    let kind = n.of(&["click", "view", "cart", "order", "search"]);
    let page = n.of(&["/", "/products", "/products/detail", "/cart", "/checkout", "/account/orders"]);
    let (user, session, price) = (n.below(100_000), n.next(), n.below(50_000));
    let agent = n.of(&["Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0)", "okhttp/4.12"]);
    to.extend_from_slice(
        format!(
            "{{\"event_id\":\"{session:012x}-{i:08x}\",\"ts\":{},\"type\":\"{kind}\",\"user_id\":{user},\"page\":\"{page}\",\
             \"price\":{}.{:02},\"currency\":\"EUR\",\"agent\":\"{agent}\",\"new\":{}}}",
            1_760_000_000_000 + i * 37 + n.below(30),
            price / 100,
            price % 100,
            n.below(4) == 0
        )
        .as_bytes(),
    );
}

/// A line of a server's log.
fn log(i: u64, n: &mut Numbers, to: &mut Vec<u8>) {
    let level = n.of(&["INFO ", "INFO ", "INFO ", "INFO ", "DEBUG", "WARN ", "ERROR"]);
    let class = n.of(&["http.Router", "db.Pool", "cache.Lru", "auth.Token", "kafka.Consumer", "jobs.Scheduler"]);
    let (ms, port, took) = (i * 13 % 1000, 30_000 + n.below(30_000), n.below(900));
    let text = n.of(&[
        "request handled",
        "connection opened",
        "connection closed",
        "retrying after timeout",
        "cache miss for key",
    ]);
    to.extend_from_slice(
        format!(
            "2026-03-{:02}T{:02}:{:02}:{:02}.{ms:03}Z {level} [worker-{}] {class} - {text} peer=10.{}.{}.{}:{port} took={took}ms id={:016x}\n",
            1 + i / 80_000 % 28,
            i / 3600 % 24,
            i / 60 % 60,
            i % 60,
            n.below(16),
            n.below(4),
            n.below(256),
            n.below(256),
            n.next()
        )
        .as_bytes(),
    );
}

/// A measurement as Protobuf encodes it: tags, varints, doubles, short names.
fn message(i: u64, n: &mut Numbers, to: &mut Vec<u8>) {
    let mut varint = |tag: u8, mut value: u64| {
        to.push(tag);
        while value > 0x7f {
            to.push(value as u8 | 0x80);
            value >>= 7;
        }
        to.push(value as u8);
    };
    varint(0x08, 1_760_000_000_000 + i * 250);
    varint(0x10, n.below(5000));
    varint(0x18, n.below(4));
    varint(0x20, n.below(1 << 20));
    let name = n.of(&["temperature", "humidity", "pressure", "voltage", "current"]);
    to.extend_from_slice(&[0x2a, name.len() as u8]);
    to.extend_from_slice(name.as_bytes());
    for tag in [0x31, 0x39, 0x41] {
        to.push(tag);
        to.extend_from_slice(&(n.below(10_000) as f64 / 100.0).to_le_bytes());
    }
    to.extend_from_slice(&[0x4a, 8]);
    to.extend_from_slice(&n.next().to_le_bytes());
}
