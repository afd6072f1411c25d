use super::*;

#[test]
fn fields_lie_where_the_specification_puts_them() {
    let fault = Fault {
        reason: FaultReason::Mapping,
        flags: FaultFlags(u32::MAX),
        endpoint: 0x102,
        address: 0x1122_3344_5566,
    };
    let bytes = fault.encode();
    assert_eq!(bytes[..8], [2, 0, 0, 0, 3, 1, 0, 0], "undefined flags stay zero");
    assert_eq!(bytes[8..16], [2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[16..], 0x1122_3344_5566u64.to_le_bytes());
}
