//! `tsunagi demo` as its first visitor sees it: the page in a real browser, by clicking and typing.

mod axe;
mod browser;
mod faults;
mod kinds;
mod own_doors;
mod smooth;
mod story;
mod typing;
