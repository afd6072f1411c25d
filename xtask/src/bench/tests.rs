use super::collected;

#[test]
fn the_count_stands_in_the_closing_lines() {
    let text = "==9== Events    : Ir\n==9== Collected : 3584009\n==9== \n";
    assert_eq!(collected(text), Some(3_584_009));
    assert_eq!(collected("==9== Collected : 0\n"), None, "a function that was never met is no measurement");
    assert_eq!(collected("==9== nothing\n"), None);
}
