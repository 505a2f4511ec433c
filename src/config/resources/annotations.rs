//! The gateway's own annotations: which there are, on which kinds, and what each is read into.
//!
//! To add one: write its type (with `object!`), and a line in the list below.

use super::{AccessLogLines, BodyLimit, ConnectionAge, HealthCheck, Networks, RateLimit, StickySplit};
use crate::config::{
    Span, Spanned,
    decode::{Decode, Decoder, Field},
    yaml::{Node, Value},
};
use std::ops::Deref;

/// Defines [`Annotations`]: every one has its name after `=` and its kinds after `on`.
macro_rules! annotations {
    ( $( $(#[$about:meta])* $field:ident : $Type:ty = $name:literal on [$($kind:literal),+], )* ) => {
        /// The gateway's own annotations of one object, `sluicegate.io/<name>`.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Annotations {
            $( $(#[$about])* pub $field: $Type, )*
        }

        impl Annotations {
            /// All names, each with the kinds that may have it.
            pub const NAMES: &'static [(&'static str, &'static [&'static str])] =
                &[$(($name, &[$($kind),+])),*];

            /// Reads the value of one; `key` is where it is written.
            pub(in crate::config) fn read(
                &mut self,
                name: &str,
                key: Span,
                node: &Node<'_>,
                decoder: &mut Decoder<'_>,
            ) {
                match name {
                    $( $name => self.$field.read(key, node, decoder), )*
                    _ => {}
                }
            }
        }
    };
}

annotations! {
    /// How many requests may pass.
    rate_limit: OneOrMore<RateLimit> = "sluicegate.io/rate-limit" on ["VirtualService"],
    /// From which addresses requests may come.
    networks: OneOrMore<Networks> = "sluicegate.io/networks" on ["VirtualService"],
    /// How large the bodies of requests may be.
    body_limit: OneOrMore<BodyLimit> = "sluicegate.io/body-limit" on ["VirtualService"],
    /// Which requests have a line in the access log.
    access_log: OneOrMore<AccessLogLines> = "sluicegate.io/access-log" on ["VirtualService"],
    /// What keeps a client on one side of a weighted split.
    sticky_split: OneOrMore<StickySplit> = "sluicegate.io/sticky-split" on ["VirtualService"],
    /// How long clients may keep a connection.
    max_connection_age: OneOrMore<ConnectionAge> = "sluicegate.io/max-connection-age" on ["Gateway"],
    /// How endpoints are asked whether they are well.
    health_check: Option<Spanned<HealthCheck>> = "sluicegate.io/health-check" on ["ServiceEntry", "DestinationRule"],
}

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub struct OneOrMore<T> {
    items: Vec<Spanned<T>>,
    /// They are written as a list.
    pub is_list: bool,
}

impl<T> Default for OneOrMore<T> {
    fn default() -> Self {
        OneOrMore { items: Vec::new(), is_list: false }
    }
}

impl<T> Deref for OneOrMore<T> {
    type Target = [Spanned<T>];
    fn deref(&self) -> &Self::Target {
        &self.items
    }
}

impl<T: Decode> Field for OneOrMore<T> {
    fn read(&mut self, key: Span, node: &Node<'_>, decoder: &mut Decoder<'_>) {
        if let Value::List(_) = node.value() {
            self.is_list = true;
            self.items.read(key, node, decoder);
            return;
        }
        self.items =
            T::decode(node, decoder).map(|value| Spanned::new(value, node.span)).into_iter().collect();
    }
}
