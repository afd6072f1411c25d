use std::os::unix::net::UnixListener;

use super::*;

fn ask(path: &Path) -> String {
    let mut client = match Client::with_patience(path, Duration::from_millis(50)) {
        Ok(client) => client,
        Err(error) => return error.to_string(),
    };
    match client.ask(&Request::Stop) {
        Ok(reply) => format!("{reply:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn wrong_and_dead_sockets_get_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent");
    let plain = dir.path().join("plain");
    std::fs::write(&plain, "text").unwrap();
    let dead = dir.path().join("dead");
    drop(UnixListener::bind(&dead).unwrap());
    for (path, words) in [
        (&absent, "there is no control socket at"),
        (&plain, "is not a socket"),
        (&dead, "no machine answers at"),
    ] {
        let said = ask(path);
        assert!(said.contains(words) && said.contains(path.to_str().unwrap()), "{said}");
    }
    let long = PathBuf::from(format!("/tmp/{}", "x".repeat(200)));
    assert!(ask(&long).starts_with("cannot connect to the control socket"), "{}", ask(&long));
}

#[test]
fn peers_that_are_not_ours_get_a_sentence() {
    for (answer, words) in [
        (b"HTTP/1.1 400\n".to_vec(), "is not understood"),
        (Vec::new(), "closed the connection without an answer"),
        (vec![b'x'; MAX_REPLY + 1], "longer than any answer"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 7];
            stream.read_exact(&mut request).unwrap();
            // The client may hang up before it has read everything.
            let _ = stream.write_all(&answer);
            request
        });
        let said = ask(&path);
        assert!(said.contains(words), "{said}");
        assert_eq!(&peer.join().unwrap(), b"\"stop\"\n");
    }
}

#[test]
fn silent_peer_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let _listener = UnixListener::bind(&path).unwrap();
    assert!(ask(&path).contains("gave no answer"), "{}", ask(&path));
}
