use super::{MPIDR_EL1, PC, PSTATE, X0};

#[test]
fn register_names_are_those_of_the_kernel() {
    for (name, got, want) in [
        ("x0", X0, 0x6030_0000_0010_0000_u64),
        ("pc", PC, 0x6030_0000_0010_0040),
        ("pstate", PSTATE, 0x6030_0000_0010_0042),
        ("MPIDR_EL1", MPIDR_EL1, 0x6030_0000_0013_c005),
    ] {
        assert_eq!(got, want, "{name}");
    }
}
