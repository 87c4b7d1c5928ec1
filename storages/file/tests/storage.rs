//! The storage contract, and what is peculiar to files.
#![allow(clippy::unwrap_used, reason = "the functions between tests are tests, too")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::ErrorKind;
use conserver_core::storage::Storage;
use conserver_core::vcon::{Vcon, VconId};
use conserver_storage_file::{FileOptions, FileStorage};
use conserver_testkit::json::read_view;
use conserver_testkit::storage_suite::StorageFixture;
use conserver_testkit::vcons::{Vcons, vcon};
use serde_json::json;
use tempfile::TempDir;

struct Fixture {
    folder: TempDir,
    options: FileOptions,
    storage: Arc<dyn Storage>,
}

impl Fixture {
    fn new(change: impl FnOnce(&mut FileOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = FileOptions { path: folder.path().join("archive"), ..FileOptions::default() };
        options.max_file_size = 2 << 20;
        change(&mut options);
        let storage = Arc::new(FileStorage::new(options.clone()));
        Self { folder, options, storage }
    }

    fn path(&self) -> &Path {
        &self.options.path
    }

    async fn save(&self, vcon: &Vcon) {
        self.storage.save(std::slice::from_ref(vcon)).await.pop().unwrap().unwrap();
    }

    /// All files below the archive, relative to it, its own notes aside.
    fn files(&self) -> Vec<String> {
        fn walk(folder: &Path, base: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, base, found);
                } else {
                    found.push(path.strip_prefix(base).unwrap().display().to_string());
                }
            }
        }
        let mut found = Vec::new();
        walk(self.path(), self.path(), &mut found);
        found.retain(|name| name != ".lock" && !name.starts_with(".where/"));
        found.sort();
        found
    }
}

#[async_trait]
impl StorageFixture for Fixture {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.storage)
    }

    async fn reopen(&self) -> Arc<dyn Storage> {
        Arc::new(FileStorage::new(self.options.clone()))
    }

    fn refused(&self) -> Vcon {
        vcon(&Vcons::new(99).with_audio(2 << 20))
    }

    async fn spoil(&self, id: &VconId) {
        let mut folders = vec![self.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                match entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with(id.as_str())) {
                    _ if entry.is_dir() => folders.push(entry),
                    true => fs::write(entry, "[1]").unwrap(),
                    false => {}
                }
            }
        }
    }

    async fn outage(&mut self) {
        // What a lost mount looks like is another folder or none; a file in its place fails everything, even for root.
        fs::rename(self.path(), self.folder.path().join("elsewhere")).unwrap();
        fs::write(self.path(), "no folder").unwrap();
    }
}

mod by_date {
    conserver_testkit::storage_suite!(super::Fixture::new(|_| {}));
}

mod flat {
    conserver_testkit::storage_suite!(super::Fixture::new(|options| options.organize_by_date = false));
}

mod compressed {
    conserver_testkit::storage_suite!(super::Fixture::new(|options| options.compression = true));
}

/// A call that was created at this moment.
fn call_of(created_at: &str) -> Vcon {
    let mut call = Vcons::new(1).call();
    call["created_at"] = json!(created_at);
    vcon(&call)
}

#[tokio::test]
async fn files_lie_where_the_python_server_puts_them() {
    let id = Vcons::new(1).call()["uuid"].as_str().unwrap().to_owned();
    for (created, compression, expected) in [
        ("2026-01-05T23:30:00-08:00", false, format!("2026/01/05/{id}.json")),
        ("2026-01-05T09:00:00Z", true, format!("2026/01/05/{id}.json.gz")),
        ("yesterday", false, format!("{id}.json")),
    ] {
        let fixture = Fixture::new(|options| options.compression = compression);
        fixture.save(&call_of(created)).await;
        assert_eq!(fixture.files(), [expected]);
    }
}

