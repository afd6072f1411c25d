use std::sync::mpsc;
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn what_is_typed_waits_for_a_guest_that_does_not_read_and_none_of_it_is_lost() {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
    let text: Vec<u8> = (0..300_000).map(|n| (n % 251) as u8).collect();
    let (typed, stop) = (Typed::Pipe(writer), base::new_event().unwrap());
    let all = text.clone();
    let thread = std::thread::spawn(move || typed.push(&all, Some(&stop)));
    let mut got: Vec<u8> = Vec::new();
    let mut buffer = [0; 5000];
    while got.len() < text.len() {
        let all_sent = thread.is_finished();
        match read(&reader, &mut buffer) {
            Ok(len) => got.extend(&buffer[..len]),
            Err(errno) => assert!(errno == Errno::AGAIN && !all_sent, "{} bytes came: {errno}", got.len()),
        }
        std::thread::yield_now();
    }
    thread.join().unwrap();
    assert!(got == text);
}

#[test]
fn end_of_the_machine_or_of_the_device_ends_the_wait() {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
    let stop = base::new_event().unwrap();
    let (typed, ended) = (Typed::Pipe(writer), stop.try_clone().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        typed.push(&vec![7; 1 << 20], Some(&ended));
        tell.send(()).unwrap();
        typed.push(&[7], Some(&ended));
        tell.send(()).unwrap();
    });
    assert!(told.recv_timeout(Duration::from_millis(20)).is_err(), "the pipe is full");
    stop.write(1).unwrap();
    told.recv_timeout(LIMIT).unwrap();
    drop(reader);
    told.recv_timeout(LIMIT).unwrap();
}

#[test]
fn person_who_types_is_never_held_up() {
    let (_reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
    Typed::Pipe(writer).push(&vec![7; 1 << 20], None);
}
