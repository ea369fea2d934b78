//! tidemill-connect