#[tokio::test]
async fn one_file_remains_when_date_or_form_change() {
    let mut fixture = Fixture::new(|_| {});
    fixture.save(&call_of("2024-02-29T09:00:00Z")).await;
    for (compression, organize_by_date) in [(true, true), (true, false), (false, false), (false, true)] {
        fixture.options.compression = compression;
        fixture.options.organize_by_date = organize_by_date;
        fixture.storage = fixture.reopen().await;
        let saved = call_of("2026-01-05T09:00:00Z");
        fixture.save(&saved).await;
        assert_eq!(fixture.files().len(), 1, "{:?}", fixture.files());
        let found = fixture.storage.get(saved.id()).await.unwrap().unwrap();
        assert_eq!(read_view(&found), read_view(&saved));
    }
}

#[tokio::test]
async fn files_of_the_python_server_are_found_in_every_layout() {
    let fixture = Fixture::new(|_| {});
    let mut vcons = Vcons::new(3);
    let folders = ["", "2019/07/01", "2026/01/05", "2026/11/30"];
    for folder in folders {
        for compressed in [false, true] {
            let document = vcons.legacy();
            let vcon = vcon(&document);
            let folder = fixture.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            if compressed {
                let file = fs::File::create(folder.join(format!("{}.json.gz", vcon.id()))).unwrap();
                let mut packed =
                    flate2::GzBuilder::new().filename("x").mtime(5).write(file, flate2::Compression::best());
                std::io::Write::write_all(&mut packed, document.to_string().as_bytes()).unwrap();
                packed.finish().unwrap();
            } else {
                fs::write(folder.join(format!("{}.json", vcon.id())), document.to_string()).unwrap();
            }
            let found = fixture.storage.get(vcon.id()).await.unwrap().expect("the file is found");
            assert_eq!(read_view(&found), read_view(&vcon));
        }
    }
}

