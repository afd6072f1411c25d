//! Where an access of an endpoint goes: for emulated devices and for the addresses of interrupt messages.

use data_model::{Gpa, Span};

use super::Iommu;
use crate::{EndpointId, Perm, TranslateFault};

impl Iommu {
    /// Translates one address of an access that needs `need`.
    pub fn translate(&self, endpoint: EndpointId, iova: u64, need: Perm) -> Result<Gpa, TranslateFault> {
        let known = self.endpoints.get(&endpoint).ok_or(TranslateFault::NoDomain)?;
        let domain = known.domain.and_then(|id| self.domains.get(&id));
        let bypass = domain.map_or(self.bypass, |domain| domain.bypass);
        match domain {
            _ if bypass => Ok(Gpa(iova)),
            None => Err(TranslateFault::NoDomain),
            Some(domain) => {
                let mapping = domain.table.get(iova).ok_or(TranslateFault::NoMapping(iova))?;
                if !mapping.perm.allows(need) {
                    return Err(TranslateFault::Forbidden { address: iova, allowed: mapping.perm });
                }
                Ok(Gpa(mapping.phys + (iova - mapping.iova.start())))
            }
        }
    }

    /// Translates a message of `endpoint` to its doorbell: a write of four bytes. `untranslated` is the region where
    /// doorbells need no mapping, if there is one.
    pub fn translate_msi(
        &self,
        endpoint: EndpointId,
        address: u64,
        untranslated: Option<Span>,
    ) -> Result<Gpa, TranslateFault> {
        match untranslated {
            Some(region) if region.contains(address) => Ok(Gpa(address)),
            _ => self.translate(endpoint, address, Perm::WRITE),
        }
    }
}
