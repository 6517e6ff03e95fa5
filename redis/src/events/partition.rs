//! What keeps apart events that need no order between them.

use contract::mesh::v1::Event;

use crate::connection::key;

/// Into how many streams the events of one consumer are divided: as many replicas can share them.
pub(crate) const PARTITIONS: usize = 8;

/// The partition of an event's key. Every replica must divide alike, so the hash (FNV-1a) is written out.
pub(crate) fn of(event: &Event) -> usize {
    let bytes = event.project.bytes().chain([0]).chain(event.key.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The low bits of this hash differ least.
    usize::try_from(hash >> 40).unwrap_or_default() % PARTITIONS
}

/// The replicas that consume.
pub(crate) fn replicas(consumer: &str) -> String {
    key(&["events", consumer, "replicas"])
}

/// The events on their way.
pub(crate) fn stream(consumer: &str, partition: usize) -> String {
    key(&["events", consumer, &partition.to_string()])
}

/// Who reads them.
pub(crate) fn lease(consumer: &str, partition: usize) -> String {
    key(&["events", consumer, &partition.to_string(), "lease"])
}

/// What grows with each new reader.
pub(crate) fn token(consumer: &str, partition: usize) -> String {
    key(&["events", consumer, &partition.to_string(), "token"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(project: &str, key: &str) -> Event {
        Event { project: project.into(), key: key.into(), ..Event::default() }
    }

    #[test]
    fn keys_are_spread_over_all_partitions_and_each_stays_in_one() {
        let mut counts = [0; PARTITIONS];
        for at in 0..800 {
            let event = event("shop", &format!("ord_{at}"));
            assert_eq!(of(&event), of(&event.clone()));
            counts[of(&event)] += 1;
        }

        assert!(counts.iter().all(|count| (50..150).contains(count)), "{counts:?}");
        // Old and new replicas must agree: this must never change.
        assert_eq!([of(&event("shop", "a")), of(&event("shop", "b"))], EXPECTED);
    }

    const EXPECTED: [usize; 2] = [4, 3];
}
