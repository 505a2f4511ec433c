//! The subcommands and what they print.
