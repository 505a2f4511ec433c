//! The ring: set-up flags, fallback to epoll, and the few socket operations the proxy uses.
