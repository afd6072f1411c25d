use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::{Client, ControlError};

/// A server on a thread that answers everything with a long refusal.
struct Served {
    dir: tempfile::TempDir,
    stop: Option<UnixStream>,
    thread: Option<std::thread::JoinHandle<io::Result<()>>>,
}

const LONG: usize = 2 << 20;

impl Served {
    fn start() -> Served {
        let dir = tempfile::tempdir().unwrap();
        let listener = Listener::bind(&dir.path().join("control")).unwrap();
        let (stop, stopped) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || {
            serve(&listener, &stopped, |request| match request {
                Request::ViommuShow => Reply::Refused("x".repeat(LONG)),
                _ => Reply::Done,
            })
        });
        Served { dir, stop: Some(stop), thread: Some(thread) }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("control")
    }

    fn raw(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    fn answers(&self) -> bool {
        Client::connect(&self.path()).unwrap().ask(&Request::Stop).is_ok_and(|reply| reply == Reply::Done)
    }
}

impl Served {
    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.end();
    }
}

fn ended(mut stream: UnixStream) -> bool {
    matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_))
}

#[test]
fn one_client_may_ask_again_and_again() {
    let served = Served::start();
    let mut client = Client::connect(&served.path()).unwrap();
    for _ in 0..3 {
        assert_eq!(client.ask(&Request::Stop).unwrap(), Reply::Done);
        assert_eq!(client.ask(&Request::ViommuShow).unwrap(), Reply::Refused("x".repeat(LONG)));
    }
}

#[test]
fn client_that_does_not_read_holds_nobody_up() {
    let served = Served::start();
    let mut slow = served.raw();
    slow.write_all(b"\"viommu-show\"\n").unwrap();
    assert!(served.answers());
    // Its reply is still complete when it reads at last.
    let mut reply = Vec::new();
    let mut piece = [0; 65536];
    while reply.last() != Some(&b'\n') {
        let count = slow.read(&mut piece).unwrap();
        assert_ne!(count, 0);
        reply.extend_from_slice(&piece[..count]);
    }
    assert!(reply.len() > LONG);
}

#[test]
fn malformed_request_is_told_and_the_connection_goes_on() {
    let served = Served::start();
    let mut stream = served.raw();
    for (line, words) in [("{}\n", "Refused"), ("\"jump\"\n", "not a request"), ("\"stop\"\n", "done")] {
        stream.write_all(line.as_bytes()).unwrap();
        let mut reply = Vec::new();
        while reply.last() != Some(&b'\n') {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            reply.push(byte[0]);
        }
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.to_lowercase().contains(&words.to_lowercase()), "{line} {reply}");
    }
}

#[test]
fn client_that_breaks_the_bounds_is_dropped() {
    let served = Served::start();
    for bytes in [vec![b'x'; crate::MAX_REQUEST], b"\"stop\"\n\"stop\"\n".to_vec()] {
        let mut stream = served.raw();
        stream.write_all(&bytes).unwrap();
        assert!(ended(stream));
    }
    assert!(served.answers());
}

#[test]
fn newest_client_gets_in_when_all_places_are_taken() {
    let served = Served::start();
    let mut idle: Vec<UnixStream> = (0..MOST_CLIENTS).map(|_| served.raw()).collect();
    assert!(served.answers());
    assert!(ended(idle.remove(0)), "the client that was quiet longest has made room");
}

#[test]
fn socket_is_private_and_goes_away() {
    let mut served = Served::start();
    let path = served.path();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    served.end();
    assert!(!path.exists());
}

fn refusal(path: &Path) -> ControlError {
    Listener::bind(path).unwrap_err()
}

#[test]
fn only_a_dead_socket_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let living = Listener::bind(&path).unwrap();
    assert!(matches!(refusal(&path), ControlError::Taken { .. }));
    drop(living);
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(refusal(&path), ControlError::NotSocket { .. }));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

fn connection() -> Connection {
    Connection::new(UnixStream::pair().unwrap().0).unwrap()
}

/// What `accept` says, one after the other; for ever the last.
fn saying(words: Vec<Result<(), Errno>>) -> impl FnMut() -> io::Result<Option<Connection>> {
    let mut words = words.into_iter();
    move || match words.next() {
        Some(Ok(())) => Ok(Some(connection())),
        Some(Err(errno)) => Err(errno.into()),
        None => Ok(None),
    }
}

#[test]
fn a_host_without_descriptors_costs_the_quietest_client_its_own_and_never_the_socket() {
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    for errno in shortages {
        let mut clients = vec![connection(), connection()];
        let quiet = clients[0].as_fd().as_raw_fd();
        assert!(admit(saying(vec![Err(errno), Ok(())]), &mut clients).unwrap());
        assert_eq!(clients.len(), 2);
        assert!(clients[0].as_fd().as_raw_fd() != quiet, "{errno}");
        // Nobody has any to give: the knocking one waits.
        let mut none = Vec::new();
        assert!(!admit(saying(vec![Err(errno)]), &mut none).unwrap(), "{errno}");
    }
    assert!(admit(saying(vec![Err(Errno::BADF)]), &mut vec![connection()]).is_err());
}

#[test]
fn nobody_knocks_while_the_host_is_crowded() {
    let dir = tempfile::tempdir().unwrap();
    let listener = Listener::bind(&dir.path().join("control")).unwrap();
    let _client = UnixStream::connect(dir.path().join("control")).unwrap();
    let (_stop, stopped) = UnixStream::pair().unwrap();
    assert_eq!(wait(&listener, &stopped, &[], false).unwrap(), [false, true]);
    assert_eq!(wait(&listener, &stopped, &[], true).unwrap(), [false, false]);
}
