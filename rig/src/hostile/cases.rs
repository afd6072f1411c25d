//! Requests that a driver should not make, each with the answer that the books give; and chains that are none.

use anyhow::Result;
use suites::chains::bytes;
use virtio_iommu_spec::{
    ATTACH_F_BYPASS, ATTACH_SIZE, MAP_F_READ, MAP_F_WRITE, MAP_SIZE, PROBE_SIZE, Request, Status, TAIL_SIZE,
    UNMAP_SIZE,
};

use super::driver::Driver;

const RW: u32 = MAP_F_READ | MAP_F_WRITE;
/// The domain of these cases.
const DOMAIN: u32 = 1;

/// Each case once; their number.
pub fn run(driver: &mut Driver) -> Result<usize> {
    let requests = requests(driver);
    for request in &requests {
        driver.settle(request)?;
    }
    let whole = requests.len();
    let pieces = pieces(driver)?;
    let astray = astray(driver)?;
    driver.start()?;
    Ok(whole + pieces + astray)
}

fn map(virt_start: u64, virt_end: u64, phys_start: u64, flags: u32) -> Request {
    Request::Map { domain: DOMAIN, virt_start, virt_end, phys_start, flags }
}

fn unmap(virt_start: u64, virt_end: u64) -> Request {
    Request::Unmap { domain: DOMAIN, virt_start, virt_end, reserved: 0 }
}

fn attach(domain: u32, endpoint: u32, flags: u32, reserved: u32) -> Request {
    Request::Attach { domain, endpoint, flags, reserved }
}

/// In this order: later ones build upon earlier ones.
fn requests(driver: &Driver) -> Vec<Request> {
    let oracle = &driver.oracle;
    let (page, ram) = (oracle.granule, driver.base);
    let endpoint = oracle.endpoints.first().map_or(0, |endpoint| endpoint.id);
    let reserved = oracle.endpoints.first().into_iter().flat_map(|endpoint| &endpoint.reserved);
    [
        attaches(endpoint, map(0, page - 1, ram, RW)),
        ranges(page, oracle.input, ram),
        targets_and_flags(page, ram),
        unmaps(page, ram),
        strangers(endpoint),
        reserved.flat_map(|region| around(page, *region, ram)).collect(),
        ends(endpoint, page, ram),
    ]
    .concat()
}

/// `wish` before there is a domain, then all ways to ask for one, the last of them refused.
fn attaches(endpoint: u32, wish: Request) -> Vec<Request> {
    vec![
        wish,
        unmap(0, u64::MAX),
        Request::Detach { domain: DOMAIN, endpoint },
        attach(DOMAIN, 0xffff_ffff, 0, 0),
        attach(DOMAIN, endpoint, 2, 0),
        attach(DOMAIN, endpoint, u32::MAX, 0),
        attach(DOMAIN, endpoint, 0, 1),
        attach(DOMAIN, endpoint, 0, 0),
        attach(DOMAIN, endpoint, 0, 0),
        attach(DOMAIN, endpoint, ATTACH_F_BYPASS, 0),
    ]
}

/// Reversed, all there is, the ends of the space, not on pages.
fn ranges(page: u64, (first, last): (u64, u64), ram: u64) -> Vec<Request> {
    vec![
        map(page, page - 1, ram, RW),
        map(u64::MAX, 0, ram, RW),
        map(0, u64::MAX, 0, RW),
        map(0, u64::MAX, ram, RW),
        map(first, last, ram, RW),
        map(last - page + 1, last, ram, RW),
        map(last - page + 1, last, ram, RW),
        map(last.wrapping_add(1), last.wrapping_add(page), ram, RW),
        map(u64::MAX - page + 1, u64::MAX, ram, RW),
        map(first, first + page - 1, ram, RW),
        map(first + 1, first + page, ram, RW),
        map(first, first + page - 2, ram, RW),
        map(first + page, first + 2 * page - 1, ram + 1, RW),
    ]
}

/// Targets that are no memory or leave it, and flags that nobody defined.
fn targets_and_flags(page: u64, ram: u64) -> Vec<Request> {
    let at = |number: u64, phys_start, flags| map(number * page, (number + 1) * page - 1, phys_start, flags);
    vec![
        at(0x10, u64::MAX - page + 1, RW),
        map(0x10 * page, 0x12 * page - 1, u64::MAX - page + 1, RW),
        at(0x10, 1 << 50, RW),
        at(0x20, ram, 0),
        at(0x21, ram, MAP_F_READ),
        at(0x22, ram, MAP_F_WRITE),
        at(0x23, ram, 8 | RW),
        at(0x23, ram, u32::MAX),
    ]
}

/// A mapping of several pages is not cut.
fn unmaps(page: u64, ram: u64) -> Vec<Request> {
    vec![
        map(0x30 * page, 0x38 * page - 1, ram, RW),
        map(0x37 * page, 0x39 * page - 1, ram, RW),
        unmap(0x30 * page, 0x31 * page - 1),
        unmap(0x34 * page, u64::MAX),
        unmap(0x38 * page - 1, 0x38 * page - 1),
        unmap(0x38 * page, 0x30 * page),
        Request::Unmap { domain: DOMAIN, virt_start: 0, virt_end: u64::MAX, reserved: 1 },
    ]
}

