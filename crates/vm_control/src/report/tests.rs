use super::*;

fn report() -> ViommuReport {
    let bdf: Bdf = "01:00.0".parse().unwrap();
    let mut endpoint = EndpointReport::assigned(bdf, "0000:01:00.0".parse().unwrap(), "type1 group 3");
    endpoint.domain = Some(1);
    endpoint
        .reserved
        .push(RegionReport { span: Span::new(0xfee0_0000, 0xfeef_ffff).unwrap(), kind: RegionKind::Msi });
    let leg =
        LegReport { name: "type1 group 3".into(), mappings: 2, host_mappings: None, quarantined: false };
    ViommuReport {
        features: 0x75,
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
        }],
        legs: vec![leg],
        requests: vec![RequestReport { kind: "map".into(), ok: 2, failed: 0 }],
        faults: 0,
        host_calls: 2,
    }
}

#[test]
fn json_form_is_the_promised_one() {
    let expected = concat!(
        r#"{"features":117,"input_range":{"start":0,"last":4294967295},"page_size_mask":4096,"bypass":false,"#,
        r#""endpoints":[{"id":256,"bdf":"01:00.0","host":"0000:01:00.0","leg":"type1 group 3","domain":1,"#,
        r#""reserved":[{"start":4276092928,"last":4277141503,"kind":"msi"}]}],"#,
        r#""domains":[{"id":1,"bypass":false,"endpoints":[256],"mappings":2,"software":0,"bytes":8192}],"#,
        r#""legs":[{"name":"type1 group 3","mappings":2,"host_mappings":null,"quarantined":false}],"#,
        r#""requests":[{"kind":"map","ok":2,"failed":0}],"faults":0,"host_calls":2}"#,
    );
    assert_eq!(serde_json::to_string(&report()).unwrap(), expected);
    assert_eq!(serde_json::from_str::<ViommuReport>(expected).unwrap(), report());
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
        ("REQUEST", "OK", "2"),
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
