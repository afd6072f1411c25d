use super::*;

fn report() -> ViommuReport {
    let bdf: Bdf = "01:00.0".parse().unwrap();
    let mut endpoint = EndpointReport::new(bdf, "0000:01:00.0", "type1 group 3");
    endpoint.domain = Some(1);
    endpoint.group = Some(3);
    endpoint
        .reserved
        .push(RegionReport { span: Span::new(0xfee0_0000, 0xfeef_ffff).unwrap(), kind: RegionKind::Msi });
    let leg = LegReport {
        name: "type1 group 3".into(),
        mappings: 2,
        host_mappings: None,
        quarantined: false,
        between: false,
        endpoints: vec![256],
        pinned: 8192,
        host_time_ns: 1_500_000,
    };
    let by_status = [("OK".to_owned(), 2), ("RANGE".to_owned(), 1)].into();
    ViommuReport {
        features: 0x75,
        feature_names: vec!["INPUT_RANGE".into(), "MAP_UNMAP".into()],
        input_range: Span::new(0, 0xffff_ffff).unwrap(),
        page_size_mask: 4096,
        bypass: false,
        endpoints: vec![endpoint],
        domains: vec![DomainReport {
            id: 1,
            bypass: false,
            endpoints: vec![256],
            mappings: 2,
            software: 0,
            bytes: 8192,
            slots: Vec::new(),
            runs: Vec::new(),
        }],
        legs: vec![leg],
        requests: vec![RequestReport { kind: "map".into(), ok: 2, failed: 1, by_status }],
        unanswered: 0,
        faults: 5,
        faults_dropped: 4,
        host_calls: 2,
        host_failures: 0,
        host_time_ns: 1_500_000,
        pinned: 8192,
    }
}

#[test]
fn json_form_is_the_promised_one() {
    let expected = concat!(
        r#"{"features":117,"feature_names":["INPUT_RANGE","MAP_UNMAP"],"input_range":{"start":0,"last":4294967295},"page_size_mask":4096,"bypass":false,"#,
        r#""endpoints":[{"id":256,"bdf":"01:00.0","host":"0000:01:00.0","group":3,"leg":"type1 group 3","domain":1,"#,
        r#""reserved":[{"start":4276092928,"last":4277141503,"kind":"msi"}]}],"#,
        r#""domains":[{"id":1,"bypass":false,"endpoints":[256],"mappings":2,"software":0,"bytes":8192}],"#,
        r#""legs":[{"name":"type1 group 3","mappings":2,"host_mappings":null,"quarantined":false,"between":false,"#,
        r#""endpoints":[256],"pinned":8192,"host_time_ns":1500000}],"#,
        r#""requests":[{"kind":"map","ok":2,"failed":1,"by_status":{"OK":2,"RANGE":1}}],"unanswered":0,"#,
        r#""faults":5,"faults_dropped":4,"host_calls":2,"host_failures":0,"host_time_ns":1500000,"pinned":8192}"#,
    );
    assert_eq!(serde_json::to_string(&report()).unwrap(), expected);
    assert_eq!(serde_json::from_str::<ViommuReport>(expected).unwrap(), report());
}

#[test]
fn state_of_a_leg_is_told() {
    for (quarantined, between, state) in
        [(false, false, "in step"), (false, true, "between domains"), (true, true, "quarantined")]
    {
        let mut report = report();
        (report.legs[0].quarantined, report.legs[0].between) = (quarantined, between);
        let text = report.to_string();
        let row = text.lines().find(|line| line.starts_with("type1 group 3")).unwrap();
        assert!(row.ends_with(state), "{row}");
    }
}

#[test]
fn detached_endpoint_has_null_for_a_domain() {
    let mut report = report();
    report.endpoints[0].domain = None;
    assert!(serde_json::to_string(&report).unwrap().contains(r#""domain":null"#));
}

#[test]
fn table_shows_each_row_under_its_heading() {
    let text = report().to_string();
    let lines: Vec<&str> = text.lines().collect();
    for (heading, cell, row) in [
        ("ENDPOINT", "LEG", "type1 group 3"),
        ("ENDPOINT", "RESERVED", "0xfee00000-0xfeefffff msi"),
        ("DOMAIN ", "ENDPOINTS", "0x100"),
        ("DOMAIN ", "MAPPED", "8 KiB"),
        ("LEG ", "HOST HOLDS", "unknown"),
        ("ENDPOINT", "GROUP", "3"),
        ("LEG ", "PINNED", "8 KiB"),
        ("LEG ", "TIME", "1.5 ms"),
        ("LEG ", "ENDPOINTS", "0x100"),
        ("LEG ", "STATE", "in step"),
        ("REQUEST", "OK", "2"),
        ("REQUEST", "FAILED", "1: RANGE 1"),
    ] {
        let at = lines.iter().position(|line| line.starts_with(heading)).unwrap();
        let column = lines[at].find(cell).unwrap();
        assert!(lines[at + 1][column..].starts_with(row), "{cell}: {text}");
    }
}

#[test]
fn empty_tables_are_left_out() {
    let mut report = report();
    report.domains.clear();
    assert!(!report.to_string().contains("MAPPED"), "{report}");
}

#[test]
fn each_mapping_is_listed_when_it_came_along_and_what_was_left_out_is_told() {
    let mut report = report();
    let slot = |start: u64, software| SlotReport {
        span: Span::from_len(start, 0x2000).unwrap(),
        phys: 0x4000_0000,
        perm: "rw".into(),
        software,
    };
    assert!(!report.to_string().contains("MAPPINGS OF"));
    report.domains[0].slots = vec![slot(0xffff_c000, false), slot(0xffff_e000, true)];
    report.domains[0].mappings = 7;
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("MAPPINGS OF DOMAIN 1 ")).unwrap();
    for (cell, row) in [("TO", "0x0000000040000000"), ("SIZE", "8 KiB"), ("PERMISSION", "rw")] {
        assert!(lines[at + 1][lines[at].find(cell).unwrap()..].starts_with(row), "{cell}: {text}");
    }
    assert!(lines[at + 2].ends_with("(no host holds it)") && lines[at + 3] == "… and 5 more", "{text}");
    let json = serde_json::to_string(&report.domains[0].slots[0]).unwrap();
    let promised = r#"{"start":4294950912,"last":4294959103,"phys":1073741824,"perm":"rw","software":false}"#;
    assert_eq!(json, promised);
}

#[test]
fn reply_with_as_many_mappings_as_it_may_list_can_be_sent() {
    let mut report = report();
    let widest = SlotReport { span: Span::ALL, phys: u64::MAX, perm: "none".into(), software: false };
    report.domains[0].slots = vec![widest; crate::MAX_SLOTS];
    let line = serde_json::to_vec(&crate::Reply::Viommu(report)).unwrap();
    // Room for endpoints and legs.
    assert!(line.len() < crate::MAX_REPLY - (64 << 10), "{}", line.len());
}
