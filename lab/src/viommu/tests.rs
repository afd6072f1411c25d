//! Reading the VMM's answer and comparing its tables.

use super::Viommu;

pub(crate) const SHOWN: &str = r#"{"features":63,"input_range":{"start":0,"last":549755813887},"page_size_mask":18446744073709547520,
"bypass":false,"endpoints":[{"id":256,"bdf":"01:00.0","host":"0000:01:00.0","leg":"type1 group 3","domain":1,
"reserved":[{"start":4276092928,"last":4277141503,"kind":"msi"}]}],
"domains":[{"id":1,"bypass":false,"endpoints":[256],"mappings":7,"bytes":28672}],
"legs":[{"name":"type1 group 3","mappings":7,"host_mappings":7,"quarantined":false}],
"requests":[{"kind":"map","ok":90,"failed":0}],"faults":0,"host_calls":180,"something_new":[1]}"#;

fn shown() -> Viommu {
    serde_json::from_str(SHOWN).unwrap()
}

#[test]
fn equal_tables_have_no_difference() {
    assert_eq!(shown().endpoints[0].reserved[0].kind, "msi");
    assert!(shown().differences().is_empty());
}

#[test]
fn every_difference_is_named() {
    type Change = fn(&mut Viommu);
    let cases: [(Change, &str); 4] = [
        (|v| v.legs[0].host_mappings = Some(8), "7 mappings made, 8 in the kernel"),
        (
            |v| v.domains[0].software = 1,
            "domain 1 has 7 mappings, 1 of them in software; type1 group 3 has 7",
        ),
        (
            |v| v.domains[0].mappings = 6,
            "domain 1 has 6 mappings, 0 of them in software; type1 group 3 has 7",
        ),
        (|v| v.legs[0].quarantined = true, "quarantined"),
    ];
    for (change, expected) in cases {
        let mut viommu = shown();
        change(&mut viommu);
        let differences = viommu.differences();
        assert!(differences.len() == 1 && differences[0].contains(expected), "{differences:?}");
    }
}

#[test]
fn a_bypass_domain_and_an_uncounting_kernel_are_not_differences() {
    let mut viommu = shown();
    viommu.domains[0].bypass = true;
    viommu.domains[0].mappings = 0;
    viommu.legs[0].host_mappings = None;
    assert!(viommu.differences().is_empty());
    viommu.endpoints[0].domain = None;
    assert!(viommu.differences().is_empty());
}
