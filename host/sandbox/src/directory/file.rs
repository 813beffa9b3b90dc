//! One file of a directory: read within bounds, written whole or not at all, removed with the folders it leaves empty.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};

use cap_std::fs::{Dir, DirBuilder, OpenOptions, OpenOptionsExt as _, PermissionsExt as _};
use forge_core::Kind;
use forge_core::provider::Failure;
use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use super::Directory;

impl Directory {
    pub(super) fn read_at_most(
        &self,
        dir: &Dir,
        path: &str,
        most: usize,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let refuse = |error: io::Error| self.failure("read", path, error);
        let file = match self.opened(dir, path) {
            Ok(file) => file,
            // A file where a folder was meant is no secret either.
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) if self.only.is_some() && is_link(dir, path) => {
                return Err(self.changed_into_a_link(path, &error));
            }
            Err(error) => return Err(refuse(error)),
        };
        let metadata = file.metadata().map_err(refuse)?;
        if !metadata.is_file() {
            return Err(self.failure("read", path, "it is no regular file"));
        }
        let most = most as u64;
        if metadata.len() > most {
            let what = format!("`{}` is longer than {} MiB", self.shown(path), most >> 20);
            return Err(Failure::new(Kind::TooLarge, what));
        }
        let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1));
        file.take(most).read_to_end(&mut content).map_err(refuse)?;
        Ok(Some(content))
    }

    fn opened(&self, dir: &Dir, path: &str) -> io::Result<File> {
        // A pipe would make the call wait for ever.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        if self.only.is_some() {
            // The one name that was granted, and no link: it could lead to any file of the user's.
            return Ok(rustix::fs::openat(dir, path, flags | OFlags::NOFOLLOW, Mode::empty())?.into());
        }
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        dir.open_with(path, &options).map(cap_std::fs::File::into_std)
    }

    fn changed_into_a_link(&self, path: &str, error: &io::Error) -> Failure {
        let what = format!("`{}` is a link now, and a file was granted ({error})", self.shown(path));
        let hint = "look where it leads before you add the provider again";
        Failure::new(Kind::NotGranted, what).with_hint(hint)
    }

    /// Temporary file, sync, rename, sync of the folder: after a crash there is the old content or the new.
    ///
    /// The temporary file is the one that every writer uses, so what a dead process left is in nobody's way.
    pub(super) fn write_whole(&self, dir: &Dir, path: &str, content: &[u8]) -> Result<(), Failure> {
        let refuse = |error: io::Error| self.failure("write", path, error);
        if self.only.is_some() && is_link(dir, path) {
            return Err(self.changed_into_a_link(path, &io::Error::other("it was not written")));
        }
        let written = self.write_temporary(dir, path, content).and_then(|()| self.rename(dir, path));
        if let Err(error) = written {
            // The error that counts is that of the write.
            dir.remove_file(self.temporary()).unwrap_or_default();
            return Err(refuse(error));
        }
        let (folder, _) = path.rsplit_once('/').unwrap_or((".", path));
        sync(dir, folder).map_err(refuse)
    }

    fn write_temporary(&self, dir: &Dir, path: &str, content: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = dir.open_with(self.temporary(), &options)?;
        if self.only.is_some() {
            keep_mode_and_owner(dir, path, &file)?;
        }
        file.write_all(content)?;
        file.sync_all()
    }

    /// Moves the temporary file to its place, and makes the folders of that place where there are none.
    fn rename(&self, dir: &Dir, path: &str) -> io::Result<()> {
        match dir.rename(self.temporary(), dir, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => return renamed,
        }
        let mut builder = DirBuilder::new();
        cap_std::fs::DirBuilderExt::mode(&mut builder, 0o700);
        for (end, _) in path.match_indices('/') {
            let folder = path.get(..end).unwrap_or_default();
            match dir.create_dir_with(folder, &builder) {
                // Without this a power loss could take the folder with everything in it.
                Ok(()) => sync(dir, folder.rsplit_once('/').map_or(".", |(parent, _)| parent))?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        dir.rename(self.temporary(), dir, path)
    }

    pub(super) fn remove_whole(&self, dir: &Dir, path: &str) -> Result<bool, Failure> {
        match dir.remove_file(path) {
            Ok(()) => {}
            Err(error) if is_absent(&error) => return Ok(false),
            Err(error) => return Err(self.failure("remove", path, error)),
        }
        let (folder, _) = path.rsplit_once('/').unwrap_or((".", path));
        sync(dir, folder).map_err(|error| self.failure("remove", path, error))?;
        // Folders that are empty now go too; one that is not stays, and that is no error.
        let mut folder = folder;
        while folder != "." && dir.remove_dir(folder).is_ok() {
            folder = folder.rsplit_once('/').map_or(".", |(parent, _)| parent);
        }
        Ok(true)
    }
}

/// Gives the new file what people gave the old one; a file that is new stays with its user alone.
fn keep_mode_and_owner(dir: &Dir, path: &str, file: &cap_std::fs::File) -> io::Result<()> {
    let before = match rustix::fs::openat(
        dir,
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    ) {
        Ok(before) => File::from(before).metadata()?,
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let after = file.metadata()?;
    let (uid, gid) = (cap_std::fs::MetadataExt::uid(&after), cap_std::fs::MetadataExt::gid(&after));
    if (before.uid(), before.gid()) != (uid, gid) {
        fchown(file, Some(before.uid()), Some(before.gid()))?;
    }
    file.set_permissions(cap_std::fs::Permissions::from_mode(before.mode() & 0o777))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn is_link(dir: &Dir, path: &str) -> bool {
    dir.symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

fn sync(dir: &Dir, folder: &str) -> io::Result<()> {
    // A directory that cap-std opens as one is only a place (`O_PATH`), and can't be synced.
    dir.open(folder)?.sync_all()
}
