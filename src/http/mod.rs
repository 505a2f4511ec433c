//! What a request and a response are, whatever the version they came in.
//!
//! - `fields`: the header fields of one message, in order, in one arena
//! - `head`: request and response heads, and how a body is framed
//! - `name`: the field names that the proxy itself looks at

mod fields;
mod head;
mod name;

pub use fields::{Field, Fields};
pub use head::{BodyLength, RequestHead, ResponseHead, Scheme, Upgrade, Version};
pub use name::Name;
