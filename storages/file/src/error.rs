//! What an I/O error means for the vCon that met it.
//!
//! Nearly every one is the folder's or the disk's fault, not the document's: the storage is then away, and the
//! vCons wait until somebody has put it right. Wrong permissions count as such, too.

use std::io;
use std::path::Path;

use conserver_core::{Class, Error, ErrorKind};

/// Classifies an error of an operation on this path. The path's folder is named, the file is not: its name may be
/// an id of any length.
pub(crate) fn classify(doing: &str, path: &Path, error: io::Error) -> Error {
    let place = path.parent().filter(|_| path.extension().is_some()).unwrap_or(path).display();
    let (kind, says) = match error.kind() {
        io::ErrorKind::PermissionDenied => (ErrorKind::Unauthorized, "this process may not"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Unavailable, "no space left to")
        }
        io::ErrorKind::ReadOnlyFilesystem => (ErrorKind::Unavailable, "mounted read-only, cannot"),
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput => {
            (ErrorKind::Invalid, "no file name to")
        }
        _ => (ErrorKind::Unavailable, "cannot"),
    };
    let class = if kind == ErrorKind::Invalid { Class::Permanent } else { Class::Unavailable };
    Error::new(kind, format!("{says} {doing} in `{place}`")).class(class).source(error)
}

/// The folder was there and is not any more.
pub(crate) fn gone(path: &Path) -> Error {
    let path = path.display();
    Error::new(ErrorKind::Unavailable, format!("the folder `{path}` is gone; mount it or make it again"))
}

/// A vCon that is larger than the options allow.
pub(crate) fn too_large(size: u64, limit: u64) -> Error {
    let message =
        format!("the vCon has {size} bytes and `max_file_size` is {limit}; raise it to keep such vCons");
    Error::new(ErrorKind::TooLarge, message)
}

/// A file that holds no vCon.
pub(crate) fn unreadable(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Invalid, format!("the file `{}` holds no vCon", path.display())).source(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bad_name_is_the_documents_fault() {
        let table = [
            (io::ErrorKind::PermissionDenied, ErrorKind::Unauthorized, Class::Unavailable),
            (io::ErrorKind::StorageFull, ErrorKind::Unavailable, Class::Unavailable),
            (io::ErrorKind::QuotaExceeded, ErrorKind::Unavailable, Class::Unavailable),
            (io::ErrorKind::ReadOnlyFilesystem, ErrorKind::Unavailable, Class::Unavailable),
            (io::ErrorKind::NotADirectory, ErrorKind::Unavailable, Class::Unavailable),
            (io::ErrorKind::NotFound, ErrorKind::Unavailable, Class::Unavailable),
            (io::ErrorKind::StaleNetworkFileHandle, ErrorKind::Unavailable, Class::Unavailable),
            (io::ErrorKind::Other, ErrorKind::Unavailable, Class::Unavailable),
            (io::ErrorKind::InvalidFilename, ErrorKind::Invalid, Class::Permanent),
        ];
        for (cause, kind, class) in table {
            let error = classify("write a vCon", Path::new("/data/vcons/a.json"), cause.into());
            assert_eq!((error.kind(), error.get_class()), (kind, class), "{cause:?}");
        }
    }

    #[test]
    fn the_text_says_what_and_where() {
        let cause = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = classify("write a vCon", Path::new("/data/vcons/2026/01/05/a.json"), cause);
        assert_eq!(error.to_string(), "this process may not write a vCon in `/data/vcons/2026/01/05`");
    }
}
