//! Where files are kept: a folder, or a bucket of anything that speaks S3. Start at [`Objects::open`].

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncWriteExt;

use crate::TempFile;

/// Where to keep files.
#[derive(Debug, Clone)]
pub enum Place {
    /// A folder of this machine; made if it is missing.
    Folder(PathBuf),
    /// A bucket.
    Bucket(Bucket),
}

/// A bucket of an S3-compatible service.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What the keys of all objects begin with; may be empty.
    pub prefix: String,
    /// The service's address; none for Amazon's own.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// The key's id.
    pub access_key: String,
    /// The key.
    pub secret_key: SecretString,
    /// Whether the bucket's name stands in the path (`https://host/bucket`) and not in the host.
    pub path_style: bool,
}

/// Why files cannot be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectsError {
    /// The folder cannot be made or used.
    #[error("the media folder cannot be used: {0}")]
    Folder(#[source] std::io::Error),
    /// The store refused or could not be reached.
    #[error("the media store failed: {0}")]
    Store(#[source] object_store::Error),
    /// A file on its way cannot be read.
    #[error("a temporary file cannot be read: {0}")]
    Disk(#[from] std::io::Error),
}

impl From<object_store::Error> for ObjectsError {
    fn from(error: object_store::Error) -> Self {
        ObjectsError::Store(error)
    }
}

/// Files by key. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Objects {
    /// Opens the place.
    ///
    /// # Errors
    /// [`ObjectsError`]: a folder that cannot be made. A bucket is not asked before it is used; see [`Objects::probe`].
    pub fn open(place: &Place, timeout: Duration) -> Result<Objects, ObjectsError> {
        match place {
            Place::Folder(folder) => {
                make_folder(folder).map_err(ObjectsError::Folder)?;
                // A file is on disk before the row that names it is.
                let store =
                    LocalFileSystem::new_with_prefix(folder)?.with_fsync(true).with_automatic_cleanup(false);
                Ok(Objects { store: Arc::new(store), prefix: Path::default() })
            }
            Place::Bucket(bucket) => {
                let mut builder = AmazonS3Builder::new()
                    .with_bucket_name(&bucket.name)
                    .with_region(&bucket.region)
                    .with_access_key_id(&bucket.access_key)
                    .with_secret_access_key(bucket.secret_key.expose_secret())
                    .with_virtual_hosted_style_request(!bucket.path_style)
                    .with_retry(retry(timeout))
                    .with_client_options(object_store::ClientOptions::new().with_timeout(timeout));
                if let Some(endpoint) = &bucket.endpoint {
                    builder =
                        builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
                }
                let prefix = Path::parse(&bucket.prefix).map_err(object_store::Error::from)?;
                Ok(Objects { store: Arc::new(builder.build()?), prefix })
            }
        }
    }

    /// Keeps a file under a key; one that was there is replaced.
    ///
    /// # Errors
    /// See [`ObjectsError`].
    pub async fn put(&self, key: &str, file: &TempFile) -> Result<(), ObjectsError> {
        let mut from = tokio::fs::File::open(file.path()).await?;
        let mut to = BufWriter::new(self.store.clone(), self.path(key));
        let copied = async {
            tokio::io::copy(&mut from, &mut to).await?;
            to.shutdown().await
        };
        if let Err(error) = copied.await {
            drop(to.abort().await);
            return Err(error.into());
        }
        Ok(())
    }

    /// A whole file; `None` if there is none. For files of moderate size.
    ///
    /// # Errors
    /// See [`ObjectsError`].
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, ObjectsError> {
        match self.store.get(&self.path(key)).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A file, or some of its bytes, as a stream; `None` if there is none.
    ///
    /// # Errors
    /// See [`ObjectsError`].
    pub async fn stream(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, std::io::Error>>>, ObjectsError> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        match self.store.get_opts(&self.path(key), options).await {
            Ok(found) => Ok(Some(found.into_stream().map_err(std::io::Error::other).boxed())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes files; those that are not there are no error.
    ///
    /// # Errors
    /// See [`ObjectsError`]; those before the one that failed are gone.
    pub async fn delete(&self, keys: &[String]) -> Result<(), ObjectsError> {
        for key in keys {
            match self.store.delete(&self.path(key)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Writes, reads and removes a small file, to see whether the place can be used. `name` tells nodes apart.
    ///
    /// # Errors
    /// See [`ObjectsError`].
    pub async fn probe(&self, name: &str) -> Result<(), ObjectsError> {
        let path = self.path(&format!("probe/{name}"));
        self.store.put(&path, Bytes::from_static(b"tsunagi").into()).await?;
        let read = self.store.get(&path).await?.bytes().await?;
        self.store.delete(&path).await?;
        if read.as_ref() == b"tsunagi" {
            Ok(())
        } else {
            Err(std::io::Error::other("what was written cannot be read").into())
        }
    }

    fn path(&self, key: &str) -> Path {
        key.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }
}

/// The caller tries again by itself, and later.
fn retry(timeout: Duration) -> object_store::RetryConfig {
    object_store::RetryConfig {
        max_retries: 2,
        retry_timeout: timeout,
        ..object_store::RetryConfig::default()
    }
}

/// What customers send is for nobody else on this machine.
fn make_folder(folder: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_keeps_what_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Folder(folder.path().join("deep/media"));
        let objects = Objects::open(&place, Duration::from_secs(5)).unwrap();
        story(&objects).await;
        // A key is never a way out of the folder.
        let file = TempFile::of(b"x").unwrap();
        objects.put("../../../outside", &file).await.unwrap();
        assert!(!folder.path().join("outside").exists());
    }

    pub(crate) async fn story(objects: &Objects) {
        objects.probe("node").await.unwrap();
        let large: Vec<u8> = (0..12_000_000_u32).map(|n| (n % 251) as u8).collect();
        objects.put("shop/a", &TempFile::of(&large).unwrap()).await.unwrap();
        objects.put("shop/b", &TempFile::of(b"small").unwrap()).await.unwrap();
        objects.put("shop/b", &TempFile::of(b"replaced").unwrap()).await.unwrap();
        assert_eq!(objects.get("shop/b").await.unwrap().unwrap(), "replaced");
        assert!(objects.get("shop/a").await.unwrap().unwrap() == large);
        let part = objects.stream("shop/a", Some(5_000_000..5_000_010)).await.unwrap().unwrap();
        let part: Vec<Bytes> = part.try_collect().await.unwrap();
        assert_eq!(part.concat(), large[5_000_000..5_000_010]);
        assert!(objects.get("shop/none").await.unwrap().is_none());
        assert!(objects.stream("shop/none", None).await.unwrap().is_none());
        let keys = ["shop/a".to_owned(), "shop/none".to_owned(), "shop/b".to_owned()];
        objects.delete(&keys).await.unwrap();
        assert!(objects.get("shop/a").await.unwrap().is_none());
        objects.delete(&keys).await.unwrap();
    }
}
