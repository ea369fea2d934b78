//! quadrant
