use std::sync::mpsc;

use super::*;

#[test]
fn only_a_revocation_makes_a_new_version() {
    let value = Versioned::new(vec![1]);
    value.extend(|list| list.push(2));
    let entered = value.enter();
    assert_eq!((entered.version(), entered.value().as_slice()), (0, &[1, 2][..]));
    drop(entered);
    value.revoke(|list| list.pop());
    let entered = value.enter();
    assert_eq!((entered.version(), entered.value().as_slice()), (1, &[1][..]));
}

#[test]
fn a_revocation_waits_for_the_use_that_goes_on() {
    let value = Versioned::new(7);
    let (told, heard) = mpsc::channel();
    std::thread::scope(|scope| {
        let entered = value.enter();
        let revoked = &value;
        scope.spawn(move || {
            revoked.revoke(|value| *value = 8);
            told.send("revoked").unwrap();
        });
        // The other thread may not have come far; that it never gets past the use is what the model check shows.
        std::thread::yield_now();
        assert_eq!(*entered.value(), 7);
        assert!(heard.try_recv().is_err());
        drop(entered);
        assert_eq!(heard.recv(), Ok("revoked"));
    });
    assert_eq!(*value.enter().value(), 8);
}
