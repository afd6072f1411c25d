//! Bytes from a client of the control socket, in pieces of any size.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use vm_control::{Connection, MAX_REQUEST, Received, Reply};

/// Sends `data` in pieces, whose sizes its own bytes say, and takes what the server makes of them.
pub fn control(data: &[u8]) {
    let (mut client, server) = UnixStream::pair().expect("a pair of sockets");
    client.set_nonblocking(true).expect("a socket can be so");
    let mut connection = Connection::new(server).expect("a stream");
    let mut rest = &data[..data.len().min(4 * MAX_REQUEST)];
    let mut requests = 0;
    while let Some(first) = rest.first() {
        let (piece, after) = rest.split_at(rest.len().min(1 + usize::from(*first) * 8));
        rest = after;
        // Where a request shall be, there is a fair chance of one.
        let known: &[u8] = match first {
            0 => b"\"stop\"\n",
            1 => b"\"viommu-show\"\n",
            2 => b"\"suspend\"\n",
            _ => piece,
        };
        if client.write_all(known).is_err() {
            break;
        }
        match connection.receive() {
            Received::Nothing => {}
            Received::Closed => return,
            Received::Request(_) => {
                requests += 1;
                connection.reply(&Reply::Done).expect("the client is there");
            }
            Received::Malformed(why) => {
                assert!(why.len() < MAX_REQUEST + 256, "the answer grows with the nonsense");
                connection.reply(&Reply::Refused(why)).expect("the client is there");
            }
        }
        let mut answer = [0; 8192];
        while matches!(client.read(&mut answer), Ok(count) if count > 0) {}
        assert!(connection.flush().is_ok() && requests <= data.len());
    }
}
