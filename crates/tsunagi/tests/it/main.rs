//! Whole-system stories: the real binary, the simulated clouds over real HTTP, real databases.

mod page;
mod story;
mod support;
