//! Load, resolve names, signals: the only place that starts and stops the data plane.
