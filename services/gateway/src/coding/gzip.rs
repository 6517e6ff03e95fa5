//! Packing and unpacking by gzip, in memory.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::errors::Refusal;

/// Data packed; `None` when it cannot be, and must go as it is.
pub(crate) fn compress(data: &[u8]) -> Option<Bytes> {
    // Higher levels cost twice the time and more for a few hundredths of the length.
    let mut encoder = GzEncoder::new(Vec::with_capacity(data.len() / 4 + 64), Compression::new(4));
    encoder.write_all(data).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Data unpacked, but never much further than to the limit.
pub(super) fn decompress(data: &[u8], limit: usize) -> Result<Bytes, Refusal> {
    let mut unpacked = Vec::with_capacity(limit.min(data.len().saturating_mul(4)));
    let beyond = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(data).take(beyond).read_to_end(&mut unpacked);
    if unpacked.len() > limit {
        return Err(Refusal::TooLarge(limit));
    }
    match read {
        Ok(_) => Ok(unpacked.into()),
        Err(error) => Err(Refusal::BrokenCoding(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_unpacks_to_more_than_the_limit_is_refused_before_it_is_unpacked() {
        let bomb = compress(&vec![0; 64 << 20]).unwrap();
        assert!(bomb.len() < 1 << 20);

        let refused = decompress(&bomb, 1 << 20);

        assert!(matches!(refused, Err(Refusal::TooLarge(_))));
    }

    #[test]
    fn what_is_cut_broken_or_followed_by_something_else_is_refused() {
        let whole = compress(b"a body").unwrap();
        let mut broken = whole.to_vec();
        let checksum = broken.len() - 8;
        broken[checksum] ^= 1;
        let cut = &whole[..whole.len() - 1];
        let followed = [&whole, b"x".as_slice()].concat();

        for wrong in [cut, &broken, &followed, b"plain"] {
            let refused = decompress(wrong, 100);
            assert!(matches!(refused, Err(Refusal::BrokenCoding(_))), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(data in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let packed = compress(&data).unwrap();
            prop_assert_eq!(decompress(&packed, data.len()).unwrap(), data);
        }

        #[test]
        fn no_bytes_make_unpacking_panic_or_exceed(mut data in proptest::collection::vec(any::<u8>(), 0..200)) {
            data.splice(0..0, [0x1f, 0x8b, 8, 0]);
            if let Ok(unpacked) = decompress(&data, 64) {
                prop_assert!(unpacked.len() <= 64);
            }
        }
    }
}
