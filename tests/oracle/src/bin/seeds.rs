//! Writes what the fuzzer begins with: `seeds FOLDER` makes a folder for each target of `fuzz/` in it.
//!
//! Responses are of every API in every version, made by walking the schemas; batches are those that Java made; what the
//! codecs pack is packed here.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use klamm::compress::{BuiltIn, Codecs, Full, Sink};
use klamm::wire::api;
use klamm::{Codec, fuzzing};
use klamm_codegen::reference::Fill;
use klamm_oracle::{reference, responses};

struct Packed(Vec<u8>);

impl Sink for Packed {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("seeds FOLDER")?);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden");
    of_responses(&folder)?;
    of_headers(&folder, &golden.join("frames"))?;
    of_codecs(&folder)?;
    let mut batches = Vec::new();
    for entry in fs::read_dir(golden.join("batches"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "bin") {
            batches.push(fs::read(path)?);
        }
    }
    write(&folder, "batches", &batches)?;
    write(
        &folder,
        "assembly",
        &[vec![0; 40], [&[9, 5][..], &[0, 60, 0x20, 1, 0x30, 0, 1, 200, 0, 7].repeat(5)].concat()],
    )?;
    write(&folder, "tls", &encrypted())?;
    write(&folder, "scram", &authentications())?;
    write(&folder, "link", &exchanges())?;
    write(&folder, "machine", &conversations())
}

fn write(folder: &Path, target: &str, seeds: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
    let folder = folder.join(target);
    fs::create_dir_all(&folder)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("{number:04}")), seed)?;
    }
    Ok(())
}

fn of_responses(folder: &Path) -> Result<(), Box<dyn Error>> {
    let (reference, apis) = (reference(), fuzzing::apis());
    let fills = [Fill::Nulls, Fill::Least];
    let mut seeds = Vec::new();
    for (case, api) in responses(&reference, &fills) {
        let place = apis.iter().position(|of| *of == api).ok_or("an API without a response")?;
        let chosen = [u8::try_from(place)?, u8::try_from(case.version - api.min)?];
        seeds.push([&chosen[..], &case.bytes(false)].concat());
    }
    write(folder, "responses", &seeds)
}

fn of_headers(folder: &Path, frames: &Path) -> Result<(), Box<dyn Error>> {
    let mut seeds = Vec::new();
    for entry in fs::read_dir(frames)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("a name")?;
        let (name, version) = name.split_once('-').ok_or("a version in the name")?;
        let name = name.trim_end_matches("Request").trim_end_matches("Response");
        let place = api::ALL.iter().position(|api| api.name == name).ok_or("an API")?;
        let frame = fs::read(&path)?;
        seeds.push([&[u8::try_from(place)?, version.parse()?][..], &frame[4..]].concat());
    }
    write(folder, "headers", &seeds)
}

fn of_codecs(folder: &Path) -> Result<(), Box<dyn Error>> {
    let text: String = (0..40).map(|i| format!("{{\"id\":{i},\"user\":\"u{:05}\"}}", i * 7919 % 99_991)).collect();
    let contents = [&b""[..], b"hello", &[7; 3000], text.as_bytes()];
    let all = [(Codec::Gzip, [0, 6]), (Codec::Snappy, [0, 0]), (Codec::Lz4, [1, 9]), (Codec::Zstd, [-5, 3])];
    for (codec, levels) in all {
        let mut seeds = Vec::new();
        for (content, level) in contents.iter().flat_map(|content| levels.map(|level| (content, level))) {
            let mut packed = Packed(Vec::new());
            BuiltIn
                .compressor(codec, Some(level))?
                .compress(&mut content.chunks(100), &mut packed)
                .map_err(|e| e.to_string())?;
            seeds.push(packed.0);
        }
        let twice = seeds[seeds.len() - 1].repeat(2);
        seeds.push(twice);
        write(folder, codec.name(), &seeds)?;
    }
    let trips: Vec<Vec<u8>> =
        (0..16).map(|i| [&[i, i * 3, i * 16][..], contents[usize::from(i) % 4]].concat()).collect();
    write(folder, "round_trip", &trips)
}

