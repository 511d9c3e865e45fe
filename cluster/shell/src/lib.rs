//! shell
pub mod command;
pub mod protocol;
pub mod table;
