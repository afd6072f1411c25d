use super::{LineBuffer, TooLong};

#[test]
fn lines_come_out_whole_and_in_order_however_they_arrive() {
    for piece in 1..8 {
        let mut buffer = LineBuffer::new(8);
        let mut lines = Vec::new();
        for bytes in b"one\n\nthree\nre".chunks(piece) {
            buffer.push(bytes);
            while let Some(line) = buffer.take().unwrap() {
                lines.push(String::from_utf8(line).unwrap());
            }
        }
        assert_eq!(lines, ["one", "", "three"], "pieces of {piece}");
        assert!(!buffer.is_empty());
    }
}

#[test]
fn bound_counts_the_newline() {
    for (text, expected) in [
        ("abc\n", Ok(Some(b"abc".to_vec()))),
        ("abc", Ok(None)),
        ("abcd\n", Err(TooLong)),
        ("abcd", Err(TooLong)),
    ] {
        let mut buffer = LineBuffer::new(4);
        buffer.push(text.as_bytes());
        assert_eq!(buffer.take(), expected, "{text:?}");
    }
}
