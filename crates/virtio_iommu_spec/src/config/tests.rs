use data_model::{PageMask, Span};
use zerocopy::IntoBytes;

use super::Config;

#[test]
fn fields_lie_where_the_specification_puts_them() {
    let input = Span::new(0x1000, 0x1122_3344_5566_7788).unwrap();
    let config = Config::new(PageMask::new(0x20_1000).unwrap(), input, 0x99aa_bbcc, 512, true);
    let bytes = config.as_bytes();
    assert_eq!(bytes.len(), 40);
    assert_eq!(bytes[0..8], 0x20_1000u64.to_le_bytes());
    assert_eq!(bytes[8..16], 0x1000u64.to_le_bytes());
    assert_eq!(bytes[16..24], 0x1122_3344_5566_7788u64.to_le_bytes());
    assert_eq!(bytes[24..28], [0; 4]);
    assert_eq!(bytes[28..32], 0x99aa_bbccu32.to_le_bytes());
    assert_eq!(bytes[32..36], 512u32.to_le_bytes());
    assert_eq!(bytes[36..40], [1, 0, 0, 0]);
}
