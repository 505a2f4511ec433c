//! What a request and a response are, whatever the version they came in.
//!
//! - `authority`: a host and perhaps a port
//! - `fields`: the header fields of one message, in order, in one arena
//! - `head`: request and response heads, and how a body is framed
//! - `name`: the field names that the proxy itself looks at
//! - `rules`: rules about single fields
//! - `secret`: names of fields whose values are not for everybody
//! - `path`: what the path of a request becomes before it is routed and forwarded

mod authority;
mod fields;
mod head;
mod name;
mod path;
mod rules;
mod secret;

pub use authority::{AUTHORITY_BYTES_MAX, is_authority, same_authority, split_port};
pub use fields::{Field, Fields};
pub(crate) use fields::{SectionLine, Spacing};
pub use head::{BodyLength, FragmentInQuery, RequestHead, ResponseHead, Scheme, Upgrade, Version};
pub use name::{Name, has_underscore, is_token_byte};
pub(crate) use name::{RawName, is_in_any_case};
pub use path::{BadPath, PathNormalization, normalize_path};
pub use rules::{UnderscoreVerdict, Underscores, parse_content_length};
pub use secret::{REDACTED, is_secret_name};
