//! Where the program is.

use std::path::Path;

use super::executable;

#[test]
fn the_program_is_found_among_cargos_messages() {
    let library = r#"{"reason":"compiler-artifact","target":{"name":"jail"},"executable":null}"#;
    let other = r#"{"reason":"compiler-artifact","target":{"name":"outside"},"executable":"/t/outside-1"}"#;
    let ours = r#"{"reason":"compiler-artifact","target":{"name":"inside"},"executable":"/t/inside-1"}"#;
    let end = r#"{"reason":"build-finished","success":true}"#;
    for (messages, found) in [
        (vec![library, other, ours, end], Some("/t/inside-1")),
        (vec!["   Compiling jail", ours], Some("/t/inside-1")),
        (vec![library, other, end], None),
        (vec![], None),
    ] {
        assert_eq!(executable(&messages.join("\n")).as_deref(), found.map(Path::new), "{messages:?}");
    }
}
