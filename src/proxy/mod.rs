//! Serve one downstream connection and run each exchange: the spine.
