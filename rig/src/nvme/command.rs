//! The few commands that this driver gives, as the controller reads them.

use super::Direction;
use super::queue::{DEPTH, Queue};

const CREATE_SUBMISSIONS: u8 = 0x01;
const CREATE_COMPLETIONS: u8 = 0x05;
const IDENTIFY: u8 = 0x06;
const WRITE: u8 = 0x01;
const READ: u8 = 0x02;
/// The only namespace that is used.
const NAMESPACE: u32 = 1;
/// The ring lies in one piece.
const CONTIGUOUS: u32 = 1;
const INTERRUPTS: u32 = 2;

/// A command without its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Command {
    opcode: u8,
    namespace: u32,
    address: u64,
    /// Words 10 to 12; the others that this driver needs are 0.
    words: [u32; 3],
}

impl Command {
    /// Makes the ring of answers of `queue`, with a vector of the queue's number.
    pub fn create_completions(queue: &Queue, interrupts: bool) -> Command {
        let vector = if interrupts { u32::from(queue.number()) << 16 | INTERRUPTS } else { 0 };
        Command {
            opcode: CREATE_COMPLETIONS,
            address: queue.completions(),
            words: [size_and_number(queue), vector | CONTIGUOUS, 0],
            ..Command::default()
        }
    }

    /// Makes the ring of commands of `queue`, answered in the ring of answers of the same number.
    pub fn create_submissions(queue: &Queue) -> Command {
        Command {
            opcode: CREATE_SUBMISSIONS,
            address: queue.submissions(),
            words: [size_and_number(queue), u32::from(queue.number()) << 16 | CONTIGUOUS, 0],
            ..Command::default()
        }
    }

    /// Describes the disk in the page at `address`.
    pub fn identify_disk(address: u64) -> Command {
        Command { opcode: IDENTIFY, namespace: NAMESPACE, address, ..Command::default() }
    }

    /// Moves one block between disk and memory.
    pub fn transfer(direction: Direction, block: u64, address: u64) -> Command {
        let opcode = match direction {
            Direction::IntoMemory => READ,
            Direction::FromMemory => WRITE,
        };
        Command { opcode, namespace: NAMESPACE, address, words: [block as u32, (block >> 32) as u32, 0] }
    }

    /// The 64 bytes of command number `number`.
    pub fn bytes(&self, number: u16) -> [u8; 64] {
        let mut bytes = [0; 64];
        let mut put = |at: usize, word: &[u8]| bytes[at..at + word.len()].copy_from_slice(word);
        put(0, &[self.opcode]);
        put(2, &number.to_le_bytes());
        put(4, &self.namespace.to_le_bytes());
        put(24, &self.address.to_le_bytes());
        for (at, word) in self.words.iter().enumerate() {
            put(40 + 4 * at, &word.to_le_bytes());
        }
        bytes
    }
}

fn size_and_number(queue: &Queue) -> u32 {
    u32::from(DEPTH - 1) << 16 | u32::from(queue.number())
}
