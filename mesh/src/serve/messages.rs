//! The messages of a gRPC stream, counted as their bytes pass by.

/// A flag and a length stand before each message.
const HEAD: usize = 5;

/// How far a stream has come.
#[derive(Debug, Default)]
pub(super) struct Messages {
    head: [u8; HEAD],
    had: usize,
    left: usize,
}

impl Messages {
    /// Reads on, and tells of each message that is whole.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut tell: impl FnMut()) {
        while !bytes.is_empty() {
            if self.had < HEAD {
                let taken = (HEAD - self.had).min(bytes.len());
                self.head[self.had..self.had + taken].copy_from_slice(&bytes[..taken]);
                self.had += taken;
                bytes = &bytes[taken..];
                if self.had < HEAD {
                    return;
                }
                let [_, length @ ..] = self.head;
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            }
            let taken = self.left.min(bytes.len());
            self.left -= taken;
            bytes = &bytes[taken..];
            if self.left == 0 {
                self.had = 0;
                tell();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_message_counts_once_however_the_bytes_are_cut(
            lengths in proptest::collection::vec(0_u32..300, 0..20),
            cut in 1_usize..40,
        ) {
            let bytes: Vec<u8> = lengths.iter().flat_map(|length| {
                let head = [&[0], length.to_be_bytes().as_slice()].concat();
                head.into_iter().chain(std::iter::repeat_n(9, usize::try_from(*length).unwrap()))
            }).collect();
            let (mut messages, mut count) = (Messages::default(), 0);

            for piece in bytes.chunks(cut) {
                messages.read(piece, || count += 1);
            }

            prop_assert_eq!(count, lengths.len());
        }
    }
}
