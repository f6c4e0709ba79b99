//! The disk under a SQLite file: how much room there is, and whether it is a disk of this machine.

use super::board::Section;
use std::path::{Path, PathBuf};

const MIB: u64 = 1 << 20;
/// Below it SQLite may soon fail to commit.
const FULL: u64 = 256 * MIB;
const NARROW: u64 = 2048 * MIB;

/// File systems that reach over a network: SQLite's locks and its shared memory do not.
const OVER_NETWORK: [&str; 13] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "fuse.glusterfs",
    "fuse.sshfs",
    "fuse.s3fs",
    "lustre",
];

/// Looks at the folder that `path` lies in.
pub(super) fn look(path: &Path, section: &Section) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(folder) = std::fs::canonicalize(folder) else { return };
    match rustix::fs::statvfs(&folder) {
        Ok(disk) => room(disk.f_bavail.saturating_mul(disk.f_frsize), section),
        Err(error) => section.warn(
            "disk",
            format!("how much room the disk has cannot be found out: {error}"),
            "look with df",
        ),
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if let Some(kind) = file_system(&mounts, &folder).filter(|kind| OVER_NETWORK.contains(&kind.as_str())) {
        section.fault(
            "network_file_system",
            format!("the database lies on a network file system ({kind}), where SQLite may corrupt it"),
            "put it on a disk of this machine, or use PostgreSQL",
        );
    }
}

fn room(free: u64, section: &Section) {
    let words = if free < 1024 * MIB {
        format!("{} MiB", free / MIB)
    } else {
        format!("{:.1} GiB", free as f64 / (1024.0 * MIB as f64))
    };
    match free {
        ..FULL => section.fault(
            "disk",
            format!("the disk has only {words} left: soon no message can be stored"),
            "make room on it, or move the database to a larger one",
        ),
        FULL..NARROW => section.warn(
            "disk",
            format!("the disk has {words} left"),
            "make room on it, or shorten the retention",
        ),
        _ => section.ok("disk", format!("the disk has {words} left")),
    }
}

/// The type of the file system that holds `folder`, by the longest mount point above it. The kernel describes the
/// lines in `proc_pid_mountinfo(5)`: the mount point is the fifth field, the type the first after a lone dash.
fn file_system(mountinfo: &str, folder: &Path) -> Option<String> {
    let mount = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?.replace("\\040", " ");
        let kind = right.split(' ').next()?;
        Some((PathBuf::from(point), kind.to_owned()))
    };
    mountinfo
        .lines()
        .filter_map(mount)
        .filter(|(point, _)| folder.starts_with(point))
        // Of two mounts on one point the later one is seen.
        .max_by_key(|(point, _)| point.components().count())
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:35 / /srv rw,relatime shared:20 - nfs4 nas:/export rw,vers=4.2
41 40 0:36 / /srv/my\\040disk rw - xfs /dev/sdb1 rw
42 22 0:37 / /srv2 rw master:1 - tmpfs tmpfs rw
";

    #[test]
    fn the_longest_mount_point_above_the_folder_counts() {
        let of = |folder: &str| file_system(MOUNTS, Path::new(folder)).unwrap();
        assert_eq!(of("/var/lib/tsunagi"), "ext4");
        assert_eq!(of("/srv/tsunagi"), "nfs4");
        assert_eq!(of("/srv/my disk/x"), "xfs");
        assert_eq!(of("/srv2"), "tmpfs");
        assert_eq!(file_system("", Path::new("/")), None);
    }
}
