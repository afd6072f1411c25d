//! Sums, floors and what does not count.

use std::path::Path;

use super::Table;

fn table(files: &[(&str, u64, u64)]) -> Table {
    let file = |(name, count, covered): &(&str, u64, u64)| {
        format!(
            r#"{{"filename":"/tree/{name}","summary":{{"lines":{{"count":{count},"covered":{covered}}}}}}}"#
        )
    };
    let files: Vec<String> = files.iter().map(file).collect();
    let report = format!(r#"{{"data":[{{"files":[{}]}}]}}"#, files.join(","));
    Table::parse(&report, Path::new("/tree")).unwrap()
}

const GOOD: [(&str, u64, u64); 5] = [
    ("crates/virtio_iommu_spec/src/lib.rs", 10, 10),
    ("crates/iommu_domain/src/a.rs", 50, 47),
    ("crates/iommu_domain/src/iommu/b.rs", 50, 50),
    ("crates/devices/src/virtio/iommu/c.rs", 100, 95),
    ("crates/devices/src/pci/d.rs", 100, 1),
];

fn low(table: &Table) -> Vec<String> {
    table.below().iter().map(ToString::to_string).collect()
}

#[test]
fn folders_with_a_floor_are_summed_up_and_others_have_none() {
    let table = table(&GOOD);
    assert_eq!(low(&table), [""; 0]);
    assert!(table.markdown().contains("| `crates/iommu_domain/src` | 100 | 97.0 % | 97 % |"));
    assert!(table.markdown().contains("| `crates/devices/src/pci` | 100 | 1.0 % |  |"));
    assert!(
        table
            .line()
            .starts_with("cover: crates/virtio_iommu_spec/src 100.0 %, crates/iommu_domain/src 97.0 %")
    );
}

#[test]
fn one_line_too_few_is_below_and_a_folder_without_lines_too() {
    let mut files = GOOD;
    files[1].2 -= 1;
    files[0].0 = "crates/virtio_iommu_spec/src/tests.rs";
    let expected = [
        "crates/virtio_iommu_spec/src: 0 of 0 lines, wanted 100 %",
        "crates/iommu_domain/src: 96 of 100 lines, wanted 97 %",
    ];
    assert_eq!(low(&table(&files)), expected);
}

#[test]
fn all_but_one_of_many_lines_is_not_100_percent() {
    let mut files = GOOD;
    files[0] = ("crates/virtio_iommu_spec/src/lib.rs", 10_000, 9_999);
    let table = table(&files);
    assert!(table.line().contains("src 99.9 %"), "{}", table.line());
    assert_eq!(low(&table).len(), 1);
}