/// Settings, then operations of three bytes each; see `fuzz/src/machine.rs`.
fn conversations() -> Vec<Vec<u8>> {
    const FLOW: [u8; 3] = [19, 100, 0];
    let produce = [0, 0x11, 40];
    let common =
        [FLOW, produce, produce, FLOW, [9, 0, 0], FLOW, [10, 0, 0], [10, 1, 0], FLOW, [8, 0, 0], FLOW, produce];
    let slow =
        [[3, 0, 0], [6, 0, 0], produce, [3, 0, 0], [5, 1, 3], [4, 1, 5], [7, 4, 0], [6, 1, 0], [12, 0, 0], [7, 7, 9]];
    let mut all = Vec::new();
    for settings in [0x01, 0x0b, 0x4f, 0x82, 0x23, 0x39] {
        all.push([&[settings, 1][..], common.as_flattened(), slow.as_flattened()].concat());
        all.push([&[settings, 0][..], slow.as_flattened(), common.as_flattened(), &[14, 0, 5, 1], &FLOW].concat());
    }
    all
}

/// A version, then what happens; see `fuzz/src/tls.rs`.
fn encrypted() -> Vec<Vec<u8>> {
    const SETTLE: &[u8] = &[10];
    let asks: &[u8] = &[2, 8, 0, 3, 1, 16, 0, 3, 0];
    let talks: &[u8] = &[6, 16, 0, 0, 5, 64, 0, 0, 100, 2, 2, 0, 8, 0, 6, 255, 0, 0, 1, 16, 0, 4, 3, 0];
    let mut all = Vec::new();
    for version in [0, 1] {
        all.push([&[version], asks, SETTLE, talks, talks, SETTLE, &[7], talks, &[7], SETTLE, talks, &[9]].concat());
        for harm in [&[11, 0, 7, 4][..], &[11, 0, 90, 1], &[12, 5], &[13, 5, 23, 3, 3, 0, 0], &[14, 0, 200], &[15, 1]] {
            all.push([&[version], asks, harm, SETTLE].concat());
            all.push([&[version], SETTLE, talks, harm, SETTLE, talks].concat());
        }
    }
    all
}

/// Sound conversations by either hash, one with a damaged signature, and a broker's answers to a handshake and to a message.
fn authentications() -> Vec<Vec<u8>> {
    let handshake = [&[0, 0, 0, 33, 0, 0, 0, 1, 0, 5][..], b"PLAIN"].concat();
    let refusal = [&[1, 0, 0, 58, 0, 2][..], b"no", &[0, 0, 0, 0]].concat();
    vec![vec![2, 0, 0, 0], vec![6, 1, 0, 0], vec![2, 0, 0, 1, 0, 9, 1], handshake, refusal]
}

/// Requests that are written and answered, small and large, with room and without; one that is not answered; nonsense; a pause.
fn exchanges() -> Vec<Vec<u8>> {
    let ask = |version, kind, fill| vec![0, version, kind, 5, 0, 99, fill, 40];
    let (write, receive, cramped) = (vec![1, 0xff, 0xff], vec![3, 0xff, 0xff, 0], vec![3, 0xff, 0xff, 1]);
    let (small, large) = (vec![2, 0, 50], vec![2, 7, 0xcf]);
    let whole = |answer: &Vec<u8>, receive: &Vec<u8>| {
        [ask(12, 1, 1), write.clone(), answer.clone(), receive.repeat(12)].concat()
    };
    vec![
        whole(&small, &receive),
        whole(&large, &receive),
        whole(&large, &cramped),
        [ask(1, 0, 3), ask(9, 1, 3), vec![1, 0, 20], write.clone(), vec![5, 0, 9], vec![4, 0, 200], vec![7, 0, 1]]
            .concat(),
        [ask(1, 1, 1), write.clone(), vec![6, 0, 0, 0, 9], receive.clone()].concat(),
    ]
}
