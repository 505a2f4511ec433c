//! Balance, pool, connect, learn from results.
