//! Typed ids: a prefix and a `UUIDv7` in base32, after the `TypeID` specification 0.3.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::clock::Clock;

/// Crockford's base32 in lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Where ids come from: the clock, and randomness that tests can seed.
#[derive(Debug, Clone)]
pub struct Ids {
    clock: Clock,
    random: Arc<Mutex<StdRng>>,
}

impl Ids {
    /// Ids that nobody can guess.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, random: Arc::new(Mutex::new(StdRng::from_os_rng())) }
    }

    /// Ids that a seed repeats.
    #[must_use]
    pub fn seeded(clock: Clock, seed: u64) -> Self {
        Self { clock, random: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))) }
    }

    /// A new id, such as `ord_01j9xqk4t2e0rv3h8f6m5n7p9c`. Later ids sort after earlier ones, by the millisecond.
    #[must_use]
    pub fn next(&self, prefix: &str) -> String {
        let bytes: [u8; 10] = self.random.lock().unwrap_or_else(PoisonError::into_inner).random();
        let millis = u64::try_from(self.clock.now_micros() / 1000).unwrap_or_default();
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid();
        format!("{prefix}_{}", base32(uuid.as_u128()))
    }
}

/// Whether a text is an id of a kind: its prefix, an underscore, 26 digits of base32.
#[must_use]
pub fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).is_some_and(|suffix| {
        suffix.len() == 26
            && suffix.as_bytes()[0] <= b'7'
            && suffix.bytes().all(|digit| ALPHABET.contains(&digit))
    })
}

fn base32(mut number: u128) -> String {
    let mut digits = [0_u8; 26];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[usize::try_from(number & 31).unwrap_or_default()];
        number >>= 5;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_agrees_with_the_typeid_specification() {
        let uuid: uuid::Uuid = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();

        assert_eq!(base32(uuid.as_u128()), "01h455vb4pex5vsknk084sn02q");
    }

    #[test]
    fn an_id_is_recognized_by_its_prefix_and_its_digits() {
        let id = Ids::new(Clock::system()).next("ord");

        assert!(is_id(&id, "ord"));
        assert!(!is_id(&id, "prd"));
        assert!(!is_id("ord_81h455vb4pex5vsknk084sn02q", "ord"));
        assert!(!is_id("ord_01h455vb4pex5vsknk084sn02u", "ord"));
    }
}
