//! Files of strangers: fetched, told by their content, converted, kept, and handed out by signed links. Knows neither
//! protocol and no database.
//!
//! [`Fetcher`] downloads from an address that somebody else chose, and follows it into no private network. A
//! [`TempFile`] is what came; [`Format`] says what it is, by its content alone. [`Objects`] keeps files in a folder or in
//! an S3-compatible bucket; [`LinkKey`] signs the links under which they are served. [`picture`] measures and shrinks
//! pictures, [`Ffmpeg`] makes voices playable where the program is there.

mod fetch;
mod ffmpeg;
mod file;
mod guard;
mod link;
mod objects;
pub mod picture;
mod sniff;

pub use fetch::{FetchError, Fetcher};
pub use ffmpeg::{Ffmpeg, FfmpegError};
pub use file::TempFile;
pub use guard::{Allow, is_public};
pub use link::LinkKey;
pub use objects::{Bucket, Objects, ObjectsError, Place};
pub use sniff::{Family, Format, amr_seconds};
