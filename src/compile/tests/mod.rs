//! The acceptance cases of specification section 9 that compiling decides, each named after its number, and what is
//! said about configurations that do not do what they seem to.

mod hosts;
mod redirects;

use super::testing::*;
use super::*;
