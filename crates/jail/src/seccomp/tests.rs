//! The compiled policies: all there, and the rules in them are those that the text has.

use super::{Policy, Verdict};
use crate::syscalls::syscall_number;

#[test]
fn each_policy_has_its_own_rules() {
    for policy in Policy::ALL {
        let rules = policy.rules();
        assert!(rules.len() > 40 && rules.is_sorted_by(|a, b| a.number < b.number), "{policy:?}");
        for rule in rules {
            assert_eq!(syscall_number(rule.name), Some(rule.number.into()), "{policy:?}");
        }
        let has = |name: &str| rules.iter().any(|rule| rule.name == name);
        assert_eq!(has("fallocate"), policy != Policy::Vfio, "{policy:?}");
        for (name, error) in [("clone3", libc::ENOSYS), ("openat", libc::EPERM)] {
            let answered = |verdict| matches!(verdict, Verdict::Answer(number) if i32::from(number) == error);
            assert!(
                rules.iter().any(|rule| rule.name == name && answered(rule.verdict)),
                "{policy:?}: {name}"
            );
        }
    }
}
