use proptest::prelude::*;

use super::*;

fn requests() -> impl Strategy<Value = Request> {
    prop_oneof![
        any::<(u32, u32, u32, u32)>().prop_map(|(domain, endpoint, flags, reserved)| Request::Attach {
            domain,
            endpoint,
            flags,
            reserved
        }),
        any::<(u32, u32)>().prop_map(|(domain, endpoint)| Request::Detach { domain, endpoint }),
        any::<(u32, u64, u64, u64, u32)>().prop_map(|(domain, virt_start, virt_end, phys_start, flags)| {
            Request::Map { domain, virt_start, virt_end, phys_start, flags }
        }),
        any::<(u32, u64, u64, u32)>().prop_map(|(domain, virt_start, virt_end, reserved)| Request::Unmap {
            domain,
            virt_start,
            virt_end,
            reserved
        }),
        any::<u32>().prop_map(|endpoint| Request::Probe { endpoint }),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(request in requests(), head_reserved: [u8; 3]) {
        let mut bytes = [0; MAX_REQUEST_SIZE];
        let size = encode(&request, &mut bytes);
        bytes[1..4].copy_from_slice(&head_reserved); // G3: ignored
        prop_assert_eq!(decode(&bytes[..size]), Ok(request));
        for short in 0..size {
            prop_assert_eq!(decode(&bytes[..short]), Err(DecodeError::Short), "{} of {} bytes", short, size);
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(request) = decode(&bytes) {
            let mut again = [0; MAX_REQUEST_SIZE];
            let size = encode(&request, &mut again);
            prop_assert!(bytes.len() >= size);
            prop_assert_eq!(decode(&again[..size]), Ok(request));
        }
    }
}

#[test]
fn fields_lie_where_the_specification_puts_them() {
    let mut bytes = [0; MAX_REQUEST_SIZE];
    let map = Request::Map { domain: 1, virt_start: 2, virt_end: 3, phys_start: 4, flags: 5 };
    assert_eq!(encode(&map, &mut bytes), 36);
    assert_eq!((bytes[0], bytes[4], bytes[8], bytes[16], bytes[24], bytes[32]), (3, 1, 2, 3, 4, 5));
    let attach = Request::Attach { domain: 1, endpoint: 2, flags: 3, reserved: 4 };
    assert_eq!(encode(&attach, &mut bytes), 20);
    assert_eq!((bytes[0], bytes[4], bytes[8], bytes[12], bytes[16]), (1, 1, 2, 3, 4));
    let unmap = Request::Unmap { domain: 1, virt_start: 2, virt_end: 3, reserved: 4 };
    assert_eq!(encode(&unmap, &mut bytes), 28);
    assert_eq!((bytes[0], bytes[4], bytes[8], bytes[16], bytes[24]), (4, 1, 2, 3, 4));
    assert_eq!(encode(&Request::Detach { domain: 1, endpoint: 2 }, &mut bytes), 20);
    assert_eq!((bytes[0], bytes[4], bytes[8]), (2, 1, 2));
    assert_eq!(encode(&Request::Probe { endpoint: 7 }, &mut bytes), 72);
    assert_eq!((bytes[0], bytes[4]), (5, 7));
}

#[test]
fn unknown_types_are_told_apart_from_short_ones() {
    for number in [0u8, 6, 0x80, 0xff] {
        assert_eq!(decode(&[number, 0, 0, 0]), Err(DecodeError::UnknownType(number)));
    }
    assert_eq!(decode(&[]), Err(DecodeError::Short));
    assert_eq!(decode(&[1, 0, 0]), Err(DecodeError::Short));
}

#[test]
fn every_kind_has_a_name_of_its_own_and_the_size_that_it_is_sent_in() {
    let named = RequestKind::ALL.map(|kind| (kind.name(), kind.size()));
    assert_eq!(named, [("attach", 20), ("detach", 20), ("map", 36), ("unmap", 28), ("probe", 72)]);
    for kind in RequestKind::ALL {
        let mut bytes = [0; MAX_REQUEST_SIZE];
        bytes[0] = kind as u8;
        let request = decode(&bytes[..kind.size()]).expect("all zero is a request of any kind");
        assert_eq!(request.kind(), kind);
    }
}
