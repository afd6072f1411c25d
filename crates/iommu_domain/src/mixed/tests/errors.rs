//! Errors in words and numbers.

use super::super::*;
use super::kit::*;

#[test]
fn numbers_are_the_kernels_and_come_back() {
    let numbers = [
        (Errno::Perm, 1, "EPERM"),
        (Errno::NoEnt, 2, "ENOENT"),
        (Errno::NoMem, 12, "ENOMEM"),
        (Errno::Fault, 14, "EFAULT"),
        (Errno::Busy, 16, "EBUSY"),
        (Errno::Exist, 17, "EEXIST"),
        (Errno::Inval, 22, "EINVAL"),
        (Errno::NoSpc, 28, "ENOSPC"),
        (Errno::Overflow, 75, "EOVERFLOW"),
        (Errno::OpNotSupp, 95, "EOPNOTSUPP"),
        (Errno::AddrInUse, 98, "EADDRINUSE"),
    ];
    for (errno, code, name) in numbers {
        assert_eq!((errno.code(), errno.to_string().as_str()), (code, name));
        assert_eq!(Errno::from_code(code), errno);
    }
    assert_eq!(Errno::from_code(4), Errno::Io);
}

#[test]
fn a_refusal_says_what_is_in_the_way() {
    let mut domain = seed();
    let page = domain.msi_prepare(1, DOORBELL).unwrap() & !(PAGE - 1);
    let refused = map(&mut domain, page, PAGE).unwrap_err();
    assert_eq!(refused.to_string(), "EEXIST: a doorbell page is at 0xfffff000");
    domain.attach(bringing(2, of(0x1000, PAGE), ResvKind::Reserved)).unwrap();
    let refused = map(&mut domain, 0x1000, PAGE).unwrap_err();
    assert_eq!(refused.to_string(), "EINVAL: a region is reserved there: 0x1000-0x1fff Reserved of device 2");
}

#[test]
fn the_kind_of_a_refusal_does_not_depend_on_whose_number_it_is() {
    for personality in Personality::ALL {
        let mut domain = with_device(Config { personality, max_slots: Some(1), ..Config::seed(low()) });
        let kind = |outcome: Result<(), Failure>| outcome.unwrap_err().kind();
        assert_eq!(kind(map(&mut domain, 1, PAGE)), Kind::Range);
        assert_eq!(kind(map(&mut domain, GIB4, PAGE)), Kind::Range);
        assert_eq!(kind(map(&mut domain, u64::MAX - 0xfff, 2 * PAGE)), Kind::Range);
        map(&mut domain, 0, 2 * PAGE).unwrap();
        assert_eq!(kind(map(&mut domain, 0, PAGE)), Kind::Invalid);
        assert_eq!(kind(unmap(&mut domain, 0, PAGE).map(drop)), Kind::Range);
        let iommufd = matches!(personality, Personality::Iommufd(_) | Personality::IommufdCompat);
        if !iommufd {
            assert_eq!(kind(map(&mut domain, 0x10_0000, PAGE)), Kind::Exhausted);
        }
        assert_eq!(kind(domain.msi_release(1, 0)), Kind::Missing);
        let conflict = bringing(2, of(0, PAGE), ResvKind::Reserved);
        let kind = kind(domain.attach(conflict).map(drop));
        assert_eq!(kind, if iommufd { Kind::Unsupported } else { Kind::Invalid });
    }
}
