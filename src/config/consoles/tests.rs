use super::*;

/// What becomes of these flags: the port, and each console's ends.
fn roles(flags: &[&str]) -> (Serial, Vec<(ConsoleOutput, ConsoleInput)>) {
    let specs: Vec<_> = flags.iter().map(|flag| SerialSpec::parse(flag).unwrap()).collect();
    let mut refusals = Vec::new();
    let (serial, consoles) = read(&specs, &mut refusals);
    assert!(refusals.is_empty(), "{flags:?}: {refusals:?}");
    let ends = consoles.into_iter().map(|console| match console.kind {
        Emulated::Console(ConsoleConfig { output, input }) => (output, input),
        other => panic!("{other:?}"),
    });
    (serial, ends.collect())
}

#[test]
fn one_console_at_most_has_what_is_typed() {
    use ConsoleInput::{None as Nobody, Stdin};
    use ConsoleOutput::Stdout;
    const CONSOLE: &str = "type=stdout,hardware=virtio-console";
    let (typed, shown) = (Serial::Stdout { typed: true }, Serial::Stdout { typed: false });
    let asking = format!("{CONSOLE},stdin");
    type Case<'a> = (&'a [&'a str], Serial, &'a [(ConsoleOutput, ConsoleInput)]);
    let cases: [Case<'_>; 8] = [
        (&[], typed.clone(), &[]),
        (&["type=stdout,stdin=off"], shown.clone(), &[]),
        (&[CONSOLE], Serial::None, &[(Stdout, Stdin)]),
        (&[CONSOLE, CONSOLE], Serial::None, &[(Stdout, Stdin), (Stdout, Nobody)]),
        (&[CONSOLE, "type=stdout"], typed, &[(Stdout, Nobody)]),
        (&[&asking, "type=stdout"], shown.clone(), &[(Stdout, Stdin)]),
        (&[CONSOLE, &asking], Serial::None, &[(Stdout, Nobody), (Stdout, Stdin)]),
        (&[CONSOLE, "type=stdout,stdin=off"], shown, &[(Stdout, Stdin)]),
    ];
    for (flags, serial, consoles) in cases {
        assert_eq!(roles(flags), (serial, consoles.to_vec()), "{flags:?}");
    }
}

#[test]
fn files_have_nothing_to_do_with_the_terminal() {
    let (serial, consoles) = roles(&["type=file,path=out,hardware=virtio-console,input=in"]);
    assert_eq!(serial, Serial::Stdout { typed: true });
    assert_eq!(consoles, [(ConsoleOutput::File("out".into()), ConsoleInput::File("in".into()))]);
    let (_, consoles) = roles(&["type=stdout,hardware=virtio-console,input=in"]);
    assert_eq!(consoles, [(ConsoleOutput::Stdout, ConsoleInput::File("in".into()))]);
}

#[test]
fn two_that_want_what_is_typed_are_refused() {
    let spec = SerialSpec::parse("type=stdout,hardware=virtio-console,stdin=on").unwrap();
    let mut refusals = Vec::new();
    read(&[spec.clone(), spec], &mut refusals);
    assert!(refusals[0].to_string().contains("given twice with stdin"), "{refusals:?}");
}
