//! Messages with descriptors: whole, in order, close-on-exec; and what is refused.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::{Channel, MAX_DESCRIPTORS, MAX_MESSAGE};

#[test]
fn messages_keep_their_borders_and_descriptors() {
    let (one, other) = Channel::pair().unwrap();
    let null = File::open("/dev/null").unwrap();
    let many: Vec<BorrowedFd<'_>> = vec![null.as_fd(); MAX_DESCRIPTORS];
    let cases: &[(Vec<u8>, usize)] =
        &[(vec![1], 0), (vec![2; MAX_MESSAGE], 1), (b"abc".to_vec(), MAX_DESCRIPTORS)];
    for (bytes, count) in cases {
        one.send(bytes, &many[..*count]).unwrap();
    }
    for (bytes, count) in cases {
        let message = other.receive().unwrap().unwrap();
        assert_eq!((&message.bytes, message.descriptors.len()), (bytes, *count));
        for fd in &message.descriptors {
            assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        }
    }
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let (one, other) = Channel::pair().unwrap();
    let null = File::open("/dev/null").unwrap();
    let too_many: Vec<BorrowedFd<'_>> = vec![null.as_fd(); MAX_DESCRIPTORS + 1];
    let cases: &[(&[u8], &[BorrowedFd<'_>])] = &[(&[], &[]), (&[0; MAX_MESSAGE + 1], &[]), (&[1], &too_many)];
    for (bytes, descriptors) in cases {
        assert_eq!(one.send(bytes, descriptors).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    other.set_timeout(Some(Duration::from_millis(1))).unwrap();
    assert_eq!(other.receive().unwrap_err().kind(), ErrorKind::WouldBlock, "nothing of it was sent");
}

#[test]
fn the_end_comes_after_the_last_message_even_when_the_other_end_left_some_unread() {
    let (one, other) = Channel::pair().unwrap();
    one.send(b"unread", &[]).unwrap();
    other.send(b"last words", &[]).unwrap();
    drop(other);
    assert_eq!(one.receive().unwrap().unwrap().bytes, b"last words");
    assert!(one.receive().unwrap().is_none());
    assert_eq!(one.send(b"x", &[]).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_message_too_long_is_an_error_and_keeps_no_descriptor() {
    let (one, other) = Channel::pair().unwrap();
    let null = File::open("/dev/null").unwrap();
    let (peer, pipe) = std::io::pipe().unwrap();
    // Past our own send: a foreign end need not keep to the limit.
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [pipe.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let long = vec![0; MAX_MESSAGE + 1];
    sendmsg(&one, &[std::io::IoSlice::new(&long)], &mut control, SendFlags::empty()).unwrap();
    drop((null, pipe));
    assert_eq!(other.receive().unwrap_err().kind(), ErrorKind::InvalidData);
    let mut rest = Vec::new();
    assert_eq!(std::io::Read::read_to_end(&mut { peer }, &mut rest).unwrap(), 0, "no writer is left");
}
