//! The bytes that wait for one session, and the pool of blocks that they lie in.
//!
//! An outbox is a queue of blocks. A block holds whole packets back to back behind a little room, so that the
//! shell can write a frame's header there and send the block as one WebSocket message without a copy.
//!
//! Methods of three kinds: filling ([`Outbox::message`], [`Outbox::packet`]), emptying by the shell
//! ([`Outbox::take`], then [`Outbox::sent`]), and making room when it is full ([`Outbox::make_room`] in
//! `overflow`, [`Outbox::halve`] in `thinning`). What a block holds delimits itself, so the full outbox needs no table
//! beside the bytes.

use std::collections::VecDeque;

use murre_protocol::{Codec, codec::HasOptions, packet::BrokerPacket};

pub use overflow::{Dropped, SlowRules};

mod overflow;
mod thinning;

/// Bytes kept free at the front of each block for the header of a frame.
pub const HEADER_ROOM: usize = 10;
/// Bytes of a pooled block, the room included.
pub const BLOCK_BYTES: usize = 16 * 1024;
/// What a MESSAGE's head may take: array header, type and number in MessagePack, or the beginning in JSON.
const HEAD_BYTES_MAX: usize = 64;

/// A block: [`HEADER_ROOM`] bytes of room, then packets.
#[derive(Debug)]
pub struct Block(Vec<u8>);

impl Block {
    /// The bytes with the room in front, to write a header into.
    pub fn with_room(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// The room and the packets.
    pub fn whole(&self) -> &[u8] {
        &self.0
    }

    /// The packets.
    pub fn packets(&self) -> &[u8] {
        self.0.get(HEADER_ROOM..).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.0.len().saturating_sub(HEADER_ROOM)
    }
}

/// Spare blocks of one worker.
#[derive(Debug)]
pub struct Pool {
    spare: Vec<Vec<u8>>,
    spare_max: usize,
    /// Where a packet is written before its length is known.
    scratch: Vec<u8>,
}

impl Pool {
    /// A pool that keeps at most `spare_max` blocks.
    pub fn new(spare_max: usize) -> Self {
        Self { spare: Vec::new(), spare_max, scratch: Vec::new() }
    }

    /// A block with room for `wanted` bytes at least.
    fn block(&mut self, wanted: usize) -> Block {
        let mut bytes = if wanted + HEADER_ROOM <= BLOCK_BYTES {
            self.spare.pop().unwrap_or_else(|| Vec::with_capacity(BLOCK_BYTES))
        } else {
            Vec::with_capacity(wanted + HEADER_ROOM)
        };
        bytes.extend_from_slice(&[0; HEADER_ROOM]);
        Block(bytes)
    }

    /// Takes a block back.
    pub fn give_back(&mut self, block: Block) {
        let Block(mut bytes) = block;
        if bytes.capacity() == BLOCK_BYTES && self.spare.len() < self.spare_max {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

/// The bytes that wait for one session.
#[derive(Debug)]
pub struct Outbox {
    codec: Codec,
    blocks: VecDeque<Block>,
    /// Bytes of packets in `blocks`.
    waiting: usize,
    /// Bytes of packets in blocks that the shell has taken and not sent yet.
    taken: usize,
    /// Bytes of packets that the shell has taken in all.
    gone: u64,
    /// Messages that were put in.
    messages: u64,
}

impl Outbox {
    /// An empty outbox for packets in `codec`.
    pub fn new(codec: Codec) -> Self {
        Self { codec, blocks: VecDeque::new(), waiting: 0, taken: 0, gone: 0, messages: 0 }
    }

    /// The encoding of its packets.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Sets the encoding, once the client's first message has decided.
    pub fn set_codec(&mut self, codec: Codec) {
        debug_assert!(self.waiting == 0, "packets in another encoding are waiting");
        self.codec = codec;
    }

    /// Bytes that wait, those that the shell has taken included.
    #[inline]
    pub fn len(&self) -> usize {
        self.waiting + self.taken
    }

    /// The place behind the last packet. Places rise with each packet; where packets were dropped, those that come
    /// later have smaller places than they had else, and those in front keep theirs.
    pub fn end(&self) -> u64 {
        self.gone + self.waiting as u64
    }

    /// Counts messages that were put in. Here, since whoever puts them in has this at hand.
    #[inline]
    pub fn count_messages(&mut self, messages: u64) {
        self.messages += messages;
    }

    /// Messages that were put in, in all.
    pub fn messages_in_all(&self) -> u64 {
        self.messages
    }

    /// Bytes of packets that went out in all.
    pub fn sent_bytes(&self) -> u64 {
        self.gone - self.taken as u64
    }

    /// Whether nothing waits, neither here nor with the shell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `bytes` more may wait where `max` may in all. One message fits when nothing waits, however large it
    /// is: a client that reads gets every message.
    #[inline]
    pub fn fits(&self, bytes: usize, max: usize) -> bool {
        self.len() + bytes <= max || self.is_empty()
    }

    /// Appends a MESSAGE: a head for `sub` and a copy of the tail, which is in this outbox's encoding.
    #[inline]
    pub fn message(&mut self, pool: &mut Pool, sub: u64, has_options: HasOptions, tail: &[u8]) {
        let codec = self.codec;
        self.append(pool, HEAD_BYTES_MAX + tail.len(), |block| {
            codec.message_head(sub, has_options, block);
            block.extend_from_slice(tail);
        });
    }

    /// Appends packets that are written already, in this outbox's encoding.
    #[inline]
    pub fn messages(&mut self, pool: &mut Pool, written: &[u8]) {
        self.append(pool, written.len(), |block| block.extend_from_slice(written));
    }

    /// Appends packets of at most `len` bytes, which `write` appends to the block itself.
    #[inline]
    pub fn append(&mut self, pool: &mut Pool, len: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let block = self.room(pool, len);
        let before = block.0.len();
        write(&mut block.0);
        self.waiting += block.0.len() - before;
    }

    /// Appends any other packet.
    pub fn packet(&mut self, pool: &mut Pool, packet: &BrokerPacket<'_>) {
        let mut bytes = std::mem::take(&mut pool.scratch);
        self.codec.write_broker(packet, &mut bytes);
        self.messages(pool, &bytes);
        bytes.clear();
        bytes.shrink_to(BLOCK_BYTES);
        pool.scratch = bytes;
    }

    /// The last block, or a new one where it has no room for `wanted` bytes.
    fn room(&mut self, pool: &mut Pool, wanted: usize) -> &mut Block {
        let fits = self.blocks.back().is_some_and(|block| block.0.capacity() - block.0.len() >= wanted);
        if !fits {
            self.blocks.push_back(pool.block(wanted));
        }
        let last = self.blocks.len() - 1;
        &mut self.blocks[last]
    }

    /// Takes the first block away to send it. Its bytes count until [`Self::sent`].
    pub fn take(&mut self) -> Option<Block> {
        let block = self.blocks.pop_front()?;
        self.waiting -= block.len();
        self.taken += block.len();
        self.gone += block.len() as u64;
        Some(block)
    }

    /// A taken block went out; it returns to the pool.
    pub fn sent(&mut self, pool: &mut Pool, block: Block) {
        self.taken = self.taken.saturating_sub(block.len());
        pool.give_back(block);
        if self.blocks.is_empty() && self.taken == 0 {
            // an idle session holds no queue
            self.blocks.shrink_to(0);
        }
    }

    /// Drops everything that waits.
    pub fn clear(&mut self, pool: &mut Pool) {
        for block in self.blocks.drain(..) {
            pool.give_back(block);
        }
        self.waiting = 0;
    }
}
