use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Step,
    ClockRead,
    ClockSet(u64),
    WasHalted,
    Suspended,
    Resuming,
}

type Events = Arc<Mutex<Vec<Event>>>;

struct Fake(Events);

impl Halting for Fake {
    fn read_clock(&mut self) -> Option<u64> {
        self.0.lock().push(Event::ClockRead);
        Some(7)
    }

    fn set_clock(&mut self, clock: u64) {
        self.0.lock().push(Event::ClockSet(clock));
    }

    fn was_halted(&mut self) {
        self.0.lock().push(Event::WasHalted);
    }
}

/// Threads that behave as processors do: they run until they are kicked.
struct Machine {
    control: Arc<Control>,
    events: Events,
    threads: Vec<JoinHandle<()>>,
}

const PROCESSORS: usize = 3;

impl Machine {
    /// `absent` processors exist, but never come to their checkpoint.
    fn start(absent: usize, patience: Duration) -> Machine {
        let kicks: Vec<_> = (0..PROCESSORS).map(|_| Arc::new(AtomicBool::new(false))).collect();
        let kicked = kicks.clone();
        let kick = Box::new(move || kicked.iter().for_each(|flag| flag.store(true, Ordering::SeqCst)));
        let control = Arc::new(Control::with_patience(PROCESSORS + absent, kick, patience));
        let events = Events::default();
        let threads = kicks.into_iter().map(|kick| {
            let (control, events) = (control.clone(), events.clone());
            std::thread::spawn(move || {
                loop {
                    if kick.swap(false, Ordering::SeqCst) {
                        if !control.checkpoint(&mut Fake(events.clone())) {
                            return;
                        }
                    } else {
                        events.lock().push(Event::Step);
                        std::thread::yield_now();
                    }
                }
            })
        });
        let threads = threads.collect();
        Machine { control, events, threads }
    }

    fn suspend(&self) {
        self.control.suspend().unwrap();
        self.events.lock().push(Event::Suspended);
    }

    fn resume(&self) {
        self.events.lock().push(Event::Resuming);
        self.control.resume().unwrap();
    }

    /// Gives processors that do not stand still every chance to show it.
    fn let_others_run(&self) {
        (0..1000).for_each(|_| std::thread::yield_now());
    }

    fn wait_for(&self, event: Event, count: usize) {
        let seen = || self.events.lock().iter().filter(|there| **there == event).count();
        let limit = Instant::now() + LONG;
        while seen() < count {
            assert!(Instant::now() < limit, "{event:?} was seen {} times of {count}", seen());
            std::thread::yield_now();
        }
    }

    fn end(self) -> Vec<Event> {
        self.control.end(Outcome::PowerOff);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        std::mem::take(&mut self.events.lock())
    }
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn halted_processors_stand_still_until_they_are_resumed() {
    let machine = Machine::start(0, LONG);
    for cycle in 1..=3 {
        machine.wait_for(Event::Step, 1);
        machine.suspend();
        machine.let_others_run();
        machine.resume();
        machine.wait_for(Event::WasHalted, cycle * PROCESSORS);
    }
    let events = machine.end();
    for halt in events.split(|event| *event == Event::Suspended).skip(1) {
        assert_eq!(halt.first(), Some(&Event::Resuming), "nothing happens while the machine is halted");
    }
}

#[test]
fn clock_is_read_when_the_last_has_halted_and_set_before_any_runs() {
    let control = Control::with_patience(2, Box::new(|| {}), LONG);
    let events = Events::default();
    let halted = |count| {
        let limit = Instant::now() + LONG;
        while control.state.lock().halted < count {
            assert!(Instant::now() < limit, "fewer than {count} have halted");
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        let suspend = scope.spawn(|| control.suspend());
        while !control.state.lock().suspended {
            std::thread::yield_now();
        }
        let come = || {
            control.checkpoint(&mut Fake(events.clone()));
        };
        scope.spawn(come);
        halted(1);
        assert_eq!(*events.lock(), [], "the other may still look at the clock");
        scope.spawn(come);
        suspend.join().unwrap().unwrap();
        assert_eq!(*events.lock(), [Event::ClockRead]);
        control.resume().unwrap();
    });
    let after = [Event::ClockRead, Event::ClockSet(7), Event::WasHalted, Event::WasHalted];
    assert_eq!(*events.lock(), after);
}

#[test]
fn suspending_twice_and_resuming_twice_is_once() {
    let machine = Machine::start(0, LONG);
    machine.control.resume().unwrap();
    machine.suspend();
    machine.control.suspend().unwrap();
    machine.resume();
    machine.control.resume().unwrap();
    machine.wait_for(Event::WasHalted, PROCESSORS);
    machine.end();
}

#[test]
fn halted_machine_can_be_ended_and_then_neither_halts_nor_goes_on() {
    let machine = Machine::start(0, LONG);
    machine.suspend();
    let control = machine.control.clone();
    machine.end();
    assert_eq!(control.wait(), Outcome::PowerOff);
    assert!(control.suspend().unwrap_err().contains("ends"));
    assert!(control.resume().unwrap_err().contains("ends"));
}

#[test]
fn halt_that_a_processor_does_not_follow_is_given_up() {
    let machine = Machine::start(1, Duration::from_millis(20));
    let why = machine.control.suspend().unwrap_err();
    assert!(why.contains("1 of 4 processors"), "{why}");
    machine.wait_for(Event::WasHalted, PROCESSORS);
    let steps = machine.events.lock().iter().filter(|event| **event == Event::Step).count();
    machine.wait_for(Event::Step, steps + 1);
    machine.end();
}

#[test]
fn first_reason_to_end_counts() {
    let control = Control::new(0, Box::new(|| {}));
    control.end(Outcome::Crash);
    control.end(Outcome::Reset);
    assert_eq!(control.wait(), Outcome::Crash);
}
