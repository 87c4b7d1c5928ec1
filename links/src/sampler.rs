//! Lets a part of the vCons pass and halts the others.
//!
//! The decision follows from the id, so that a repeated run decides alike: a crash never lets a vCon pass by half. The
//! document is not loaded.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use conserver_core::config::coerce;
use conserver_core::link::{Link, LinkContext, LinkInfo, LinkOutcome};
use conserver_core::registry::{BuildContext, LinkKind};
use conserver_core::vcon::Vcon;
use conserver_core::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Options of a sampler.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SamplerOptions {
    /// How it is decided: `percentage`, `rate`, `modulo` or `time_based`. Default `percentage`.
    pub method: Method,

    /// What the method counts with: a percentage, a mean, or a divisor. Default 50.
    #[serde(deserialize_with = "coerce::number")]
    #[schemars(with = "coerce::Number")]
    pub value: f64,

    /// Which sample `percentage` and `rate` take: samplers with the same seed keep the same vCons. Default: the name of
    /// the link, so that each link takes a sample of its own.
    #[serde(deserialize_with = "coerce::opt_text")]
    #[schemars(with = "Option<coerce::Text>")]
    pub seed: Option<String>,
}

/// How a sampler decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Keeps `value` of a hundred.
    #[default]
    Percentage,
    /// Keeps the part 1 − e^(−1/`value`).
    Rate,
    /// Keeps ids whose hash `value` divides: one of `value`.
    Modulo,
    /// Keeps everything in seconds of Unix time that `value` divides, and nothing in others.
    TimeBased,
}

impl Default for SamplerOptions {
    fn default() -> Self {
        Self { method: Method::default(), value: 50.0, seed: None }
    }
}

impl SamplerOptions {
    fn problem(&self) -> Option<&'static str> {
        let divides = !matches!(self.method, Method::Percentage);
        if !self.value.is_finite() {
            Some("`value` is no number that can be counted with")
        } else if divides && self.value == 0.0 {
            Some("`value` is 0, by which `rate`, `modulo` and `time_based` cannot divide")
        } else if self.method == Method::Percentage && !(0.0..=100.0).contains(&self.value) {
            Some("`value` is a percentage, and that is between 0 and 100")
        } else {
            None
        }
    }
}

/// The registry's entry.
#[derive(Debug)]
pub struct Sampler;

impl LinkKind for Sampler {
    const NAME: &'static str = "sampler";
    const ALIASES: &'static [&'static str] = &["links.sampler"];
    type Options = SamplerOptions;

    fn check(options: &SamplerOptions) -> Vec<String> {
        options.problem().map(str::to_owned).into_iter().collect()
    }

    fn build(options: SamplerOptions, cx: &BuildContext) -> Result<Arc<dyn Link>> {
        let is_percentage = options.method == Method::Percentage;
        if let Some(problem) = options.problem().filter(|_| !is_percentage || !options.value.is_finite()) {
            return Err(Error::new(ErrorKind::Invalid, problem));
        }
        let salt = options.seed.clone().unwrap_or_else(|| cx.name.clone());
        Ok(Arc::new(SamplerLink { method: options.method, value: options.value, salt }))
    }
}

/// Samples by these options.
#[derive(Debug)]
pub struct SamplerLink {
    method: Method,
    value: f64,
    salt: String,
}

impl SamplerLink {
    fn keeps(&self, id: &str, now: u64) -> bool {
        match self.method {
            // Below 100, so that 100 keeps everything and 0 nothing.
            Method::Percentage => self.draw(id) * 100.0 < self.value,
            Method::Rate => -(1.0 - self.draw(id)).ln() * self.value <= 1.0,
            Method::Modulo => f64::from(first_word(id)) % self.value == 0.0,
            Method::TimeBased => now as f64 % self.value == 0.0,
        }
    }

    /// A number from 0 up to 1 that this id always draws from this sampler.
    fn draw(&self, id: &str) -> f64 {
        let digest = Sha256::new().chain_update(&self.salt).chain_update([0]).chain_update(id).finalize();
        let word = digest.iter().take(8).fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        // The 53 bits that a fraction can hold.
        (word >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[async_trait]
impl Link for SamplerLink {
    fn info(&self) -> LinkInfo {
        LinkInfo::default().without_document()
    }

    async fn run(&self, cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // A link before this one may have gone on with another vCon.
        let id = vcon.as_ref().map_or(&cx.id, Vcon::id);
        if self.keeps(id.as_str(), now) {
            Ok(LinkOutcome::next(vcon))
        } else {
            Ok(LinkOutcome::halt(vcon, "not in the sample"))
        }
    }
}

/// The first four bytes of the hash of an id, as the Python server takes them.
fn first_word(id: &str) -> u32 {
    Sha256::digest(id).iter().take(4).fold(0, |word, byte| word << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests;
