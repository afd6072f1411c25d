//! A mixed domain: what it holds, and what can be read off it.

use std::collections::BTreeMap;

use data_model::Span;

use super::{
    Config, ConfigError, Device, DeviceId, Errno, Failure, IommufdContext, MsiPolicy, Pages, Reason,
    ResvRegion, Rules, Slots, pages::page_span,
};

/// All that changes. Two domains of one configuration with equal states behave alike for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The user's slots.
    pub slots: Slots,
    /// The doorbell pages.
    pub pages: Pages,
    /// The devices.
    pub attached: BTreeMap<DeviceId, Device>,
    /// The configuration's policy, with the window that was chosen last.
    pub policy: MsiPolicy,
    /// The window stands: a device was here, or the ranges were published.
    pub standing: bool,
}

/// One address space in which the user's slots and the domain's doorbell pages live together.
pub struct MixedDomain {
    pub(super) config: Config,
    pub(super) rules: Rules,
    pub(super) context: IommufdContext,
    pub(super) state: State,
    pub(super) generation: u64,
}

impl MixedDomain {
    /// An empty domain, in a context of its own.
    pub fn new(config: Config) -> Result<MixedDomain, ConfigError> {
        MixedDomain::in_context(config, &IommufdContext::new())
    }

    /// An empty domain that shares its context's doorbells ([`MsiPolicy::FixedIommufd`]; no other policy looks).
    pub fn in_context(config: Config, context: &IommufdContext) -> Result<MixedDomain, ConfigError> {
        config.check()?;
        Ok(MixedDomain::assemble(config, context))
    }

    /// A domain over all addresses in which nothing is reserved and interrupt writes are not translated.
    pub fn open() -> MixedDomain {
        MixedDomain::assemble(Config::open(), &IommufdContext::new())
    }

    fn assemble(config: Config, context: &IommufdContext) -> MixedDomain {
        let state = State {
            slots: Slots::default(),
            pages: Pages::default(),
            attached: BTreeMap::new(),
            policy: config.policy.clone(),
            standing: false,
        };
        let rules = Rules::of(config.personality);
        MixedDomain { config, rules, context: context.clone(), state, generation: 0 }
    }

    /// What the domain was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What it holds.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Grows with each visible change, so that whoever mirrors the domain can tell that it is behind.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What may be mapped, by rising IOVA: the aperture without reserved regions and without a window that is kept.
    /// Slots do not shorten it, and neither do the pages that the letter's policies put into holes.
    pub fn ranges(&self) -> Vec<Span> {
        let mut free: Vec<Span> = self.aperture().into_iter().collect();
        let regions = self.regions().filter(|region| region.kind.blocks_slots()).map(|region| region.span);
        for hole in regions.chain(self.state.policy.kept().iter().copied()) {
            free = subtract(&free, hole);
        }
        free
    }

    /// The ranges, for good: from now on only an attachment can take something away, and it says what.
    pub fn publish(&mut self) -> Vec<Span> {
        if !std::mem::replace(&mut self.state.standing, true) {
            self.changed();
        }
        self.ranges()
    }

    /// What configuration and devices can all address; never nothing, since an attachment that would leave nothing is
    /// refused.
    pub(super) fn aperture(&self) -> Option<Span> {
        let mut of_devices = self.state.attached.values().map(|device| device.aperture);
        of_devices.try_fold(self.config.aperture, |common, span| common.intersection(&span))
    }

    /// All reserved regions.
    pub(super) fn regions(&self) -> impl Iterator<Item = ResvRegion> + '_ {
        self.config.regions().chain(self.state.attached.values().flat_map(Device::regions))
    }

    /// The doorbell page in the way of `span`.
    pub(super) fn page_in(&self, span: Span) -> Option<u64> {
        self.state.pages.overlapping(span, self.config.msi_page).map(|(iova, _)| iova)
    }

    /// The addresses of the page at `iova`.
    pub(super) fn page_span(&self, iova: u64) -> Span {
        page_span(iova, self.config.msi_page)
    }

    pub(super) fn device(&self, id: DeviceId) -> Result<&Device, Failure> {
        self.state.attached.get(&id).ok_or(Failure::new(Errno::NoEnt, Reason::NotAttached(id)))
    }

    pub(super) fn changed(&mut self) {
        self.generation += 1;
    }
}

/// What is left of `spans` without `hole`.
pub(super) fn subtract(spans: &[Span], hole: Span) -> Vec<Span> {
    let parts = |span: &Span| {
        let (below, above) = span.without(&hole);
        [below, above].into_iter().flatten()
    };
    spans.iter().flat_map(parts).collect()
}
