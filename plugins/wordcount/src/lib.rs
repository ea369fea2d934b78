//! wordcount