#[tokio::test]
async fn an_id_with_an_unlikely_day_is_found_by_another_process() {
    let fixture = Fixture::new(|_| {});
    let mut call = Vcons::new(4).call();
    call["created_at"] = json!("2011-11-11T11:11:11Z");
    let saved = vcon(&call);
    let other = fixture.reopen().await;
    assert!(other.get(saved.id()).await.unwrap().is_none());
    fixture.save(&saved).await;
    assert!(other.get(saved.id()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_place_is_noted_only_where_the_id_does_not_suggest_it() {
    let fixture = Fixture::new(|_| {});
    let notes = || fs::read_dir(fixture.path().join(".where")).map_or(0, Iterator::count);
    for created in ["2026-01-05T09:00:00Z", "2026-01-05T23:00:00-08:00", "yesterday"] {
        fixture.save(&call_of(created)).await;
        assert_eq!(notes(), 0, "{created}");
    }
    fixture.save(&call_of("2011-11-11T11:11:11Z")).await;
    assert_eq!(notes(), 1);
    fixture.save(&call_of("2026-01-05T09:00:00Z")).await;
    assert_eq!(notes(), 0);
    fixture.save(&call_of("2011-11-11T11:11:11Z")).await;
    assert!(fixture.storage.delete(call_of("").id()).await.unwrap());
    assert_eq!(notes(), 0);
}

#[tokio::test]
async fn what_was_saved_is_read_and_not_an_older_copy_elsewhere() {
    let fixture = Fixture::new(|_| {});
    let saved = call_of("2011-11-11T11:11:11Z");
    let elsewhere = fixture.path().join("2030/01/01");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(elsewhere.join(format!("{}.json", saved.id())), "{\"subject\": \"old\"}").unwrap();
    fixture.save(&saved).await;
    for storage in [fixture.storage(), fixture.reopen().await] {
        let found = storage.get(saved.id()).await.unwrap().unwrap();
        assert_eq!(read_view(&found), read_view(&saved));
    }
}

#[tokio::test]
async fn a_vcon_is_found_without_its_note() {
    let fixture = Fixture::new(|_| {});
    let saved = call_of("2011-11-11T11:11:11Z");
    fixture.save(&saved).await;
    fs::remove_dir_all(fixture.path().join(".where")).unwrap();
    for storage in [fixture.storage(), fixture.reopen().await] {
        assert!(storage.get(saved.id()).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn deleting_removes_every_copy_and_empty_folders() {
    let fixture = Fixture::new(|_| {});
    let vcon = call_of("2026-01-05T09:00:00Z");
    fixture.save(&vcon).await;
    let stale = fixture.path().join("2020/02/02");
    fs::create_dir_all(&stale).unwrap();
    fs::write(stale.join(format!("{}.json", vcon.id())), "{}").unwrap();
    fs::write(fixture.path().join("2020/keep.txt"), "mine").unwrap();
    fs::write(fixture.path().join(format!("{}.json.gz", vcon.id())), "").unwrap();

    assert!(fixture.storage.delete(vcon.id()).await.unwrap());
    assert_eq!(fixture.files(), ["2020/keep.txt"]);
    assert!(!fixture.path().join("2026").exists() && !fixture.path().join("2020/02").exists());
}

#[tokio::test]
async fn only_what_was_made_gets_permissions() {
    let fixture = Fixture::new(|options| {
        options.file_permissions = 0o600;
        options.dir_permissions = 0o700;
    });
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    fs::set_permissions(fixture.folder.path(), fs::Permissions::from_mode(0o751)).unwrap();
    let vcon = call_of("2026-01-05T09:00:00Z");
    fixture.save(&vcon).await;
    assert_eq!(mode(fixture.folder.path()), 0o751);
    for folder in ["", "2026", "2026/01", "2026/01/05"] {
        assert_eq!(mode(&fixture.path().join(folder)), 0o700, "{folder}");
    }
    assert_eq!(mode(&fixture.path().join("2026/01/05").join(format!("{}.json", vcon.id()))), 0o600);

    fs::set_permissions(fixture.path().join("2026"), fs::Permissions::from_mode(0o755)).unwrap();
    fixture.save(&vcon).await;
    assert_eq!(mode(&fixture.path().join("2026")), 0o755);
}

#[tokio::test]
async fn a_vcon_of_the_largest_size_is_kept_and_one_byte_more_is_not() {
    let vcon = call_of("2026-01-05T09:00:00Z");
    let size = vcon.size() as u64;
    let save = async |limit| {
        let fixture = Fixture::new(|options| options.max_file_size = limit);
        fixture.storage.save(std::slice::from_ref(&vcon)).await.pop().unwrap()
    };
    save(size).await.unwrap();
    let error = save(size - 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.is_permanent());
}

#[tokio::test]
async fn a_file_that_holds_no_vcon_is_an_error() {
    let fixture = Fixture::new(|_| {});
    fs::create_dir_all(fixture.path()).unwrap();
    for (name, content) in [("torn.json", "{\"uuid\": "), ("torn.json.gz", "no gzip")] {
        let path = fixture.path().join(name);
        fs::write(&path, content).unwrap();
        let error = fixture.storage.get(&VconId::new("torn")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        fs::remove_file(path).unwrap();
    }
}

#[tokio::test]
async fn a_folder_that_vanished_is_an_outage_and_one_that_never_was_is_empty() {
    let fixture = Fixture::new(|_| {});
    let missing = VconId::new("missing");
    assert!(fixture.storage.get(&missing).await.unwrap().is_none());
    assert!(!fixture.storage.delete(&missing).await.unwrap());
    fixture.storage.check().await.unwrap();
    fs::remove_dir_all(fixture.path()).unwrap();
    assert!(fixture.storage.get(&missing).await.unwrap_err().is_unavailable());
    assert!(fixture.storage.delete(&missing).await.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn a_save_leaves_no_temporary_file() {
    let fixture = Fixture::new(|_| {});
    let mut vcons = Vcons::new(5);
    let batch: Vec<Vcon> = (0..64).map(|_| vcon(&vcons.call())).collect();
    assert!(fixture.storage.save(&batch).await.into_iter().all(|result| result.is_ok()));
    assert_eq!(fixture.files().len(), 64);
    assert!(fixture.files().iter().all(|name| name.ends_with(".json")));
}
