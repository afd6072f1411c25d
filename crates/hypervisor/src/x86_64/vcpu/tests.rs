//! Against the host's KVM. Where that cannot be used the tests say so on stderr and check nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base::{EventFd, GuestRam, MappedRegion};
use data_model::Span;
use vm_memory::{Bytes, GuestAddress};

use super::LongModeEntry;
use crate::{
    DeviceMapping, Exit, ExitHandler, Kvm, MemoryError, Unanswerable, Vcpu, VcpuKicker, VfioLink, Vm,
    VmConfig, VmError, install_signal_handler,
};

const CODE: u64 = 0x1000;
const ENTRY: LongModeEntry = LongModeEntry {
    rip: 0x1_0000,
    rsi: 0x7000,
    rsp: 0x8000,
    cr3: 0x9000,
    gdt_base: 0x500,
    gdt_limit: 0x27,
    idt_base: 0,
    idt_limit: 0,
};

/// A machine with 64 KiB of RAM; `None`, and a word on stderr, where this host's KVM cannot make one.
fn machine(vcpus: u32) -> Option<(Vm, GuestRam)> {
    let made = Kvm::open(None).map_err(|e| e.to_string());
    let made = made.and_then(|kvm| Vm::new(&kvm, &VmConfig { vcpus }).map_err(|e| e.to_string()));
    let vm = match made {
        Ok(vm) => vm,
        Err(why) => {
            eprintln!("NOT CHECKED, no usable KVM: {why}");
            return None;
        }
    };
    let ram = GuestRam::new(&[Span::from_len(0, 0x1_0000).unwrap()]).unwrap();
    vm.add_ram(&ram).unwrap();
    install_signal_handler().unwrap();
    Some((vm, ram))
}

/// A processor about to run `code` in real mode.
fn real_mode(vm: &Vm, ram: &GuestRam, code: &[u8]) -> Vcpu {
    ram.mem.write_slice(code, GuestAddress(CODE)).unwrap();
    let vcpu = Vcpu::new(vm, 0).unwrap();
    let mut sregs = vcpu.fd.get_sregs().unwrap();
    (sregs.cs.base, sregs.cs.selector) = (0, 0);
    vcpu.fd.set_sregs(&sregs).unwrap();
    let mut regs = vcpu.fd.get_regs().unwrap();
    (regs.rip, regs.rflags) = (CODE, 2);
    vcpu.fd.set_regs(&regs).unwrap();
    vm.finish().unwrap();
    vcpu
}

/// Writes down the accesses of the guest; kicks at a write to port 0xff.
#[derive(Default)]
struct Log {
    seen: Vec<String>,
    kicker: Option<VcpuKicker>,
}

impl ExitHandler for Log {
    fn mmio_read(&mut self, gpa: u64, data: &mut [u8]) {
        self.seen.push(format!("read {gpa:#x}"));
        data.fill(0x77);
    }

    fn mmio_write(&mut self, gpa: u64, data: &[u8]) {
        self.seen.push(format!("write {gpa:#x} {data:x?}"));
    }

    fn port_in(&mut self, port: u16, data: &mut [u8]) {
        self.seen.push(format!("in {port:#x}"));
        data.fill(0x88);
    }

    fn port_out(&mut self, port: u16, data: &[u8]) {
        self.seen.push(format!("out {port:#x} {data:x?}"));
        if let (0xff, Some(kicker)) = (port, &self.kicker) {
            kicker.kick();
        }
    }

    fn unanswerable(&mut self, access: Unanswerable) {
        self.seen.push(format!("unanswerable at {:x?}", access.pc));
    }
}

