//! The `sluicegate` program: arguments in, one function per subcommand.
fn main() {}
