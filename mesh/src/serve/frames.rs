//! The frames of an HTTP/2 connection as they pass by: their heads and nothing more.

/// What an HTTP/2 client begins with; whoever begins otherwise speaks HTTP/1.1.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD: usize = 9;

/// The head of a frame (RFC 9113, section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Head {
    /// A ping that wants an answer.
    pub(super) fn is_ping(self) -> bool {
        self.kind == 0x6 && self.flags & 0x1 == 0
    }

    /// Something of a call: DATA or HEADERS.
    pub(super) fn is_of_call(self) -> bool {
        self.kind <= 0x1
    }

    /// The beginning of a call, or its trailers.
    pub(super) fn is_headers(self) -> bool {
        self.kind == 0x1
    }
}

/// Reads the heads of frames from bytes that come in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; HEAD],
    /// How much of the next head is there.
    had: usize,
    /// How much of the frame's payload is still to come.
    left: usize,
}

impl Frames {
    /// Whether everything so far is whole frames.
    pub(super) fn is_between(&self) -> bool {
        self.had == 0 && self.left == 0
    }

    /// Reads on, and tells of each head that is complete.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Head)) {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = &bytes[skipped..];
            let taken = (HEAD - self.had).min(bytes.len());
            self.head[self.had..self.had + taken].copy_from_slice(&bytes[..taken]);
            self.had += taken;
            bytes = &bytes[taken..];
            if self.had == HEAD {
                let [a, b, c, kind, flags, stream @ ..] = self.head;
                self.had = 0;
                self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                tell(Head { kind, flags, stream: u32::from_be_bytes(stream) & (u32::MAX >> 1) });
            }
        }
    }
}

/// A GOAWAY that tells a client to be calm (RFC 9113, section 6.8), with the reason that gRFC A8 gives it.
pub(super) fn too_many_pings(last_stream: u32) -> Vec<u8> {
    const ENHANCE_YOUR_CALM: u32 = 0xb;
    const WHY: &[u8] = b"too_many_pings";
    let mut frame = Vec::with_capacity(HEAD + 8 + WHY.len());
    frame.extend_from_slice(&[0, 0, 8 + 14, 0x7, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(&last_stream.to_be_bytes());
    frame.extend_from_slice(&ENHANCE_YOUR_CALM.to_be_bytes());
    frame.extend_from_slice(WHY);
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, length: usize) -> Vec<u8> {
        let length_bytes = u32::try_from(length).unwrap().to_be_bytes();
        let mut frame = length_bytes[1..].to_vec();
        frame.extend_from_slice(&[kind, flags]);
        frame.extend_from_slice(&stream.to_be_bytes());
        // What a payload says must not be taken for a head.
        frame.extend(std::iter::repeat_n(6, length));
        frame
    }

    #[test]
    fn the_goaway_is_one_whole_frame() {
        let (mut frames, mut heads) = (Frames::default(), Vec::new());

        frames.read(&too_many_pings(7), |head| heads.push(head));

        assert_eq!(heads, [Head { kind: 7, flags: 0, stream: 0 }]);
        assert!(frames.is_between());
    }

    proptest! {
        #[test]
        fn every_head_is_read_however_the_bytes_are_cut(
            told in proptest::collection::vec((0_u8..10, any::<u8>(), 0_u32..1 << 31, 0_usize..600), 0..20),
            cuts in proptest::collection::vec(1_usize..50, 1..20),
        ) {
            let bytes: Vec<u8> = told.iter().flat_map(|(kind, flags, stream, length)| {
                frame(*kind, *flags, *stream, *length)
            }).collect();
            let (mut frames, mut heads) = (Frames::default(), Vec::new());
            let (mut rest, mut cut) = (bytes.as_slice(), cuts.iter().cycle());

            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*cut.next().unwrap()));
                frames.read(piece, |head| heads.push(head));
                rest = after;
            }

            let expected: Vec<_> = told.iter()
                .map(|(kind, flags, stream, _)| Head { kind: *kind, flags: *flags, stream: *stream })
                .collect();
            prop_assert_eq!(heads, expected);
            prop_assert!(frames.is_between());
        }
    }
}
