use super::*;

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn port() -> (SerialPort, Screen, Arc<EventFd>) {
    let screen = Screen::default();
    let irq = Arc::new(EventFd::new(libc::EFD_NONBLOCK).unwrap());
    (SerialPort::new(irq.clone(), Box::new(screen.clone())), screen, irq)
}

fn get(port: &mut SerialPort, register: u64) -> u8 {
    let mut data = [0];
    port.read(register, &mut data);
    data[0]
}

#[test]
fn what_the_guest_prints_is_written() {
    let (mut port, screen, irq) = port();
    port.write(1, &[2]);
    let _ = irq.read();
    assert_eq!(get(&mut port, 2) & 0xf, 2, "the transmitter is empty");
    for byte in b"hello" {
        port.write(0, &[*byte]);
    }
    assert_eq!(*screen.0.lock(), b"hello");
    assert!(irq.read().is_ok(), "each byte sent makes the transmitter empty again");
}

#[test]
fn long_input_arrives_whole_with_interrupts() {
    let (mut port, _screen, irq) = port();
    port.write(1, &[1]);
    let typed: Vec<u8> = (0..1000u32).map(|n| n as u8).collect();
    assert_eq!(port.input().push(&typed), 1000);
    let mut seen = Vec::new();
    let mut interrupts = 0;
    while irq.read().is_ok() {
        interrupts += 1;
        // As Linux does: ask what it is about, read at most 256 bytes, ask again.
        while get(&mut port, 2) & 0xf == 4 {
            let mut most = 256;
            while most > 0 && get(&mut port, 5) & 1 != 0 {
                seen.push(get(&mut port, 0));
                most -= if seen.len() == 10 { most } else { 1 };
            }
        }
    }
    assert!(interrupts > 0);
    assert_eq!(seen, typed);
}

#[test]
fn input_for_a_guest_that_does_not_read_is_bounded() {
    let (port, _screen, _irq) = port();
    let input = port.input();
    let taken: usize = (0..100).map(|_| input.push(&[0; 4096])).sum();
    assert!((INPUT_LIMIT..=INPUT_LIMIT + 64).contains(&taken), "{taken}");
    assert_eq!(input.push(b"x"), 0);
}

#[test]
fn accesses_of_any_shape_are_safe() {
    let (mut port, _screen, _irq) = port();
    for offset in [0, 7, 8, 255, 256, u64::MAX] {
        let mut data = [0xee; 8];
        port.read(offset, &mut data);
        assert_eq!(data[1..], [0; 7]);
        port.read(offset, &mut []);
        port.write(offset, &[]);
        port.write(offset, &[0xff; 8]);
    }
}
