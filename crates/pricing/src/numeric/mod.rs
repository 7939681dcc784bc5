//! Numerical tools shared by the models: complex arithmetic and least squares.

pub(crate) mod complex;
pub(crate) mod least_squares;
