//! Why a request was not carried out: a [`Refusal`] is a value for the guest, a [`HostFailure`] an error of the host.

use std::io;

use base::CallId;
use data_model::Span;
use thiserror::Error;

use crate::{DomainId, EndpointId, Perm};

/// Why a request was refused. Nothing changed, except where [`Refusal::Host`] says so.
#[derive(Debug, Error)]
pub enum Refusal {
    /// No such endpoint.
    #[error("endpoint {0:#x} does not exist")]
    NoEndpoint(EndpointId),
    /// No such domain.
    #[error("domain {0} does not exist")]
    NoDomain(DomainId),
    /// The endpoint is not in that domain.
    #[error("endpoint {endpoint:#x} is not in domain {domain}")]
    NotInDomain {
        /// The endpoint named.
        endpoint: EndpointId,
        /// The domain named.
        domain: DomainId,
    },
    /// The domain exists and is of the other kind, bypass or translating.
    #[error("domain {0} exists with another bypass flag")]
    BypassMismatch(DomainId),
    /// Guest RAM lies outside the input range in part, so there is no bypass.
    #[error("guest RAM is not all in the input range, so nothing can bypass translation")]
    NoBypass,
    /// A bypass domain has no mappings.
    #[error("domain {0} bypasses translation")]
    BypassDomain(DomainId),
    /// Another endpoint of the same host group is in a domain that this one neither goes to nor comes from.
    #[error("endpoint {endpoint:#x} shares a host group with one that is in domain {domain}")]
    GroupElsewhere {
        /// The endpoint named.
        endpoint: EndpointId,
        /// Where the other is.
        domain: DomainId,
    },
    /// The domain maps what is reserved for this endpoint.
    #[error("domain {domain} maps {mapped}, which endpoint {endpoint:#x} must keep free ({reserved})")]
    Incompatible {
        /// The endpoint named.
        endpoint: EndpointId,
        /// The domain named.
        domain: DomainId,
        /// The mapping in the way.
        mapped: Span,
        /// The reserved region.
        reserved: Span,
    },
    /// The range is not inside the input range.
    #[error("{span} is not inside the input range {input}")]
    OutOfRange {
        /// What was asked for.
        span: Span,
        /// What endpoints can address.
        input: Span,
    },
    /// Not a multiple of the granule.
    #[error("{address:#x} is not aligned to {granule:#x}")]
    Misaligned {
        /// Start, end or target.
        address: u64,
        /// Alignment needed, in bytes.
        granule: u64,
    },
    /// The range touches a reserved region.
    #[error("{span} overlaps the reserved region {reserved}")]
    Reserved {
        /// What was asked for.
        span: Span,
        /// What is in the way.
        reserved: Span,
    },
    /// The range touches a mapping.
    #[error("{span} overlaps the mapping {mapped}")]
    Overlap {
        /// What was asked for.
        span: Span,
        /// What is in the way.
        mapped: Span,
    },
    /// The range covers a part of a mapping only.
    #[error("{span} would split the mapping {mapped}")]
    Split {
        /// What was asked for.
        span: Span,
        /// The mapping that it cuts.
        mapped: Span,
    },
    /// The target is neither guest RAM nor a device's memory, or it crosses from one to another.
    #[error("guest-physical {phys:#x} (for {span}) is no memory")]
    NotMemory {
        /// Where it should have gone.
        phys: u64,
        /// What was asked for.
        span: Span,
    },
    /// More guest RAM than one device's share of what the host lets be locked.
    #[error(
        "domain {domain} would keep more than {cap:#x} bytes of guest RAM locked, which is each device's share"
    )]
    Locked {
        /// The domain named.
        domain: DomainId,
        /// The share in bytes.
        cap: u64,
    },
    /// A cap is reached.
    #[error("no more than {cap} {what}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many are allowed.
        cap: usize,
    },
    /// The host failed. The request was undone; what could not be undone is quarantined.
    #[error(transparent)]
    Host(#[from] HostFailure),
}

/// A system call that failed on behalf of endpoints.
#[derive(Debug, Error)]
#[error("{leg}: {call:?} of {span} failed: {source}{}", if *quarantined { "; the device is blocked" } else { "" })]
pub struct HostFailure {
    /// Name of the leg, `type1 group 3`.
    pub leg: String,
    /// Endpoints behind the leg.
    pub endpoints: Vec<EndpointId>,
    /// Which call.
    pub call: CallId,
    /// Which range; the whole space where the call takes none.
    pub span: Span,
    /// The kernel's answer.
    pub source: io::Error,
    /// The leg could not be brought back to its table: it is empty now, and its devices were reset.
    pub quarantined: bool,
}

impl HostFailure {
    /// Whether the host ran out of something (ENOMEM: memory or lock limit; ENOSPC: mappings), as opposed to failing.
    pub fn is_exhausted(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::StorageFull)
    }
}

/// Why an access of an endpoint goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TranslateFault {
    /// The endpoint is in no domain, and nothing lets it bypass.
    #[error("endpoint is in no domain")]
    NoDomain,
    /// No mapping there.
    #[error("no mapping at {0:#x}")]
    NoMapping(u64),
    /// The mapping forbids it.
    #[error("mapping at {address:#x} permits {allowed}")]
    Forbidden {
        /// The access.
        address: u64,
        /// What the mapping permits.
        allowed: Perm,
    },
    /// In a reserved region that is no doorbell.
    #[error("{0:#x} is reserved")]
    Reserved(u64),
}
