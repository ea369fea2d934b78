//! tidemill-sdk
