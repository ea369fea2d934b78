//! tidemill-sdk-macros
