//! Status and metrics, on the control thread.
