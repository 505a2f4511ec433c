//! Bind, accept, admit.
