//! tidemill-guest
