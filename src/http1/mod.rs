//! HTTP/1.1: bytes to heads and body pieces, and back.
