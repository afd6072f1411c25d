//! Pieces by name, and sets of them.

use super::{Piece, Pieces, UnknownPiece};

#[test]
fn a_set_survives_being_written_and_read() {
    for set in [Pieces::NONE, Pieces::all(), Pieces::NONE.with(Piece::Landlock).with(Piece::User)] {
        assert_eq!(set.to_string().parse(), Ok(set));
    }
    assert_eq!(" landlock , user,".parse::<Pieces>().map(|set| set.to_string()), Ok("user,landlock".into()));
}

#[test]
fn an_unknown_word_is_refused_with_all_names() {
    let error = "user,chroot".parse::<Pieces>().expect_err("no such piece");
    assert_eq!(error, UnknownPiece("chroot".into()));
    let text = error.to_string();
    assert!(Piece::ALL.iter().all(|piece| text.contains(piece.name())), "{text}");
}

#[test]
fn sets_hold_what_was_put_in() {
    for piece in Piece::ALL {
        let set = Pieces::NONE.with(piece);
        assert_eq!(set.iter().collect::<Vec<_>>(), [piece]);
        assert!(
            !Pieces::all().except(piece).contains(piece)
                && Pieces::all().except(piece).with(piece) == Pieces::all()
        );
    }
}