/// Runs to the first exit that is not an access; `None`, and a word on stderr, where KVM cannot run even this.
fn run(vcpu: &mut Vcpu, log: &mut Log) -> Option<Exit> {
    loop {
        match vcpu.run(log) {
            Ok(Exit::Continue) => {}
            Ok(Exit::InternalError(stuck)) => {
                eprintln!("NOT CHECKED, this KVM runs no guest: {stuck}");
                return None;
            }
            Ok(exit) => return Some(exit),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_guest_reaches_ports_mmio_and_doorbells() {
    let Some((vm, ram)) = machine(1) else { return };
    #[rustfmt::skip]
    let code = [
        0xb8, 0x00, 0x20,             // mov ax, 0x2000
        0x8e, 0xd8,                   // mov ds, ax
        0xb0, 0x42,                   // mov al, 0x42
        0xe6, 0x10,                   // out 0x10, al
        0xc6, 0x06, 0x10, 0x00, 0x55, // mov byte [0x10], 0x55
        0xc6, 0x06, 0x20, 0x00, 0x66, // mov byte [0x20], 0x66     the doorbell
        0xa0, 0x11, 0x00,             // mov al, [0x11]
        0xe6, 0x11,                   // out 0x11, al
        0xe4, 0x12,                   // in al, 0x12
        0xe6, 0x13,                   // out 0x13, al
        0x31, 0xc0,                   // xor ax, ax
        0x8e, 0xd8,                   // mov ds, ax
        0xbe, 0x00, 0x10,             // mov si, 0x1000
        0xb9, 0x03, 0x00,             // mov cx, 3
        0xba, 0x14, 0x00,             // mov dx, 0x14
        0xfc,                         // cld
        0xf3, 0x6e,                   // rep outsb
        0xe6, 0xff,                   // out 0xff, al              the kick
        0xeb, 0xfe,                   // jmp .
    ];
    let mut vcpu = real_mode(&vm, &ram, &code);
    let doorbell = EventFd::new(libc::EFD_NONBLOCK).unwrap();
    vm.bind_doorbell(0x2_0020, &doorbell).unwrap();
    let mut log = Log { kicker: Some(vcpu.kicker()), ..Log::default() };
    let Some(exit) = run(&mut vcpu, &mut log) else { return };
    assert_eq!(exit, Exit::Interrupted);
    let want = [
        "out 0x10 [42]",
        "write 0x20010 [55]",
        "read 0x20011",
        "out 0x11 [77]",
        "in 0x12",
        "out 0x13 [88]",
        "out 0x14 [b8]",
        "out 0x14 [0]",
        "out 0x14 [20]",
        "out 0xff [0]",
    ];
    assert_eq!(log.seen, want);
    assert_eq!(doorbell.read().unwrap(), 1);
    vm.unbind_doorbell(0x2_0020, &doorbell).unwrap();
}

#[test]
fn an_access_that_kvm_cannot_emulate_is_an_undefined_instruction_to_the_guest() {
    let Some((vm, ram)) = machine(1) else { return };
    #[rustfmt::skip]
    let code = [
        0xb8, 0x00, 0x20, // mov ax, 0x2000
        0x8e, 0xd8,       // mov ds, ax
        0xe6, 0xff,       // out 0xff, al        shows that guests run here
        0xd9, 0x07,       // fld dword [bx]      no device register is read like this
        0xe6, 0x10,       // out 0x10, al        not reached
        0xe6, 0xff,       // out 0xff, al        where the fault leads
        0xeb, 0xfe,       // jmp .
    ];
    let mut vcpu = real_mode(&vm, &ram, &code);
    let handler = u32::try_from(CODE).unwrap() + 11;
    ram.mem.write_slice(&handler.to_le_bytes(), GuestAddress(6 * 4)).unwrap();
    let mut log = Log { kicker: Some(vcpu.kicker()), ..Log::default() };
    let Some(exit) = run(&mut vcpu, &mut log) else { return };
    assert_eq!((exit, std::mem::take(&mut log.seen)), (Exit::Interrupted, vec!["out 0xff [0]".to_owned()]));
    assert_eq!(run(&mut vcpu, &mut log), Some(Exit::Interrupted));
    assert_eq!(log.seen, ["unanswerable at Some(1007)", "out 0xff [0]"]);
}

#[test]
fn kicks_from_another_thread_are_never_lost() {
    let Some((vm, ram)) = machine(1) else { return };
    let mut vcpu = real_mode(&vm, &ram, &[0xeb, 0xfe]); // jmp .
    let kicker = vcpu.kicker();
    let (go, turns) = std::sync::mpsc::sync_channel::<()>(0);
    let other = std::thread::spawn(move || turns.iter().for_each(|()| kicker.kick()));
    for _ in 0..500 {
        go.send(()).unwrap();
        // A lost kick would leave the guest in its loop for ever.
        let Some(exit) = run(&mut vcpu, &mut Log::default()) else { break };
        assert_eq!(exit, Exit::Interrupted);
    }
    drop(go);
    other.join().unwrap();
}

#[test]
fn a_triple_fault_is_a_shutdown() {
    let Some((vm, _ram)) = machine(1) else { return };
    let mut vcpu = Vcpu::new(&vm, 0).unwrap();
    vm.finish().unwrap();
    // Empty page tables and no interrupt table: not even the first instruction can be read, nor the fault handled.
    vcpu.enter_long_mode(&ENTRY).unwrap();
    let Some(exit) = run(&mut vcpu, &mut Log::default()) else { return };
    assert_eq!(exit, Exit::Shutdown);
}

#[test]
fn messages_arrive_only_while_they_are_routed() {
    let Some((vm, _ram)) = machine(1) else { return };
    let vcpu = Vcpu::new(&vm, 0).unwrap();
    vm.finish().unwrap();
    let mut apic = vcpu.fd.get_lapic().unwrap();
    apic.regs[0xf1] |= 1; // spurious vector register, bit 8: the APIC takes interrupts
    vcpu.fd.set_lapic(&apic).unwrap();
    let pending = |vector: usize| {
        let apic = vcpu.fd.get_lapic().unwrap();
        apic.regs[0x200 + vector / 32 * 16 + vector % 32 / 8] as u8 & 1 << (vector % 8) != 0
    };
    let arrives = |vector| (0..100_000).any(|_| pending(vector));

    let (one, two) = (vm.irqs().alloc_msi(0).unwrap(), vm.irqs().alloc_msi(0).unwrap());
    one.event().write(1).unwrap(); // lost: no route yet
    one.route(0xfee0_0000, 0x41).unwrap();
    two.route(0xfee0_0000, 0x52).unwrap();
    two.event().write(1).unwrap();
    assert!(arrives(0x52));
    assert!(!pending(0x41), "an event from before the route was misdelivered");
    one.event().write(1).unwrap();
    assert!(arrives(0x41));

    one.route(0xfee0_0000, 0x63).unwrap();
    one.unroute().unwrap();
    one.event().write(1).unwrap();
    two.route(0xfee0_0000, 0x64).unwrap();
    two.event().write(1).unwrap();
    assert!(arrives(0x64));
    one.route(0xfee0_0000, 0x65).unwrap();
    two.hold().unwrap();
    two.event().write(1).unwrap();
    assert!(two.pending());
    two.route(0xfee0_0000, 0x76).unwrap();
    assert!(arrives(0x76), "an event on hold is delivered by the next route");
    assert!(!pending(0x63) && !pending(0x65));
}

#[test]
fn lines_reach_the_chips() {
    let Some((vm, _ram)) = machine(1) else { return };
    let pending = || {
        let mut pic =
            kvm_bindings::kvm_irqchip { chip_id: kvm_bindings::KVM_IRQCHIP_PIC_MASTER, ..Default::default() };
        vm.handle().fd.get_irqchip(&mut pic).unwrap();
        // SAFETY: the chip asked for is a PIC, so this member was filled.
        unsafe { pic.chip.pic.irr }
    };
    let line = vm.irqs().line(5).unwrap();
    line.set(true).unwrap();
    assert_eq!(pending() & 1 << 5, 1 << 5);
    let (trigger, resample) =
        (EventFd::new(libc::EFD_NONBLOCK).unwrap(), EventFd::new(libc::EFD_NONBLOCK).unwrap());
    line.bind(&trigger, &resample).unwrap();
    line.unbind(&trigger).unwrap();
    assert!(line.unbind(&trigger).is_ok(), "the kernel does not mind");
}

/// With reinjection a tick that nobody has acknowledged holds all further ones back, and AMD hosts cannot use AVIC.
#[test]
fn the_timer_ticks_on_whether_or_not_ticks_are_acknowledged() {
    let Some((vm, _ram)) = machine(1) else { return };
    let fd = &vm.handle().fd;
    let chip = || {
        let chip_id = kvm_bindings::KVM_IRQCHIP_PIC_MASTER;
        let mut chip = kvm_bindings::kvm_irqchip { chip_id, ..Default::default() };
        fd.get_irqchip(&mut chip).unwrap();
        chip
    };
    let comes = || {
        let begun = Instant::now();
        std::iter::from_fn(|| (begun.elapsed() < Duration::from_secs(5)).then_some(chip())).any(|chip| {
            // SAFETY: the chip asked for is a PIC, so this member was filled.
            unsafe { chip.chip.pic.irr & 1 != 0 }
        })
    };
    let mut pit = fd.get_pit2().unwrap();
    let channel = &mut pit.channels[0];
    // Rate generator, a tick each millisecond.
    (channel.mode, channel.gate, channel.count) = (2, 1, 1193);
    fd.set_pit2(&pit).unwrap();
    assert!(comes(), "no tick at all");
    let mut taken = chip();
    taken.chip.pic.irr = 0;
    fd.set_irqchip(&taken).unwrap();
    assert!(comes(), "no tick after one that nobody has acknowledged");
}

#[test]
fn device_memory_is_seen_by_the_guest_and_kept_out_of_ram_and_kvms_pages() {
    let Some((vm, ram)) = machine(1) else { return };
    let zero = std::fs::File::options().read(true).write(true).open("/dev/zero").unwrap();
    let region = Arc::new(MappedRegion::new(zero, 0, 0x2000, true).unwrap());
    let at = |gpa| DeviceMapping {
        span: Span::from_len(gpa, 0x1000).unwrap(),
        region: region.clone(),
        offset: 0x1000,
        read_only: false,
    };
    for taken in [0xf000, 0xfffb_c000, 0xfffb_f000] {
        assert!(matches!(vm.map_device(&at(taken)), Err(MemoryError::Overlap { .. })), "{taken:#x}");
    }
    let slot = vm.map_device(&at(0x2_0000)).unwrap();
    let code = [
        0xb8, 0x00, 0x20, // mov ax, 0x2000
        0x8e, 0xd8, // mov ds, ax
        0xc6, 0x06, 0x10, 0x00, 0x55, // mov byte [0x10], 0x55
        0xe6, 0xff, // out 0xff, al
        0xeb, 0xf7, // jmp to the store
    ];
    let mut vcpu = real_mode(&vm, &ram, &code);
    let mut log = Log { kicker: Some(vcpu.kicker()), ..Log::default() };
    if run(&mut vcpu, &mut log).is_none() {
        return;
    }
    assert_eq!(log.seen, ["out 0xff [0]"], "the store needs no exit");
    vm.unmap_device(slot).unwrap();
    assert_eq!(Arc::strong_count(&region), 1);
    run(&mut vcpu, &mut log).unwrap();
    assert_eq!(log.seen[1..], ["write 0x20010 [55]", "out 0xff [0]"]);
}

#[test]
fn a_machine_has_one_vfio_link_which_takes_vfio_files_only() {
    let Some((vm, _ram)) = machine(1) else { return };
    let link = match VfioLink::new(&vm) {
        Ok(link) => link,
        Err(VmError::Kvm { source, .. }) if source.raw_os_error() == Some(libc::ENODEV) => {
            eprintln!("NOT CHECKED, this KVM knows no VFIO: {source}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    assert!(VfioLink::new(&vm).is_err());
    let null = std::fs::File::open("/dev/null").unwrap();
    assert!(link.add_file(&null).is_err());
    assert!(link.remove_file(&null).is_err());
}

#[test]
fn all_processors_of_a_machine_can_be_made_and_no_more() {
    let Some((vm, _ram)) = machine(3) else { return };
    let vcpus: Vec<_> = (0..3).map(|id| Vcpu::new(&vm, id).unwrap()).collect();
    assert!(Vcpu::new(&vm, 3).is_err());
    assert!(Vcpu::new(&vm, 0).is_err(), "one processor has one owner");
    vm.finish().unwrap();
    // The others wait for the first to start them: a kick ends the wait.
    let mut waiting = vcpus.into_iter().nth(2).unwrap();
    let (kicker, done) = (waiting.kicker(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(waiting.run(&mut Log::default()).unwrap(), Exit::Interrupted);
            done.store(true, Ordering::Release);
        });
        kicker.kick();
    });
    assert!(done.load(Ordering::Acquire));
}

#[test]
fn the_boot_state_is_accepted() {
    let Some((vm, _ram)) = machine(2) else { return };
    let vcpu = Vcpu::new(&vm, 0).unwrap();
    vcpu.enter_long_mode(&ENTRY).unwrap();
    let (regs, sregs) = (vcpu.fd.get_regs().unwrap(), vcpu.fd.get_sregs().unwrap());
    assert_eq!((regs.rip, regs.rsi, regs.rsp), (0x1_0000, 0x7000, 0x8000));
    assert_eq!((sregs.cs.l, sregs.cs.selector, sregs.gdt.limit, sregs.cr3), (1, 0x10, 0x27, 0x9000));
    let apic = vcpu.fd.get_lapic().unwrap();
    assert_eq!((apic.regs[0x351] & 7, apic.regs[0x361] & 7), (7, 4));
}
