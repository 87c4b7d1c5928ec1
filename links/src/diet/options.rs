//! What stands under `options:` of a diet.

use std::time::Duration;

use conserver_core::config::coerce;
use conserver_core::{Error, ErrorKind, Result, Secret};
use conserver_http::Address;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Options of a diet.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DietOptions {
    /// Whether the `body` of each dialog is emptied. Default `false`.
    #[serde(deserialize_with = "coerce::boolean")]
    #[schemars(with = "coerce::Boolean")]
    pub remove_dialog_body: bool,

    /// Where the bodies are put first, an HTTP store: a URL. What it answers takes the place of the body. Default: nowhere.
    #[serde(deserialize_with = "address")]
    #[schemars(with = "Option<String>")]
    pub post_media_to_url: Option<Address>,

    /// How long the store may take for one body. Default `30s`.
    #[serde(deserialize_with = "coerce::duration")]
    #[schemars(with = "coerce::DurationText")]
    pub post_media_timeout: Duration,

    /// Whether all of `analysis` is removed. Default `false`.
    #[serde(deserialize_with = "coerce::boolean")]
    #[schemars(with = "coerce::Boolean")]
    pub remove_analysis: bool,

    /// Attachments to remove: those whose media type or purpose is one of these. Default: none.
    #[serde(deserialize_with = "coerce::one_or_many")]
    #[schemars(with = "coerce::OneOrMany<String>")]
    pub remove_attachment_types: Vec<String>,

    /// Whether members named `system_prompt` are removed, at any depth. Default `false`.
    #[serde(deserialize_with = "coerce::boolean")]
    #[schemars(with = "coerce::Boolean")]
    pub remove_system_prompts: bool,

    /// The bucket of an S3 store to put the bodies in first. This build cannot do that yet, and refuses the option rather
    /// than lose a body. Default: none.
    #[serde(deserialize_with = "text")]
    #[schemars(with = "Option<coerce::Text>")]
    pub s3_bucket: String,

    /// What keys in the bucket begin with. Default: nothing.
    #[serde(deserialize_with = "text")]
    #[schemars(with = "Option<coerce::Text>")]
    pub s3_path: String,

    /// The key to the bucket. Default: none.
    pub aws_access_key_id: Option<Secret>,

    /// The secret of the key to the bucket. Default: none.
    pub aws_secret_access_key: Option<Secret>,

    /// The region of the bucket. Default `us-east-1`.
    #[serde(deserialize_with = "coerce::text")]
    #[schemars(with = "coerce::Text")]
    pub aws_region: String,

    /// How many seconds a link to a body in the bucket is good for. Default 3600.
    #[serde(deserialize_with = "coerce::opt_integer")]
    #[schemars(with = "Option<coerce::Integer<u64>>")]
    pub presigned_url_expiration: Option<u64>,
}

impl Default for DietOptions {
    fn default() -> Self {
        Self {
            remove_dialog_body: false,
            post_media_to_url: None,
            post_media_timeout: Duration::from_secs(30),
            remove_analysis: false,
            remove_attachment_types: Vec::new(),
            remove_system_prompts: false,
            s3_bucket: String::new(),
            s3_path: String::new(),
            aws_access_key_id: None,
            aws_secret_access_key: None,
            aws_region: "us-east-1".to_owned(),
            presigned_url_expiration: None,
        }
    }
}

impl DietOptions {
    /// What is wrong with options that parsed.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.offload_problem().into_iter().collect();
        let removes = self.remove_dialog_body || self.remove_analysis || self.remove_system_prompts;
        if !removes && self.remove_attachment_types.is_empty() {
            problems.push("no `remove_…` option is set, so the link does nothing".to_owned());
        }
        if self.post_media_to_url.is_some() && !self.remove_dialog_body {
            problems
                .push("`post_media_to_url` is without effect unless `remove_dialog_body` is set".to_owned());
        }
        if self.post_media_timeout.is_zero() {
            problems
                .push("`post_media_timeout` is 0, so nothing could be put; the default is `30s`".to_owned());
        }
        problems
    }

    /// Whether bodies are removed for good.
    pub(super) fn empties_bodies(&self) -> bool {
        self.remove_dialog_body && self.post_media_to_url.is_none()
    }

    /// Refuses to empty bodies that were to be put elsewhere first.
    ///
    /// # Errors
    /// `invalid`, with the way out.
    pub(super) fn refuse_offload(&self) -> Result<()> {
        match self.offload_problem() {
            Some(problem) => Err(Error::new(ErrorKind::Invalid, problem)),
            None => Ok(()),
        }
    }

    fn offload_problem(&self) -> Option<String> {
        (self.remove_dialog_body && !self.s3_bucket.is_empty()).then(|| {
            "`s3_bucket` is set, and this build cannot put bodies there: they would be lost; take `s3_bucket` out to have \
             them removed, or `remove_dialog_body` to have them kept"
                .to_owned()
        })
    }
}

/// Null and an empty text are no address.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
    let text = coerce::opt_text(deserializer)?.filter(|text| !text.is_empty());
    text.map(|text| Address::parse(&text)).transpose().map_err(D::Error::custom)
}

/// Null is no text.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(coerce::opt_text(deserializer)?.unwrap_or_default())
}
