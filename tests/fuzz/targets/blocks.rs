//! Any bytes give a block or a named error; a block that decodes survives encoding and decoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use onetape_engine::block::Block;
use onetape_tape::codec::{Decoder, Encoder, HASH_LEN, Hash};

fuzz_target!(|data: &[u8]| {
    onetape_fuzz::let_guards_work();
    let (mut decoder, mut block) = (Decoder::new(), Block::default());
    decoder.decode(data, &mut block).ok();
    if data.len() < HASH_LEN {
        return;
    }
    // With the right hash the payload's decoder is reached.
    let mut frame = data.to_vec();
    let end = frame.len() - HASH_LEN;
    let hash = Hash::of(&frame[..end]);
    frame[end..].copy_from_slice(&hash.0);
    if let Ok((header, _)) = decoder.decode(&frame, &mut block) {
        let mut again = Vec::new();
        Encoder::new().encode(&block, &header.id, &header.previous, &mut again).expect("what decodes encodes");
        let (mut second, mut third) = (Block::default(), Vec::new());
        decoder.decode(&again, &mut second).expect("what was encoded decodes");
        // Bytes, not values: a NaN is unequal to itself.
        Encoder::new().encode(&second, &header.id, &header.previous, &mut third).expect("as before");
        assert!(third == again, "a block changed on its way");
    }
});
