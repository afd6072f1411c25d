use super::*;

#[test]
fn an_image_without_the_copy_or_with_another_byte_is_noticed() {
    let folder = std::env::temp_dir().join(format!("lab-images-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let disk = Disk { path: folder.join("disk.img"), digest: String::new(), first_mib: String::new() };
    let pattern: Vec<u8> = (0..MIB).map(|at| (at % 251) as u8).collect();
    fs::write(disk.pattern(), &pattern).unwrap();
    make(&folder, &disk).unwrap();
    let found = failures(&folder, &disk);
    assert!(found.len() == 2 && found.iter().all(|failure| failure.contains("at 0x800000")), "{found:?}");

    let image = |name: &str| OpenOptions::new().read(true).write(true).open(folder.join(name)).unwrap();
    image("data.img").write_all_at(&pattern, COPY).unwrap();
    let access = open(image("data.qcow2"), true).unwrap();
    access.write(pattern.as_slice(), COPY).and_then(|()| access.flush()).unwrap();
    assert_eq!(failures(&folder, &disk), Vec::<String>::new());

    image("data.img").write_all_at(&[7], 0).unwrap();
    let found = failures(&folder, &disk);
    assert!(found.len() == 1 && found[0].contains("data.img does not hold the pattern at 0x0"), "{found:?}");
    fs::remove_file(folder.join("data.qcow2")).unwrap();
    assert!(failures(&folder, &disk)[1].contains("opening data.qcow2"));
    fs::remove_dir_all(folder).unwrap();
}
