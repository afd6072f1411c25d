use virtio_queue::{QueueOwnedT, QueueT};
use vm_memory::Bytes;

use super::*;

fn queue() -> DriverQueue {
    DriverQueue::new(ram(1 << 20), 0x1000, 0x2_0000, 8, true)
}

/// Answers every chain: copies what it reads, backwards, to what it writes.
fn echo(queue: &mut virtio_queue::Queue, mem: &base::GuestMem) -> usize {
    let mut done = 0;
    while let Some(chain) = queue.iter(mem).unwrap().next() {
        let mut bytes = Vec::new();
        let mut written = 0;
        let head = chain.head_index();
        for desc in chain {
            if desc.is_write_only() {
                let part = &bytes[written..bytes.len().min(written + desc.len() as usize)];
                mem.write_slice(part, desc.addr()).unwrap();
                written += part.len();
            } else {
                let mut part = vec![0; desc.len() as usize];
                mem.read_slice(&mut part, desc.addr()).unwrap();
                bytes.extend(part);
            }
        }
        queue.add_used(mem, head, written as u32).unwrap();
        done += 1;
    }
    done
}

#[test]
fn chains_of_every_shape_reach_the_device_and_come_back() {
    let mut driver = queue();
    let mut device = driver.handle();
    let mem = driver.mem.clone();
    let bytes: Vec<u8> = (0..60).collect();
    for round in 0..100 {
        let chain = driver.chain().readable_in_pieces(&bytes, if round % 2 == 0 { 25 } else { 60 });
        let chain = chain.writable_in_pieces(64, 20);
        let sent = if round % 3 == 0 { chain.indirect().send() } else { chain.send() };
        assert_eq!(driver.poll(), None);
        assert_eq!(echo(&mut device.queue, &mem), 1);
        let used = driver.wait(SECOND).unwrap();
        assert_eq!(used, Used { id: u32::from(sent.head), len: 60 });
        let reply = driver.reply(&sent, used);
        assert_eq!(reply.bytes[..60], bytes);
        assert_eq!(reply.bytes[60..], [0xa5; 4]);
        assert_eq!(driver.in_flight(), 0);
    }
}

#[test]
fn a_kick_is_left_out_when_the_device_does_not_ask() {
    let mut driver = queue();
    let mut device = driver.handle();
    let mem = driver.mem.clone();
    driver.chain().readable(&[1]).send();
    assert!(driver.kick_if_wanted(), "the ring starts with avail_event 0");
    driver.chain().readable(&[2]).send();
    assert!(!driver.kick_if_wanted(), "the device has not asked again");
    echo(&mut device.queue, &mem);
    assert!(!device.queue.enable_notification(&*mem).unwrap());
    driver.chain().readable(&[3]).send();
    assert!(driver.kick_if_wanted());
    assert_eq!(device.kick.read().unwrap(), 2);
}

#[test]
fn waiting_in_vain_ends() {
    assert_eq!(queue().wait(SECOND / 50), None);
    assert!(!FakeInterrupt::default().wait_needs_reset(SECOND / 50));
}
