//! A file on its way: on disk, measured and hashed while it was written, gone when it is dropped.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::sniff::{Format, HEAD};

/// A file in the system's folder for temporary ones.
#[derive(Debug)]
pub struct TempFile {
    file: NamedTempFile,
    size: u64,
    sha256: [u8; 32],
    head: Vec<u8>,
}

/// A file that is being written.
pub(crate) struct Writing {
    file: NamedTempFile,
    size: u64,
    digest: Sha256,
    head: Vec<u8>,
}

impl Writing {
    pub(crate) fn begin() -> std::io::Result<Writing> {
        let file = tempfile::Builder::new().prefix("tsunagi-media-").tempfile()?;
        Ok(Writing { file, size: 0, digest: Sha256::new(), head: Vec::new() })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.digest.update(bytes);
        self.size += bytes.len() as u64;
        let wanted = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..wanted]);
        Ok(())
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn end(mut self) -> std::io::Result<TempFile> {
        self.file.flush()?;
        let sha256 = self.digest.finalize().into();
        Ok(TempFile { file: self.file, size: self.size, sha256, head: self.head })
    }
}

impl TempFile {
    /// Bytes that are in memory already.
    ///
    /// # Errors
    /// The folder for temporary files cannot be written.
    pub fn of(bytes: &[u8]) -> std::io::Result<TempFile> {
        let mut writing = Writing::begin()?;
        writing.write(bytes)?;
        writing.end()
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its SHA-256, in hexadecimal.
    pub fn sha256(&self) -> String {
        self.sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What its content says that it is.
    pub fn format(&self) -> Format {
        Format::of(&self.head)
    }

    /// Where it is until it is dropped.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The whole content.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn bytes(&self) -> std::io::Result<Vec<u8>> {
        let mut file = self.file.reopen()?;
        file.seek(SeekFrom::Start(0))?;
        let mut bytes = Vec::with_capacity(usize::try_from(self.size).unwrap_or(0));
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
