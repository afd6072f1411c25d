//! `--seccomp-log-failures`: what the policy lacks is named, and carried out.

use std::sync::mpsc;

use jail::Policy;

use crate::kit::{self, Notes};

/// Inside: calls that no policy has; their results show that they were carried out.
pub fn inside() -> String {
    let parent = rustix::process::getppid();
    let link = std::fs::read_link("/nothing").map(drop).map_err(|e| e.raw_os_error());
    // SAFETY: no argument is an address.
    let (twice, foreign) =
        unsafe { (libc::umask(0o31) + libc::umask(0o31), libc::ioctl(0, libc::TIOCGWINSZ as _, 0)) };
    format!("{parent:?} {link:?} {} {foreign}", twice >= 0o31)
}

pub fn denied_calls_are_named(_: &mut Notes) {
    for policy in Policy::ALL {
        let mut worker = kit::reports(kit::launch(policy, &["reports"])).spawn().expect("it starts");
        let denied = worker.wait_jailed().expect("it gets into its jail").expect("there is a listener");
        let (tell, told) = mpsc::channel();
        let thread = denied
            .tell(move |call| tell.send(call.to_string()).expect("the test listens"))
            .expect("a thread");
        let said = kit::hear(&worker).expect("it goes on");
        // The parent is outside of the namespace; the root is empty.
        assert!(said.starts_with("None Err(Some(") && said.ends_with(" true -1"), "{said}");
        assert_eq!(worker.wait().expect("it ends"), jail::Ending::Exited(0));
        thread.join().expect("the thread ends with the worker");
        let told: Vec<String> = told.iter().collect();
        for name in ["getppid", "umask", "readlink", "ioctl"] {
            let named = told.iter().filter(|line| line.contains(&format!("does not allow {name}")));
            assert_eq!(named.count(), 1, "{name}: {told:?}");
        }
        assert!(told.iter().all(|line| line.starts_with("probe: ")), "{told:?}");
    }
}
