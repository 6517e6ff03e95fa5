//! Messages as gRPC frames them: a flag and a length before each, however bytes are cut into pieces.

use bytes::Bytes;

/// The flag and the length before each message.
pub(crate) const PREFIX: usize = 5;

/// A message framed: not compressed, its length, its bytes.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(PREFIX + message.len());
    frame.push(0);
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

/// Follows messages through the pieces that they come in. It reads none, and keeps none.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// How many have begun.
    begun: usize,
    /// How many have come whole.
    whole: usize,
    prefix: [u8; PREFIX],
    /// How much of a prefix has come.
    prefixed: usize,
    /// How much of a message is still to come.
    left: usize,
    /// How much of messages has come.
    bytes: u64,
}

impl Messages {
    /// Sees the next bytes; answers the length of the longest message that begins in them.
    pub(crate) fn see(&mut self, mut bytes: &[u8]) -> usize {
        let mut longest = 0;
        while !bytes.is_empty() {
            let passed = self.left.min(bytes.len());
            self.bytes += u64::try_from(passed).unwrap_or_default();
            (self.left, bytes) = (self.left - passed, &bytes[passed..]);
            self.whole += usize::from(passed > 0 && self.left == 0);
            let Some((first, rest)) = bytes.split_first() else { break };
            self.begun += usize::from(self.prefixed == 0);
            self.prefix[self.prefixed] = *first;
            (self.prefixed, bytes) = (self.prefixed + 1, rest);
            if self.prefixed == PREFIX {
                let [_, length @ ..] = self.prefix;
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                self.prefixed = 0;
                self.whole += usize::from(self.left == 0);
                longest = longest.max(self.left);
            }
        }
        longest
    }

    /// How many bytes of messages have come, without what stands before each.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many have come whole.
    pub(crate) fn whole(&self) -> usize {
        self.whole
    }

    /// How many have begun, be it by a part of a prefix.
    pub(crate) fn begun(&self) -> usize {
        self.begun
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn messages_are_told_apart_however_they_are_cut(
            lengths in prop::collection::vec(0_usize..40, 0..6),
            cuts in prop::collection::vec(1_usize..20, 1..40),
        ) {
            let bytes: Vec<u8> = lengths.iter().flat_map(|length| framed(&vec![7; *length])).collect();
            let (mut messages, mut rest, mut longest) = (Messages::default(), bytes.as_slice(), 0);

            for cut in cuts.iter().cycle() {
                let (piece, more) = rest.split_at((*cut).min(rest.len()));
                longest = longest.max(messages.see(piece));
                rest = more;
                if rest.is_empty() {
                    break;
                }
            }

            prop_assert_eq!(messages.begun(), lengths.len());
            prop_assert_eq!(messages.whole(), lengths.len());
            prop_assert_eq!(messages.bytes(), lengths.iter().sum::<usize>() as u64);
            prop_assert_eq!(longest, lengths.iter().copied().max().unwrap_or(0));
            prop_assert_eq!((messages.left, messages.prefixed), (0, 0));
        }
    }
}
