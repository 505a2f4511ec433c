//! A shard's pool of buffers.
