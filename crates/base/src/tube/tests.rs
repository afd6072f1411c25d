use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::{MAX_MESSAGE, Tube};

#[test]
fn values_and_descriptors_arrive_in_order() {
    let (one, other) = Tube::pair().unwrap();
    let (mut left, right) = UnixStream::pair().unwrap();
    one.send(&("first", 1u64), &[right.as_fd()]).unwrap();
    one.send(&("second", 2u64), &[]).unwrap();
    drop(right);
    let first = other.receive::<(String, u64)>().unwrap();
    let second = other.receive::<(String, u64)>().unwrap();
    assert_eq!((first.value.0.as_str(), first.value.1, first.fds.len()), ("first", 1, 1));
    assert_eq!((second.value.1, second.fds.len()), (2, 0));
    let mut carried = UnixStream::from(first.fds.into_iter().next().unwrap());
    carried.write_all(b"x").unwrap();
    let mut byte = [0];
    left.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"x");
}

#[test]
fn a_side_that_goes_away_or_stalls_is_an_error() {
    let (one, other) = Tube::pair().unwrap();
    one.set_limit(Duration::from_millis(10)).unwrap();
    assert_eq!(one.receive::<u8>().unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(other);
    assert_eq!(one.receive::<u8>().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert!(one.send(&1u8, &[]).is_err());
}

#[test]
fn nonsense_ends_the_connection() {
    for bytes in [&(MAX_MESSAGE as u32 + 1).to_le_bytes()[..], &[4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]] {
        let (one, other) = Tube::pair().unwrap();
        let mut raw = UnixStream::from(OwnedFd::from(other));
        raw.write_all(bytes).unwrap();
        assert_eq!(one.receive::<bool>().unwrap_err().kind(), ErrorKind::InvalidData);
        assert!(one.send(&1u8, &[]).is_err(), "and stays over");
    }
}

#[test]
fn a_question_gets_its_answer() {
    let (one, other) = Tube::pair().unwrap();
    let server = std::thread::spawn(move || {
        let question = other.receive::<u32>().unwrap();
        other.send(&(question.value + 1), &[]).unwrap();
    });
    assert_eq!(one.ask::<u32, u32>(&41, &[]).unwrap().value, 42);
    server.join().unwrap();
    assert!(one.ask::<u32, u32>(&41, &[]).is_err());
}
