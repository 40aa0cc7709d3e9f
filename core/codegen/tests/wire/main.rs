//! Every generated message, Kafka's and the made-up ones, against the harness.

mod golden;
mod harness;
mod made_up;
mod samples;

use proptest::prelude::*;

/// Bytes to make samples of. Many numbers ask for more choices than one would think.
fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        4 => proptest::collection::vec(any::<u8>(), 100..500),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// What the client writes the broker reads, and the other way round, in every version of every message.
    ///
    /// Trap 5: a tag that we do not know is skipped by its length, wherever it is. Trap 6: tagged fields inside of arrays
    /// and of tagged structures arrive. Trap 11: no cut and no damage makes a reader panic.
    #[test]
    fn kafkas_messages(choices in choices()) {
        for case in samples::cases() {
            case.check(&choices);
        }
    }

    /// The same for messages with every feature that a schema can have.
    #[test]
    fn made_up_messages(choices in choices()) {
        for case in made_up::samples::cases() {
            case.check(&choices);
        }
    }
}

/// Trap 11: the count of an array is held against the least that its elements can take.
#[test]
fn the_smallest_elements() {
    samples::parts();
    made_up::samples::parts();
}

/// No message is left out, and none has fewer versions than its API.
#[test]
fn all_messages_are_checked() {
    let cases = samples::cases();
    assert!(cases.len() > 20, "ten APIs have both roles, and some messages are read and written");
    for case in &cases {
        let api = klamm::wire::api::ALL.iter().find(|api| api.key == case.api.key);
        assert!(case.api.key == -1 || api == Some(&case.api), "{}", case.name);
    }
    let made_up = made_up::client::api::ALL.len() * 2 + 1;
    assert_eq!(made_up::samples::cases().len(), made_up);
}
