//! A peer that greets like a broker and then lies, in threads that are not counted.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// What it lies about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lie {
    /// The first answer is 2 GB long, and it goes on and on.
    FrameOfTwoGigabytes,
    /// The first answer counts two billion APIs.
    CountOfApis,
    /// A hundred thousand APIs, each of them there.
    ManyApis,
    /// The metadata counts two billion brokers, with a few bytes behind.
    CountOfBrokers,
    /// A hundred thousand brokers, each of them there.
    ManyBrokers,
    /// The metadata counts two billion partitions, with a few bytes behind.
    CountOfPartitions,
    /// Half a million partitions, each of them there.
    ManyPartitions,
    /// One partition, whose number is two billion.
    PartitionIndex,
    /// Answers to fetches and to produced batches are 2 GB long.
    RecordsOfTwoGigabytes,
    /// Answers to fetches count two billion topics, and so do those to produced batches.
    CountInAnswers,
}

pub(crate) const LIES: [Lie; 10] = [
    Lie::FrameOfTwoGigabytes,
    Lie::CountOfApis,
    Lie::ManyApis,
    Lie::CountOfBrokers,
    Lie::ManyBrokers,
    Lie::CountOfPartitions,
    Lie::ManyPartitions,
    Lie::PartitionIndex,
    Lie::RecordsOfTwoGigabytes,
    Lie::CountInAnswers,
];

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
/// Every API that it speaks has this version only: none is flexible, so that everything is a plain row of numbers.
const VERSIONS: [(i16, i16); 5] = [(PRODUCE, 3), (FETCH, 4), (LIST_OFFSETS, 1), (METADATA, 1), (API_VERSIONS, 0)];
/// So much of an endless answer is sent on a connection that is not closed.
const ENDLESS: usize = 32 << 20;

/// Listens until the process ends; answers the address, and how many lies were told so far.
pub(crate) fn listen(lie: Lie) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let told = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&told);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let told = Arc::clone(&counter);
            // Whoever is lied to hangs up.
            thread::spawn(move || drop(serve(stream, lie, port, &told)));
        }
    });
    (format!("127.0.0.1:{port}"), told)
}

fn serve(mut stream: TcpStream, lie: Lie, port: u16, told: &AtomicUsize) -> std::io::Result<()> {
    loop {
        let mut len = [0; 4];
        stream.read_exact(&mut len)?;
        let mut request = vec![0; i32::from_be_bytes(len) as usize];
        stream.read_exact(&mut request)?;
        let (api, version) =
            (i16::from_be_bytes([request[0], request[1]]), i16::from_be_bytes([request[2], request[3]]));
        let mut answer = Answer(request[4..8].to_vec());
        let lies = match api {
            API_VERSIONS => api_versions(&mut answer, lie, version),
            METADATA => metadata(&mut answer, lie, port),
            LIST_OFFSETS => {
                let head = answer.i32(1).str("lies").i32(1);
                head.i32(0).i16(0).i64(-1).i64(0);
                false
            }
            _ => matches!(lie, Lie::RecordsOfTwoGigabytes | Lie::CountInAnswers),
        };
        told.fetch_add(usize::from(lies), Relaxed);
        let endless = lies && matches!(lie, Lie::FrameOfTwoGigabytes | Lie::RecordsOfTwoGigabytes);
        if lies && lie == Lie::CountInAnswers {
            // A fetch's begins with the throttle's time, a produced batch's with the topics.
            answer.i32(i32::MAX).i32(i32::MAX).i32(i32::MAX);
        }
        let len = if endless { i32::MAX } else { answer.0.len() as i32 };
        stream.write_all(&len.to_be_bytes())?;
        stream.write_all(&answer.0)?;
        if endless {
            let block = [b'x'; 64 << 10];
            (0..ENDLESS / block.len()).try_for_each(|_| stream.write_all(&block))?;
        }
    }
}

fn api_versions(answer: &mut Answer, lie: Lie, version: i16) -> bool {
    // Newer ones than it speaks are answered as version 0, with the error that says so (KIP-511).
    answer.i16(if version == 0 { 0 } else { 35 });
    match lie {
        Lie::CountOfApis => answer.i32(i32::MAX),
        Lie::ManyApis => {
            (0..100_000).fold(answer.i32(100_000), |answer, i| answer.i16((i % 30_000) as i16).i16(0).i16(0))
        }
        _ => VERSIONS.iter().fold(answer.i32(5), |answer, (key, version)| answer.i16(*key).i16(*version).i16(*version)),
    };
    matches!(lie, Lie::FrameOfTwoGigabytes | Lie::CountOfApis | Lie::ManyApis)
}

fn metadata(answer: &mut Answer, lie: Lie, port: u16) -> bool {
    let broker = |answer: &mut Answer, id| {
        answer.i32(id).str("127.0.0.1").i32(i32::from(port)).i16(-1);
    };
    let partition = |answer: &mut Answer, index| {
        answer.i16(0).i32(index).i32(1).i32(1).i32(1).i32(1).i32(1);
    };
    match lie {
        Lie::CountOfBrokers => {
            answer.i32(i32::MAX).i32(7);
        }
        Lie::ManyBrokers => {
            answer.i32(100_000);
            (1..=100_000).for_each(|id| broker(answer, id));
        }
        _ => broker(answer.i32(1), 1),
    }
    if lie == Lie::CountOfBrokers {
        return true;
    }
    let head = answer.i32(1).i32(1).i16(0).str("lies").u8(0);
    match lie {
        Lie::CountOfPartitions => {
            head.i32(i32::MAX).i32(7);
        }
        Lie::ManyPartitions => {
            head.i32(500_000);
            (0..500_000).for_each(|index| partition(answer, index));
        }
        Lie::PartitionIndex => partition(head.i32(1), i32::MAX - 1),
        _ => partition(head.i32(1), 0),
    }
    matches!(lie, Lie::ManyBrokers | Lie::CountOfPartitions | Lie::ManyPartitions | Lie::PartitionIndex)
}

/// Bytes in Kafka's order.
struct Answer(Vec<u8>);

impl Answer {
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u8(&mut self, n: u8) -> &mut Self {
        self.put(&[n])
    }

    fn i16(&mut self, n: i16) -> &mut Self {
        self.put(&n.to_be_bytes())
    }

    fn i32(&mut self, n: i32) -> &mut Self {
        self.put(&n.to_be_bytes())
    }

    fn i64(&mut self, n: i64) -> &mut Self {
        self.put(&n.to_be_bytes())
    }

    fn str(&mut self, text: &str) -> &mut Self {
        self.i16(text.len() as i16).put(text.as_bytes())
    }
}
