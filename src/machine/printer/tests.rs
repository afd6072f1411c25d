use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::write;
use rustix::pipe::{PipeFlags, pipe_with};
use sync::Mutex;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

/// Remembers what was written, and whether it was flushed since.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<(Vec<u8>, bool)>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut screen = self.0.lock();
        screen.0.extend(bytes);
        screen.1 = false;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().1 = true;
        Ok(())
    }
}

fn started() -> (OwnedFd, Screen, Printer) {
    let (pipe, device) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
    let screen = Screen::default();
    let printer = Printer::start(pipe, screen.clone()).unwrap();
    (device, screen, printer)
}

#[test]
fn what_a_device_writes_is_printed_at_once_prompts_too() {
    let (device, screen, _printer) = started();
    for (text, all) in [("login: ", "login: "), ("welcome\r\n# ", "login: welcome\r\n# ")] {
        write(&device, text.as_bytes()).unwrap();
        let begun = Instant::now();
        let shown = || screen.0.lock().1 && screen.0.lock().0 == all.as_bytes();
        while !shown() && begun.elapsed() < LIMIT {
            std::thread::yield_now();
        }
        assert!(shown(), "{:?}", *screen.0.lock());
    }
}

#[test]
fn what_was_written_before_the_end_is_printed_whether_the_device_lives_or_not() {
    for lives in [true, false] {
        let (device, screen, printer) = started();
        let text = vec![b'x'; 50_000];
        assert_eq!(write(&device, &text), Ok(text.len()));
        let device = lives.then_some(device);
        drop(printer);
        assert!(screen.0.lock().0 == text, "{lives}");
        drop(device);
    }
}
