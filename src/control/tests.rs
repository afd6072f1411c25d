use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use vm_control::Listener;

use super::*;
use crate::drawing::tests::usual;

/// A machine that answers each request with `reply`, and the requests that came once it is dropped.
struct Machine {
    dir: tempfile::TempDir,
    stop: Option<UnixStream>,
    thread: Option<std::thread::JoinHandle<Vec<Request>>>,
}

impl Machine {
    fn start(reply: Reply) -> Machine {
        let dir = tempfile::tempdir().unwrap();
        let listener = Listener::bind(&dir.path().join("s")).unwrap();
        let (stop, stopped) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            let answer = |request| {
                asked.push(request);
                reply.clone()
            };
            vm_control::serve(&listener, &stopped, answer).unwrap();
            asked
        });
        Machine { dir, stop: Some(stop), thread: Some(thread) }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    fn asked(mut self) -> Vec<Request> {
        self.stop = None;
        self.thread.take().unwrap().join().unwrap()
    }
}

fn plain() -> Look {
    Look { terminal: false, no_color: None }
}

#[test]
fn commands_without_an_answer_ask_for_what_they_say() {
    let machine = Machine::start(Reply::Done);
    for request in [Request::Stop, Request::Suspend, Request::Resume] {
        assert_eq!(tell(&machine.socket(), request).unwrap(), 0);
    }
    assert_eq!(machine.asked(), [Request::Stop, Request::Suspend, Request::Resume]);
}

#[test]
fn mappings_are_asked_for_only_when_wanted() {
    let machine = Machine::start(Reply::Viommu(usual()));
    let mut out = Vec::new();
    for mappings in [false, true] {
        let args = ShowArgs { socket: machine.socket(), json: true, mappings };
        assert_eq!(show(&args, &mut out).unwrap(), 0);
    }
    assert_eq!(machine.asked(), [Request::ViommuShow, Request::ViommuMappings]);
    let lines = String::from_utf8(out).unwrap();
    assert_eq!(lines.lines().count(), 2);
    assert_eq!(serde_json::from_str::<ViommuReport>(lines.lines().next().unwrap()).unwrap(), usual());
}

#[test]
fn map_goes_to_the_file_or_to_the_output() {
    let machine = Machine::start(Reply::Viommu(usual()));
    let mut out = Vec::new();
    let file = machine.dir.path().join("map.svg");
    let args = MapArgs { socket: machine.socket(), svg: Some(file.clone()) };
    map(&args, &mut out, &plain()).unwrap();
    assert!(out.is_empty() && std::fs::read_to_string(&file).unwrap().starts_with("<svg "));
    map(&MapArgs { svg: None, ..args }, &mut out, &plain()).unwrap();
    assert!(String::from_utf8(out).unwrap().starts_with("domain 1: "));
    let nowhere = MapArgs { socket: machine.socket(), svg: Some("/nowhere/map.svg".into()) };
    let error = format!("{:#}", map(&nowhere, &mut Vec::new(), &plain()).unwrap_err());
    assert!(error.starts_with("cannot write the drawing to /nowhere/map.svg: "), "{error}");
    assert!(machine.asked().iter().all(|request| *request == Request::ViommuMap));
}

#[test]
fn colours_are_for_terminals_unless_unwanted() {
    for (terminal, no_color, coloured) in
        [(true, None, true), (true, Some(""), true), (true, Some("1"), false), (false, None, false)]
    {
        let look = Look { terminal, no_color: no_color.map(OsString::from) };
        assert_eq!(look.coloured(), coloured, "{terminal} {no_color:?}");
    }
}

#[test]
fn refusals_and_dead_sockets_are_sentences() {
    let machine = Machine::start(Reply::Refused("this machine has no virtual IOMMU".into()));
    let args = MapArgs { socket: machine.socket(), svg: None };
    let error = map(&args, &mut Vec::new(), &plain()).unwrap_err().to_string();
    assert_eq!(error, "the machine refuses: this machine has no virtual IOMMU");
    let socket = machine.socket();
    machine.asked();
    let error = tell(&socket, Request::Suspend).unwrap_err().to_string();
    assert!(error.starts_with("there is no control socket at"), "{error}");
}
