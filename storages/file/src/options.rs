//! What stands under `options:` of a file storage.

use std::path::PathBuf;

use conserver_core::config::coerce;
use schemars::JsonSchema;
use serde::Deserialize;

/// Options of a file storage. All have defaults.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FileOptions {
    /// The folder that everything lies in; it is made when first needed. Default `/data/vcons`.
    pub path: PathBuf,

    /// Whether each day of `created_at` has a folder of its own, `2026/01/05`. Without it, and for vCons whose
    /// `created_at` is missing or no time, files lie in `path` itself. Default `true`.
    #[serde(deserialize_with = "coerce::boolean")]
    #[schemars(with = "coerce::Boolean")]
    pub organize_by_date: bool,

    /// Whether files are compressed with gzip and end in `.json.gz`. Both kinds are read in any case. Default `false`.
    #[serde(deserialize_with = "coerce::boolean")]
    #[schemars(with = "coerce::Boolean")]
    pub compression: bool,

    /// The largest vCon that is kept, before compression: bytes, or a size such as `64MB`. A larger one is refused for
    /// good. Default 10485760.
    #[serde(deserialize_with = "coerce::size")]
    #[schemars(with = "coerce::Size")]
    pub max_file_size: u64,

    /// Permissions of new files: octal, `0644`. Default `0644`.
    #[serde(deserialize_with = "coerce::file_mode")]
    #[schemars(with = "coerce::FileMode")]
    pub file_permissions: u32,

    /// Permissions of new folders: octal, `0755`. Folders that exist are left alone. Default `0755`.
    #[serde(deserialize_with = "coerce::file_mode")]
    #[schemars(with = "coerce::FileMode")]
    pub dir_permissions: u32,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/data/vcons"),
            organize_by_date: true,
            compression: false,
            max_file_size: 10 * 1024 * 1024,
            file_permissions: 0o644,
            dir_permissions: 0o755,
        }
    }
}

impl FileOptions {
    /// What is wrong with options that parsed.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.path.as_os_str().is_empty() {
            problems.push("`path` is empty; name a folder, such as `/data/vcons`".to_owned());
        }
        if self.max_file_size == 0 {
            problems.push("`max_file_size` is 0, so every vCon would be refused".to_owned());
        }
        if self.file_permissions & 0o600 != 0o600 {
            let mode = self.file_permissions;
            problems.push(format!("`file_permissions` {mode:04o} keep the owner from reading or writing"));
        }
        if self.dir_permissions & 0o700 != 0o700 {
            let mode = self.dir_permissions;
            problems.push(format!("`dir_permissions` {mode:04o} keep the owner from entering or writing"));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_options_are_the_python_servers_defaults() {
        let options: FileOptions = serde_json::from_str("{}").unwrap();
        assert_eq!(options.path, PathBuf::from("/data/vcons"));
        assert!(options.organize_by_date && !options.compression);
        assert_eq!(options.max_file_size, 10_485_760);
        assert_eq!((options.file_permissions, options.dir_permissions), (0o644, 0o755));
    }

    #[test]
    fn permissions_are_octal_however_they_are_written() {
        for text in [
            r#"{"file_permissions": 420}"#,
            r#"{"file_permissions": "0o644"}"#,
            r#"{"file_permissions": "644"}"#,
        ] {
            let options: FileOptions = serde_json::from_str(text).unwrap();
            assert_eq!(options.file_permissions, 0o644, "{text}");
        }
    }

    #[test]
    fn options_that_cannot_work_are_told() {
        let options = FileOptions {
            path: PathBuf::new(),
            max_file_size: 0,
            file_permissions: 0o444,
            dir_permissions: 0o600,
            ..FileOptions::default()
        };
        assert_eq!(options.problems().len(), 4);
        assert!(FileOptions::default().problems().is_empty());
    }
}
