//! A small reader of device tree blobs, written against the format and not against the writer.

use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Node {
    pub name: String,
    pub properties: BTreeMap<String, Vec<u8>>,
    pub children: Vec<Node>,
}

impl Node {
    /// The child at this path from here.
    pub fn at(&self, path: &str) -> &Node {
        self.find(path).unwrap_or_else(|| panic!("no node {path}"))
    }

    pub fn find(&self, path: &str) -> Option<&Node> {
        path.split('/').try_fold(self, |node, name| node.children.iter().find(|child| child.name == name))
    }

    pub fn cells(&self, property: &str) -> Vec<u32> {
        let bytes = self.bytes(property);
        bytes.chunks(4).map(|cell| u32::from_be_bytes(cell.try_into().unwrap())).collect()
    }

    pub fn longs(&self, property: &str) -> Vec<u64> {
        let bytes = self.bytes(property);
        bytes.chunks(8).map(|cell| u64::from_be_bytes(cell.try_into().unwrap())).collect()
    }

    pub fn texts(&self, property: &str) -> Vec<String> {
        let text = std::str::from_utf8(self.bytes(property)).unwrap();
        text.strip_suffix('\0').unwrap().split('\0').map(String::from).collect()
    }

    pub fn has(&self, property: &str) -> bool {
        self.properties.contains_key(property)
    }

    fn bytes(&self, property: &str) -> &[u8] {
        self.properties.get(property).unwrap_or_else(|| panic!("{} has no {property}", self.name))
    }
}

/// The root of a blob.
pub fn read(blob: &[u8]) -> Node {
    assert_eq!(word(blob, 0), 0xd00d_feed);
    assert_eq!(word(blob, 4) as usize, blob.len());
    let strings = &blob[word(blob, 12) as usize..];
    let mut at = word(blob, 8) as usize;
    let mut open: Vec<Node> = vec![Node::default()];
    loop {
        let token = word(blob, at);
        at += 4;
        match token {
            1 => {
                let name = text(&blob[at..]);
                at += (name.len() + 1).next_multiple_of(4);
                open.push(Node { name, ..Node::default() });
            }
            2 => {
                let done = open.pop().unwrap();
                open.last_mut().unwrap().children.push(done);
            }
            3 => {
                let (len, name) = (word(blob, at) as usize, word(blob, at + 4) as usize);
                let value = blob[at + 8..at + 8 + len].to_vec();
                let old = open.last_mut().unwrap().properties.insert(text(&strings[name..]), value);
                assert!(old.is_none(), "a property twice");
                at += 8 + len.next_multiple_of(4);
            }
            4 => {}
            9 => break,
            other => panic!("token {other}"),
        }
    }
    let mut top = open.pop().unwrap();
    assert!(open.is_empty() && top.children.len() == 1);
    top.children.remove(0)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap();
    std::str::from_utf8(&bytes[..end]).unwrap().to_owned()
}
