//! Primitives under their protocol names: curve operations and symmetric ones.

pub mod curve;
pub mod symmetric;
