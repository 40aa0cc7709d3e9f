//! Every message of a client's, in every version, filled in many ways: the generated code against bytes that it did not
//! make. `tests/reference.rs` takes them from a walk over the schemas, `tests/java.rs` from Kafka's own classes.

mod make;

use std::fmt::Debug;
use std::path::Path;

use klamm::wire::{Api, Counter, Decode, Encode, Reader, WireError, Writer, api, decode_body};
use klamm_codegen::reference::{Case, Fill, Reference, Value};
use make::Make;

type Encoder = fn(&Value, i16) -> Result<Vec<u8>, WireError>;
type View = fn(&[u8], i16) -> Result<String, WireError>;

/// `make!(message: fields)`: how an encoder is made of a value.
macro_rules! make {
    ($message:ty: $($field:ident),*) => {
        impl Make for $message {
            fn make(value: &Value) -> Self {
                let mut fields = make::fields(value);
                let message = Self { $($field: Make::make(fields.next().expect("as many values as fields"))),* };
                assert!(fields.next().is_none(), "as many fields as values");
                message
            }
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/dispatch.rs"));

/// External bytes are all this one, as the reference's records are.
const RECORDS: u8 = 0xee;

fn encode<E: Encode>(message: &E, version: i16) -> Result<Vec<u8>, WireError> {
    let mut counted = Counter::default();
    message.encode(&mut counted, version)?;
    let mut writer = Writer::reserve(&counted)?;
    message.encode(&mut writer, version)?;
    assert_eq!(writer.bytes.len(), counted.copied, "what was counted is what was written");
    // Backwards, so that the places of the others stay.
    for split in writer.splits.iter().rev() {
        writer.bytes.splice(split.at..split.at, vec![RECORDS; split.len]);
    }
    Ok(writer.bytes)
}

fn show<'a, V: Decode<'a> + Debug>(bytes: &'a [u8], version: i16) -> Result<String, WireError> {
    Ok(format!("{:?}", decode_body::<V>(&mut Reader::new(bytes), version)?))
}

fn find<T: Copy>(table: &[(&str, T)], name: &str) -> T {
    table.iter().find(|(of, _)| *of == name).unwrap_or_else(|| panic!("no {name}")).1
}

/// The schemas that the code is generated from.
pub fn reference() -> Reference {
    let codegen = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../core/codegen");
    Reference::load(&codegen).unwrap_or_else(|error| panic!("{error}"))
}

/// Every way to fill a message, and this many more by chance.
pub fn fills(chance: u64) -> Vec<Fill> {
    let mut fills = vec![Fill::Defaults, Fill::Nulls, Fill::Empty, Fill::Least, Fill::Most];
    fills.extend((0..chance).map(Fill::Any));
    fills
}

/// Every response in every version, filled in each of these ways, with its API.
pub fn responses<'r>(reference: &'r Reference, fills: &'r [Fill]) -> impl Iterator<Item = (Case<'r>, Api)> {
    reference.cases(fills).filter_map(|case| {
        let name = case.name().strip_suffix("Response")?;
        let api = *api::ALL.iter().find(|api| api.name == name)?;
        Some((case, api))
    })
}

/// What our encoder writes.
pub fn written(case: &Case<'_>) -> Result<Vec<u8>, WireError> {
    find(ENCODERS, case.name())(&case.value, case.version)
}

/// What our view of these bytes says.
pub fn read(case: &Case<'_>, bytes: &[u8]) -> Result<String, WireError> {
    find(VIEWS, case.name())(bytes, case.version)
}

/// Holds our code against bytes that somebody else wrote for this case. `tagged`: the same with tagged fields that nobody
/// knows, in flexible versions.
///
/// Errors: what differs.
pub fn compare(case: &Case<'_>, bytes: &[u8], tagged: Option<&[u8]>) -> Result<(), String> {
    let place = || format!("{} version {} ({:?})", case.name(), case.version, case.fill);
    if case.is_written() {
        let ours = written(case).map_err(|error| format!("{}: {error}", place()))?;
        if ours != bytes {
            return Err(format!("{}: {}\nours {ours:02x?}\nnot  {bytes:02x?}", place(), case.json()));
        }
    }
    if case.is_read() {
        for bytes in [Some(bytes), tagged].into_iter().flatten() {
            let ours = read(case, bytes).map_err(|error| format!("{}: {error}", place()))?;
            if ours != case.text() {
                return Err(format!("{}: {bytes:02x?}\nours {ours}\nnot  {}", place(), case.text()));
            }
        }
    }
    Ok(())
}
