//! The naive model: lists, searched from end to end, that follow from what the domain *answered*.

use data_model::Span;

use super::super::*;
use super::ops::{Op, Outcome, device};
use crate::Perm;

#[derive(Clone, Debug)]
struct Mapped {
    span: Span,
    target: Target,
    perm: Perm,
}

#[derive(Clone, Debug)]
struct Page {
    iova: u64,
    phys: u64,
    users: Vec<DeviceId>,
}

pub struct Oracle {
    config: Config,
    mapped: Vec<Mapped>,
    pages: Vec<Page>,
    attached: Vec<DeviceId>,
}

impl Oracle {
    pub fn new(config: &Config) -> Oracle {
        Oracle { config: config.clone(), mapped: vec![], pages: vec![], attached: vec![] }
    }

    /// Follows one operation and its outcome.
    pub fn follow(&mut self, op: &Op, outcome: &Outcome) {
        let low = self.config.msi_page - 1;
        match (op, outcome) {
            (Op::Attach(id), Ok(_)) => self.attached.push(*id),
            (Op::Detach(id), Ok(_)) => {
                self.attached.retain(|there| there != id);
                self.pages.iter_mut().for_each(|page| page.users.retain(|user| user != id));
                self.sweep();
                if self.attached.is_empty() && matches!(self.config.personality, Personality::Type1(_)) {
                    self.mapped.clear();
                }
            }
            (Op::Map(request), Ok(_)) => {
                let span = request.span().unwrap();
                self.mapped.push(Mapped { span, target: request.target, perm: request.perm });
            }
            (Op::UnmapAll, Ok(_)) => self.mapped.clear(),
            (Op::Unmap(request), Ok(_)) if request.all => self.mapped.clear(),
            (Op::Unmap(request), Ok(_)) => {
                let span = Span::from_len(request.iova, request.len).unwrap();
                self.mapped.retain(|there| !span.covers(&there.span));
            }
            (Op::Unmap(request), Err(Failure { reason: Reason::Bisects { slot, removed }, .. }))
                if *removed > 0 =>
            {
                self.mapped
                    .retain(|there| there.span.start() < request.iova || there.span.last() >= slot.start());
            }
            (Op::Prepare(id, phys), Ok(iova))
                if self.attached.contains(id) && self.config.policy.translates() =>
            {
                let (iova, phys) = (iova[0] & !low, phys & !low);
                let there = self.pages.iter().position(|page| page.iova == iova);
                let at = there.unwrap_or_else(|| {
                    self.pages.push(Page { iova, phys, users: vec![] });
                    self.pages.len() - 1
                });
                if !self.pages[at].users.contains(id) {
                    self.pages[at].users.push(*id);
                }
            }
            (Op::Release(id, phys), Ok(_)) => {
                let of = |page: &&mut Page| page.phys == phys & !low;
                self.pages.iter_mut().filter(of).for_each(|page| page.users.retain(|user| user != id));
                self.sweep();
            }
            _ => {}
        }
    }

    fn sweep(&mut self) {
        if self.config.reclaim {
            self.pages.retain(|page| !page.users.is_empty());
        }
    }

    /// How many devices use the page at `iova`; `None` when there is none.
    pub fn users(&self, iova: u64) -> Option<usize> {
        self.pages.iter().find(|page| page.iova == iova).map(|page| page.users.len())
    }

    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    pub fn mappings(&self) -> usize {
        self.mapped.len()
    }

    /// Where an access ends up; `None` for nowhere.
    pub fn translate(&self, id: DeviceId, iova: u64, access: Access) -> Option<Translation> {
        if !self.attached.contains(&id) {
            return None;
        }
        let mut found = Vec::new();
        if let MsiPolicy::Hw { regions } = &self.config.policy {
            let hit = regions.iter().any(|region| region.contains(iova));
            found.extend(hit.then_some((Perm::WRITE, Translation::Doorbell { phys: iova })));
        }
        for there in self.mapped.iter().filter(|there| there.span.contains(iova)) {
            let into = iova - there.span.start();
            let target = match there.target {
                Target::Ram { backing, offset } => Target::Ram { backing, offset: offset + into },
                Target::Mmio { phys } => Target::Mmio { phys: phys + into },
            };
            found.push((there.perm, Translation::Slot(target)));
        }
        let reads = matches!(
            self.config.personality,
            Personality::Iommufd(IommufdKernel::V7_3) | Personality::IommufdCompat
        );
        for page in &self.pages {
            if (page.iova..=page.iova + (self.config.msi_page - 1)).contains(&iova) {
                let perm = Perm { read: reads, write: true };
                found.push((perm, Translation::Doorbell { phys: page.phys + (iova - page.iova) }));
            }
        }
        assert!(found.len() <= 1, "two things at {iova:#x}: {found:?}");
        let (perm, to) = found.pop()?;
        let permitted = match access {
            Access::Read => perm.read,
            Access::Write => perm.write,
        };
        permitted.then_some(to)
    }

    /// Addresses worth asking for: the edges of everything.
    pub fn probes(&self) -> Vec<u64> {
        let low = self.config.msi_page - 1;
        let spans = self.mapped.iter().map(|there| there.span);
        let pages = self.pages.iter().map(|page| Span::new(page.iova, page.iova | low).unwrap());
        let edges = |span: Span| {
            [span.start(), span.last(), span.start().wrapping_sub(1), span.last().wrapping_add(1)]
        };
        spans.chain(pages).flat_map(edges).chain([0, 0xfee0_0000, u64::MAX]).collect()
    }

    /// What the devices and the configuration reserve for nobody else, the slow way.
    pub fn is_free_for_users(&self, policy: &MsiPolicy, iova: u64) -> bool {
        let mut regions = self.config.resv.clone();
        let mut free = self.config.aperture.contains(iova);
        for id in &self.attached {
            free &= device(*id).aperture.contains(iova);
            regions.extend(device(*id).resv);
        }
        let blocked =
            regions.iter().any(|(span, kind)| *kind != ResvKind::DirectRelaxable && span.contains(iova));
        free && !blocked && !policy.kept().iter().any(|span| span.contains(iova))
    }
}
