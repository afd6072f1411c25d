use super::{Counted, Readings, median};

const MAPS: &str = r#"{"clock_ns":40,"map":[{"p50":9,"p99":20}],"unmap":[{"p50":4,"p99":9}],"pairs":[{"live":1,"per_second":[5.0,7.0]}],"large_per_second":[3.0]}"#;

#[test]
fn a_console_becomes_readings() {
    let console = format!(
        "noise\n@bench beside {MAPS}\n@bench life qemu-1\r\n@bench up 345\n@bench span idle 1 2 3 4 11 22 33 44\n\
         @bench own-kib 9000 3\n@bench huge-mib 512\n@bench huge-mib \n@bench huge-mib 510\n@bench beside {MAPS}\n@bench result maps {MAPS}\n@bench died\n@bench up 1\n@bench life mixvm-1\n@bench fail no disk\n\
         @bench result exits {{\"access\":[{{\"p50\":7,\"p99\":8}}]}}\n@bench beside {MAPS}\n@bench died\n"
    );
    let readings = Readings::read(&console);
    let qemu = &readings.lives["qemu-1"];
    assert_eq!((qemu.up, qemu.own_kib), (Some(3.45), Some(9000)));
    assert_eq!(qemu.huge_mib, [512, 510]);
    assert_eq!(qemu.counted["idle"], Counted { exits: 10, ticks: 20, worker_ticks: 30, switches: 40 });
    assert_eq!(qemu.maps.as_ref().unwrap().map[0].p50, 9);
    assert_eq!(readings.lives["mixvm-1"].failures, ["no disk"]);
    assert_eq!(readings.lives["mixvm-1"].up, None, "what nobody said is missing");
    assert_eq!(readings.lives["mixvm-1"].exits.as_ref().unwrap().access[0].p50, 7);
    assert_eq!(qemu.beside, qemu.maps, "the same program");
    let floor = readings.floor();
    assert_eq!((floor.map.len(), floor.pairs.len()), (2, 1), "what is beside no life counts for none");
    assert_eq!(floor.pairs[0].per_second, [5.0, 7.0, 5.0, 7.0]);
}

#[test]
fn a_result_that_is_cut_short_is_no_result() {
    let readings = Readings::read(&format!("@bench life a\n@bench result maps {}\n", &MAPS[..40]));
    assert!(readings.lives["a"].maps.is_none());
}

#[test]
fn a_second_try_keeps_nothing_of_the_first() {
    let console =
        format!("@bench life a\n@bench beside {MAPS}\n@bench fail x\n@bench retry a\n@bench life a\n");
    let readings = Readings::read(&console);
    let life = &readings.lives["a"];
    assert_eq!((readings.retries, life.beside.is_some(), life.failures.len()), (1, false, 0));
}

#[test]
fn the_median_is_a_value_that_was_seen() {
    assert_eq!(median([]), None);
    assert_eq!(median([4.0, 1.0, 3.0, 2.0]), Some(2.0));
}
