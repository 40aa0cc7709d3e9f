//! Against a second reading of the schemas.

use klamm_codegen::reference::Case;
use klamm_oracle::{compare, fills, read, reference};

fn all(chance: u64, check: impl Fn(&Case<'_>) -> Result<(), String>) {
    let (reference, fills) = (reference(), fills(chance));
    let wrong: Vec<String> = reference.cases(&fills).filter_map(|case| check(&case).err()).collect();
    assert!(wrong.is_empty(), "{} are wrong; the first:\n{}", wrong.len(), wrong[0]);
}

/// Trap 5: unknown tagged fields at the end of every structure make no difference.
#[test]
fn every_message_in_every_version() {
    all(4, |case| compare(case, &case.bytes(false), case.is_flexible().then(|| case.bytes(true)).as_deref()));
}

/// Trap 11: no cut and no damage makes a view panic, and what is cut is refused.
#[test]
fn what_is_cut_or_damaged() {
    all(1, |case| {
        let bytes = case.bytes(false);
        if !case.is_read() {
            return Ok(());
        }
        for cut in (0..bytes.len()).step_by(1 + bytes.len() / 12) {
            if read(case, &bytes[..cut]).is_ok() {
                return Err(format!("{} version {} cut at {cut}: {bytes:02x?}", case.name(), case.version));
            }
            let mut damaged = bytes.clone();
            for value in [0, 0x7f, 0xff] {
                damaged[cut] = value;
                // Whatever it says, it was walked to its ends.
                let _ = read(case, &damaged);
            }
        }
        Ok(())
    });
}

#[test]
fn nothing_is_left_out() {
    let (reference, apis) = (reference(), klamm::wire::api::ALL);
    let ours: Vec<_> = apis.iter().map(|api| (api.key, api.name, api.min, api.max_unstable)).collect();
    let theirs: Vec<_> = reference.apis().iter().map(|api| (api.key, api.name, api.oldest, api.newest)).collect();
    assert_eq!(ours, theirs);
    assert!(reference.messages() >= 2 * apis.len(), "requests and responses");
}
