use std::path::PathBuf;

use super::*;

fn disk(path: &Path, read_only: bool) -> DiskConfig {
    let options = devices::virtio::BlockOptions {
        read_only,
        discard: true,
        block_size: 512,
        queues: 1,
        serial: String::new(),
    };
    DiskConfig { path: path.into(), format: ImageFormat::Raw, options }
}

#[test]
fn a_disk_has_one_writer_or_any_number_of_readers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    std::fs::write(&path, [0; 512]).unwrap();
    let open = |read_only| open_disk(&disk(&path, read_only));
    let writer = open(false).unwrap();
    for read_only in [false, true] {
        let refusal = open(read_only).unwrap_err().to_string();
        assert!(refusal.contains("is in use"), "{refusal}");
    }
    drop(writer);
    let readers = (open(true).unwrap(), open(true).unwrap());
    assert!(open(false).is_err());
    drop(readers);
    assert!(open(false).is_ok());
}

#[test]
fn what_cannot_be_a_disk_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let layered = folder.path().join("layered");
    std::fs::write(&layered, b"QFI\xfb and more").unwrap();
    let cases: [(PathBuf, &str); 4] = [
        (folder.path().join("nothing"), "cannot be opened: No such file"),
        (folder.path().into(), "cannot be opened: Is a directory"),
        ("/dev/null".into(), "cannot be used: it is neither a file nor a block device"),
        (layered.clone(), "cannot be used: it looks like a qcow2 image. If it is one, say format=qcow2."),
    ];
    for (path, words) in cases {
        let refusal = open_disk(&disk(&path, false)).unwrap_err().to_string();
        assert!(refusal.contains(words), "{refusal}");
    }
    let mut named = disk(&layered, false);
    named.format = ImageFormat::Qcow2;
    assert!(open_disk(&named).is_ok());
    std::fs::write(&layered, [0; 512]).unwrap();
    assert!(open_disk(&named).unwrap_err().to_string().contains("is no qcow2 image"));
}

fn console(output: &Path, input: Option<&Path>) -> Result<Vec<OwnedFd>, Refusal> {
    let input = input.map_or(ConsoleInput::None, |path| ConsoleInput::File(path.into()));
    let config = ConsoleConfig { output: ConsoleOutput::File(output.into()), input };
    open(&Emulated::Console(config)).map(|own| own.fds)
}

#[test]
fn console_on_the_terminal_is_given_pipes_and_never_the_terminal() {
    let config = |input| Emulated::Console(ConsoleConfig { output: ConsoleOutput::Stdout, input });
    let silent = open(&config(ConsoleInput::None)).unwrap();
    assert!(silent.typed.is_none() && silent.fds.len() == 1);
    let own = open(&config(ConsoleInput::Stdin)).unwrap();
    let [output, input] = &own.fds[..] else { panic!("two descriptors") };
    let mut buffer = [0; 8];
    rustix::io::write(output, b"prompt").unwrap();
    assert_eq!(rustix::io::read(own.printed.as_ref().unwrap(), &mut buffer), Ok(6));
    rustix::io::write(own.typed.as_ref().unwrap(), b"ls").unwrap();
    assert_eq!(rustix::io::read(input, &mut buffer), Ok(2));
    // Nobody waits for the other.
    assert_eq!(rustix::io::read(input, &mut buffer), Err(rustix::io::Errno::AGAIN));
}

#[test]
fn console_has_a_file_for_output_and_a_fifo_for_input() {
    let folder = tempfile::tempdir().unwrap();
    let (file, fifo) = (folder.path().join("out"), folder.path().join("in"));
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    std::fs::write(&file, "old").unwrap();
    // Neither end of the FIFO has anybody at it yet, and nothing waits for that.
    assert_eq!(console(&file, Some(&fifo)).unwrap().len(), 2);
    assert_eq!(console(&fifo, None).unwrap().len(), 1);
}

#[test]
fn a_log_keeps_its_content_until_it_is_emptied_by_its_second_descriptor() {
    let folder = tempfile::tempdir().unwrap();
    let (file, fifo) = (folder.path().join("out"), folder.path().join("in"));
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    std::fs::write(&file, "of a machine that runs").unwrap();
    let own = |path: &Path| {
        let output = ConsoleOutput::File(path.into());
        open_console(&ConsoleConfig { output, input: ConsoleInput::None }).unwrap()
    };
    let log = own(&file).log.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"of a machine that runs");
    log.set_len(0).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"");
    assert!(own(&fifo).log.is_none());
}

#[test]
fn console_that_cannot_be_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (output, input, words) in [
        (folder.path(), None, "cannot be opened: "),
        (Path::new("/nowhere/out"), None, "cannot be opened: No such file"),
        (file.as_path(), Some(file.as_path()), "cannot be input: it is a regular file"),
        (file.as_path(), Some(Path::new("/nowhere/in")), "cannot be opened: No such file"),
    ] {
        let refusal = console(output, input).unwrap_err().to_string();
        assert!(refusal.contains(words), "{refusal}");
    }
}

#[test]
fn tap_that_cannot_be_is_refused_with_the_kernels_words() {
    let net = NetConfig { tap: "no/name".into(), mac: [0; 6], pairs: 1 };
    let refusal = open(&Emulated::Net(net)).unwrap_err().to_string();
    assert!(
        refusal.starts_with("--net cannot have tap-name=no/name: ") && refusal.contains("1 to 15"),
        "{refusal}"
    );
}
