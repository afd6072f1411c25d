extern crate std;
use std::string::ToString;

use super::{Bdf, HostBdf};

#[test]
fn addresses_read_back_as_written() {
    for text in ["0000:01:00.0", "0001:ff:1f.7", "10000:e1:00.0"] {
        assert_eq!(text.parse::<HostBdf>().unwrap().to_string(), text);
    }
    assert_eq!("01:02.3".parse::<Bdf>().unwrap().id(), 0x0113);
    assert_eq!("01:02.3".parse::<HostBdf>().unwrap().to_string(), "0000:01:02.3");
}

#[test]
fn malformed_addresses_are_refused() {
    for text in [
        "",
        ":",
        "01",
        "01:00",
        "01:20.0",
        "01:00.8",
        "+1:00.0",
        "0000:01:00.0.0",
        "0000:001:00.0",
        "g0:00.0",
        "0x01:00.0",
    ] {
        assert!(text.parse::<HostBdf>().is_err(), "{text}");
    }
}
