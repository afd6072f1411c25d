use super::*;

#[test]
fn every_status_has_its_number_and_a_name_of_its_own() {
    let names = ["OK", "IOERR", "UNSUPP", "DEVERR", "INVAL", "RANGE", "NOENT", "FAULT", "NOMEM"];
    assert_eq!(Status::ALL.map(Status::name), names);
    for (number, status) in Status::ALL.into_iter().enumerate() {
        assert_eq!((status as usize, Status::from_wire(number as u8)), (number, Some(status)));
    }
    assert_eq!(Status::from_wire(names.len() as u8), None);
}