/// Domains and endpoints that are not there.
fn strangers(endpoint: u32) -> Vec<Request> {
    vec![
        Request::Unmap { domain: 77, virt_start: 0, virt_end: u64::MAX, reserved: 0 },
        Request::Detach { domain: 77, endpoint },
        Request::Detach { domain: DOMAIN, endpoint: 0xffff },
        Request::Probe { endpoint },
        Request::Probe { endpoint: u32::MAX },
    ]
}

/// All of a reserved region, and pages before, across and behind its ends.
fn around(page: u64, (first, last): (u64, u64), ram: u64) -> [Request; 4] {
    [
        map(first, last, ram, RW),
        map(first - page, first - 1, ram, RW),
        map(first - page, first + page - 1, ram, RW),
        map(last + 1, last + page, ram, RW),
    ]
}

/// Everything away, twice; then domains at the ends of the numbers, the last of them bypassed.
fn ends(endpoint: u32, page: u64, ram: u64) -> Vec<Request> {
    let everything = unmap(0, u64::MAX);
    let leave = Request::Detach { domain: DOMAIN, endpoint };
    vec![
        everything,
        everything,
        leave,
        leave,
        attach(u32::MAX, endpoint, ATTACH_F_BYPASS, 0),
        Request::Map { domain: u32::MAX, virt_start: 0, virt_end: page - 1, phys_start: ram, flags: RW },
        Request::Unmap { domain: u32::MAX, virt_start: 0, virt_end: u64::MAX, reserved: 0 },
        attach(0, endpoint, 0, 0),
        Request::Detach { domain: 0, endpoint },
    ]
}

/// The same requests in buffers as odd as the ring allows.
fn pieces(driver: &mut Driver) -> Result<usize> {
    let endpoint = driver.oracle.endpoints.first().map_or(0, |endpoint| endpoint.id);
    let (page, ram) = (driver.oracle.granule, driver.base);
    let mut count = 0;
    for sizes in [(1, 1), (3, 2), (5, 4), (17, 1), (72, 64)] {
        let requests = [attach(DOMAIN, endpoint, 0, 0), map(page, 2 * page - 1, ram, RW), unmap(0, u64::MAX)];
        let asked: Vec<_> = requests.iter().map(|request| driver.ask_in_pieces(request, sizes)).collect();
        count += asked.len();
        driver.finish(asked)?;
    }
    let probe = driver.ask_in_pieces(&Request::Probe { endpoint }, (7, 16));
    driver.finish(vec![probe])?;
    driver.settle(&Request::Detach { domain: DOMAIN, endpoint })?;
    Ok(count + 2)
}

/// What is no request, or has no room for its answer: it comes back unwritten, and nothing has happened.
fn astray(driver: &mut Driver) -> Result<usize> {
    let endpoint = driver.oracle.endpoints.first().map_or(0, |endpoint| endpoint.id);
    let (page, ram) = (driver.oracle.granule, driver.base);
    let wish = map(page, 2 * page - 1, ram, RW);
    let good = bytes(&wish);
    let tail = TAIL_SIZE as u32;
    driver.settle(&attach(DOMAIN, endpoint, 0, 0))?;
    let mut asked = Vec::new();
    for kind in [0u8, 6, 7, 0x80, 0xff] {
        let mut other = [0; PROBE_SIZE];
        other[0] = kind;
        asked.push(driver.ask_nothing(&other, tail));
    }
    for (kind, size) in
        [(1u8, ATTACH_SIZE), (2, ATTACH_SIZE), (3, MAP_SIZE), (4, UNMAP_SIZE), (5, PROBE_SIZE)]
    {
        for len in [1, 3, 4, size - 1] {
            let mut short = vec![0; len];
            short[0] = kind;
            asked.push(driver.ask_nothing(&short, tail));
        }
    }
    asked.extend((0..tail).map(|room| driver.ask_nothing(&good, room)));
    asked.push(driver.ask_nothing(&bytes(&Request::Probe { endpoint }), tail));
    let count = asked.len();
    driver.finish(asked)?;
    let buffer = driver.requests.buffer(64);
    let size = MAP_SIZE as u32;
    let nowhere = [1 << 50, u64::MAX - 7, 1 << 63];
    let mut more = Vec::new();
    for at in nowhere {
        more.push(driver.ask_astray(&[(at, size, false), (buffer, tail, true)]));
        more.push(driver.ask_astray(&[(buffer, size, false), (at, tail, true)]));
    }
    more.push(driver.ask_astray(&[(buffer, tail, true), (buffer, size, false)]));
    let count = count + more.len();
    driver.finish(more)?;
    // Had one of them been carried out, the page would be there and this refused.
    let asked = driver.ask(&wish);
    driver.finish(vec![asked])?;
    Ok(count)
}

/// What the books say of a page that a malformed chain asked for.
pub fn page_four(driver: &Driver) -> Request {
    let page = driver.oracle.granule;
    map(4 * page, 5 * page - 1, driver.base, RW)
}

/// The status with which a request that was carried out once is refused the second time.
pub const TAKEN: Status = Status::Inval;
