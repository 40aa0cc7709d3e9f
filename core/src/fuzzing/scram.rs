//! SASL: whatever a broker answers, it is taken for one only if it has proved that it knows the password.

use alloc::{string::ToString, vec::Vec};

use super::Choices;
use crate::{
    cluster::{read_handshake, read_token},
    sasl::{Exchange, Keys, Next, Nonce, Sasl, SaslFault, ScramHash, testing::Server},
    wire::Reader,
};

const PASSWORD: &str = "the-password-of-alice";

/// The first byte chooses: the bytes are the answer to a handshake, or to a mechanism's message, or what happens to a sound
/// broker's messages on their way.
pub fn scram(data: &[u8]) {
    let mut choices = Choices(data);
    let chosen = choices.byte();
    let hash = if chosen & 4 == 0 { ScramHash::Sha256 } else { ScramHash::Sha512 };
    let sasl = Sasl::scram(hash, "alice", PASSWORD);
    let nonce = Nonce { seed: [7; 32], drawn: u64::from(choices.byte()) };
    let (exchange, message) = sasl.begin(&nonce);
    let message = message.expect("SCRAM begins");
    match chosen % 4 {
        0 => {
            if let Err(fault) = read_handshake(Reader::new(choices.0), i16::from(chosen >> 3) % 2) {
                without_secrets(&fault);
            }
        }
        1 => match read_token(&sasl, &exchange, Reader::new(choices.0), i16::from(chosen >> 3) % 3) {
            Ok((token, _)) => assert!(token.len() <= choices.0.len()),
            Err(fault) => without_secrets(&fault),
        },
        _ => converse(&mut choices, &sasl, hash, exchange, &message),
    }
}

fn without_secrets(fault: &SaslFault) {
    let text = fault.to_string();
    assert!(!text.is_empty() && !text.contains(PASSWORD), "{text}");
}

fn converse(choices: &mut Choices<'_>, sasl: &Sasl, hash: ScramHash, exchange: Exchange, message: &[u8]) {
    let server = Server::new(hash, PASSWORD);
    let (first, said) = server.first(message);
    let answer = spoil(choices, first.clone());
    let mut exchange = match sasl.on_answer(exchange, &answer) {
        Ok(Next::Keys(exchange)) => exchange,
        Ok(_) => panic!("nothing was proved"),
        Err(fault) => {
            assert_ne!(answer, first, "a sound answer is refused: {fault}");
            return without_secrets(&fault);
        }
    };
    is_fresh(message, &answer);
    let keys = keys(hash);
    // Another salt than the broker's would want keys of its own, which take milliseconds.
    if exchange.wants() != Some(keys.salt()) {
        assert_ne!(answer, first);
        return;
    }
    let message = sasl.sign(&mut exchange, keys).expect("it waited for keys");
    let last = Server::signed(keys, &said, &message);
    assert_eq!(last.is_some(), answer == first, "a broker takes the proof of what it has said, and of nothing else");
    let sound = last.unwrap_or_else(|| b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_vec());
    let answer = spoil(choices, sound.clone());
    let is_proof = answer.split(|byte| *byte == b',').next() == Some(&sound) && sound[2..4] != *b"AA";
    match sasl.on_answer(exchange, &answer) {
        Ok(Next::Done) => assert!(is_proof, "nothing was proved"),
        Ok(_) => panic!("there is nothing more to say"),
        Err(fault) => {
            assert!(answer != sound || !is_proof, "a sound answer is refused: {fault}");
            without_secrets(&fault);
        }
    }
}

/// What was accepted goes on from this client's nonce, and asks for as many rounds as are done.
fn is_fresh(message: &[u8], answer: &[u8]) {
    let text = |bytes| core::str::from_utf8(bytes).expect("text");
    let (_, own) = text(message).split_once(",r=").expect("a nonce");
    let mut parts = text(answer).split(',');
    let nonce = parts.next().and_then(|part| part.strip_prefix("r=")).expect("a nonce");
    assert!(nonce.starts_with(own) && nonce.len() > own.len(), "{nonce:?} is no answer to {own:?}");
    let iterations =
        parts.nth(1).and_then(|part| part.strip_prefix("i=")).and_then(|number| number.parse::<u32>().ok());
    assert!(iterations.is_some_and(|count| (4_096..=1_000_000).contains(&count)), "{iterations:?} rounds");
}

/// A broker's keys, made once.
fn keys(hash: ScramHash) -> &'static Keys {
    static KEYS: [spin::Once<Keys>; 2] = [const { spin::Once::new() }; 2];
    KEYS[usize::from(hash == ScramHash::Sha512)].call_once(|| Server::new(hash, PASSWORD).keys())
}

/// What happens to a message on its way.
fn spoil(choices: &mut Choices<'_>, mut message: Vec<u8>) -> Vec<u8> {
    for _ in 0..choices.byte() % 4 {
        let (how, at) = (choices.byte() % 6, usize::from(choices.byte()) % (message.len() + 1));
        match how {
            0 => {
                let bits = choices.byte();
                if let Some(byte) = message.get_mut(at) {
                    *byte ^= bits;
                }
            }
            1 => message.truncate(at),
            2 => message.insert(at, choices.byte()),
            3 => drop(message.splice(at..at, (0..choices.byte() % 32).map(|_| choices.byte()))),
            // A part between commas becomes another one.
            4 => {
                let end = message[at..].iter().position(|byte| *byte == b',').map_or(message.len(), |len| at + len);
                message.splice(at..end, (0..choices.byte() % 32).map(|_| choices.byte()));
            }
            _ => return choices.0.to_vec(),
        }
    }
    message
}
