//! Takes the mask off a client's payload (RFC 6455, 5.3).

/// Unmasks in place `payload`, whose first byte is the frame's payload byte number `offset`.
///
/// Masking is the same operation. A key of zeros costs nothing.
pub fn unmask(payload: &mut [u8], key: [u8; 4], offset: usize) {
    if key == [0; 4] {
        return;
    }
    let mut turned = key;
    turned.rotate_left(offset % 4);
    let [a, b, c, d] = turned;
    // Native order on both sides, so that the bytes stay where they are on any machine.
    let word_key = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);

    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        if let Ok(bytes) = <[u8; 8]>::try_from(&*word) {
            word.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ word_key).to_ne_bytes());
        }
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(turned.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unmask_byte_by_byte(payload: &[u8], key: [u8; 4], offset: usize) -> Vec<u8> {
        payload.iter().enumerate().map(|(i, byte)| byte ^ key[(i + offset) % 4]).collect()
    }

    proptest! {
        #[test]
        fn unmasking_by_words_equals_unmasking_byte_by_byte(
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            key: [u8; 4],
            offset in 0_usize..1_000,
            unaligned in 0_usize..8,
        ) {
            let start = unaligned.min(payload.len());
            let expected = unmask_byte_by_byte(&payload[start..], key, offset);
            let mut bytes = payload;

            unmask(&mut bytes[start..], key, offset);

            prop_assert_eq!(&bytes[start..], expected);
        }
    }

    #[test]
    fn the_example_of_the_rfc_reads_hello() {
        let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];

        unmask(&mut payload, [0x37, 0xfa, 0x21, 0x3d], 0);

        assert_eq!(&payload, b"Hello");
    }
}
