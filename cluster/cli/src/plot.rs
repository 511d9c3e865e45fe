//! Plots as one self-contained SVG file: no script, no font, no picture from elsewhere; readable on light and on dark
//! paper.
//!
//! A writer of our own rather than a crate: charts here are lines, bands, bars and labels, and what the chart crates bring
//! beyond that (back ends, fonts, rasters) is many times this code, while none of them follows the reader's colour
//! scheme.

pub mod axis;
pub mod svg;
pub mod thin;
