use super::*;

#[test]
fn capability_to_lock_counts_over_the_host_alone() {
    let (lock, other) = (CapabilitySet::IPC_LOCK, CapabilitySet::SYS_RESOURCE);
    for (name, effective, namespace, at_will) in [
        ("on the host", lock, Some(HOSTS_OWN), true),
        ("a kernel without user namespaces", lock, None, true),
        ("in a rootless container", lock, Some(HOSTS_OWN + 1000), false),
        ("another capability", other, Some(HOSTS_OWN), false),
        ("none", CapabilitySet::empty(), Some(HOSTS_OWN), false),
        ("all", CapabilitySet::all(), Some(HOSTS_OWN), true),
    ] {
        assert_eq!(charges_nobody(effective, namespace), at_will, "{name}");
    }
}

/// One test, for limits belong to the whole process.
#[test]
fn what_is_told_to_be_within_reach_is_and_no_more() {
    let before = getrlimit(Resource::Memlock);
    let ceiling = memlock_ceiling();
    assert_eq!(getrlimit(Resource::Memlock), before, "looking changes nothing");
    match ceiling {
        Memlock::Unlimited => raise_memlock(1 << 60).unwrap(),
        Memlock::Bytes(most) => {
            raise_memlock(most).unwrap();
            let error = raise_memlock(most + 1).unwrap_err();
            assert_eq!((error.needed, error.kib), (most + 1, (most + 1).div_ceil(1024)));
            assert_eq!(error.limit, most);
        }
    }
}
