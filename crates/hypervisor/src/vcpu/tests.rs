use kvm_bindings::{kvm_run, kvm_run__bindgen_ty_1__bindgen_ty_4 as PortExit};

use super::{ExitHandler, Fault, RUN, Stuck, Unanswerable, VcpuError, internal, port_io};

#[derive(Default)]
struct Ports(Vec<(u16, Vec<u8>)>);

impl ExitHandler for Ports {
    fn mmio_read(&mut self, _gpa: u64, _data: &mut [u8]) {}

    fn mmio_write(&mut self, _gpa: u64, _data: &[u8]) {}

    fn port_in(&mut self, port: u16, data: &mut [u8]) {
        self.0.push((port, data.to_vec()));
        data.fill(self.0.len() as u8);
    }

    fn port_out(&mut self, port: u16, data: &[u8]) {
        self.0.push((port, data.to_vec()));
    }

    fn unanswerable(&mut self, _access: Unanswerable) {}
}

/// A `kvm_run` followed by the page with the elements, as the kernel lays it out.
#[repr(C)]
struct Area {
    run: kvm_run,
    data: [u8; 16],
}

fn area(direction: u8, size: u8, count: u32) -> Box<Area> {
    let data = std::array::from_fn(|n| 0x10 + n as u8);
    let mut area = Box::new(Area { run: kvm_run::default(), data });
    let data_offset = std::mem::offset_of!(Area, data) as u64;
    area.run.__bindgen_anon_1.io = PortExit { direction, size, port: 0x3f8, count, data_offset };
    area
}

fn answer(area: &mut Area) -> Vec<(u16, Vec<u8>)> {
    let mut ports = Ports::default();
    // SAFETY: `run` is the first field, so a pointer to the whole points to it, and may reach the data behind it.
    port_io(unsafe { &mut *(&raw mut *area).cast::<kvm_run>() }, &mut ports);
    ports.0
}

#[test]
fn string_instructions_are_answered_element_by_element() {
    let mut out = area(1, 2, 3);
    let want = [[0x10, 0x11], [0x12, 0x13], [0x14, 0x15]];
    assert_eq!(answer(&mut out), want.map(|bytes| (0x3f8, bytes.to_vec())));

    let mut input = area(0, 4, 2);
    assert_eq!(answer(&mut input).len(), 2);
    assert_eq!(input.data[..9], [1, 1, 1, 1, 2, 2, 2, 2, 0x18], "nothing beyond the last element");
}

#[test]
fn an_exit_without_elements_does_nothing() {
    assert_eq!(answer(&mut area(1, 0, 3)), []);
    assert_eq!(answer(&mut area(1, 1, 0)), []);
}

#[test]
fn internal_errors_carry_what_the_kernel_told() {
    let mut run = kvm_run::default();
    // SAFETY: any bits are valid in this member.
    let error = unsafe { &mut run.__bindgen_anon_1.internal };
    (error.suberror, error.ndata, error.data[0], error.data[1]) = (1, 2, 7, 0xab);
    let fault = internal(&run);
    assert_eq!(fault, Fault::Internal { suberror: 1, data: vec![7, 0xab] });
    let text = Stuck { id: 3, fault, pc: Some(0xfff0) }.to_string();
    assert!(text.contains("processor 3") && text.contains("[7, ab]") && text.contains("0xfff0"), "{text}");

    run.__bindgen_anon_1.internal.ndata = 1000;
    assert!(matches!(internal(&run), Fault::Internal { data, .. } if data.len() == 16));
}

#[test]
fn a_kvm_that_can_do_nothing_about_an_access_is_told_from_other_failures() {
    let text = |call, errno| {
        let source = std::io::Error::from_raw_os_error(errno);
        VcpuError { id: 2, call, pc: Some(0x8000), source }.to_string()
    };
    for (call, errno, told) in
        [(RUN, libc::ENOSYS, true), (RUN, libc::EFAULT, false), ("KVM_SET_SREGS", libc::ENOSYS, false)]
    {
        let text = text(call, errno);
        assert!(text.contains(call) && text.contains("0x8000"), "{text}");
        assert_eq!(text.contains("cannot take apart") && text.contains("Linux 5.5"), told, "{text}");
    }
}
