use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::{MAX_MESSAGE, Terms, Tube};

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
    let one = one.with_limit(Duration::from_millis(10));
    assert_eq!(one.receive::<u8>().unwrap_err().kind(), ErrorKind::TimedOut);
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

/// A side that sends `bytes` one by one, each when `pace` has passed without one, for ever.
fn dribble(tube: Tube, bytes: Vec<u8>, pace: Duration) {
    let mut raw = UnixStream::from(OwnedFd::from(tube));
    raw.set_read_timeout(Some(pace)).unwrap();
    for byte in bytes {
        let mut room = [0; 64];
        // Nobody answers: this is the pause. What was asked comes first.
        while raw.read(&mut room).is_ok_and(|got| got != 0) {}
        if raw.write_all(&[byte]).is_err() {
            return;
        }
    }
}

#[test]
fn a_limit_is_for_the_whole_exchange_however_often_a_byte_comes() {
    let (one, other) = Tube::pair().unwrap();
    let limit = Duration::from_millis(200);
    let one = one.with_limit(limit);
    let mut bytes = 1000u32.to_le_bytes().to_vec();
    bytes.resize(1004, 0);
    let side = std::thread::spawn(move || dribble(other, bytes, Duration::from_millis(20)));
    let begun = Instant::now();
    assert_eq!(one.ask::<u8, Vec<u8>>(&1, &[]).unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(begun.elapsed() >= limit, "not before");
    side.join().unwrap();
    assert!(one.ask::<u8, u8>(&1, &[]).is_err(), "and stays over");
}

#[test]
fn a_side_that_does_not_read_holds_nobody_up() {
    let (one, _other) = Tube::pair().unwrap();
    let one = one.with_limit(Duration::from_millis(20));
    assert_eq!(one.send(&vec![0u8; 1 << 20], &[]).unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn large_messages_arrive_whole_with_and_without_a_limit() {
    for limit in [None, Some(Duration::from_secs(60))] {
        let (one, other) = Tube::pair().unwrap();
        let one = limit.into_iter().fold(one, Tube::with_limit);
        let echo = std::thread::spawn(move || {
            let question = other.receive::<Vec<u8>>().unwrap();
            other.send(&question.value, &[]).unwrap();
        });
        let bytes: Vec<u8> = (0..600_000u32).map(|n| n as u8).collect();
        assert!(one.ask::<_, Vec<u8>>(&bytes, &[]).unwrap().value == bytes, "{limit:?}");
        echo.join().unwrap();
    }
}

#[test]
fn an_answer_must_keep_to_the_terms_of_its_question() {
    let hour = Duration::from_secs(3600);
    for (most, kept) in [(101, true), (100, false)] {
        let (one, other) = Tube::pair().unwrap();
        let one = one.with_limit(Duration::from_secs(60));
        other.send(&vec![0u8; 100], &[]).unwrap();
        let answer = one.ask_on::<_, Vec<u8>>(Terms { limit: hour, most }, &1u8);
        assert_eq!(answer.map_err(|error| error.kind()).err(), (!kept).then_some(ErrorKind::InvalidData));
    }
    let (one, _other) = Tube::pair().unwrap();
    let one = one.with_limit(Duration::from_millis(10));
    let begun = Instant::now();
    let longer = Duration::from_millis(100);
    assert!(one.ask_on::<_, u8>(Terms { limit: longer, most: 9 }, &1u8).is_err());
    assert!(begun.elapsed() >= longer, "the longer of two limits counts");
}
