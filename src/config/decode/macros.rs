//! `object!` and `choice!`: a type together with how it is read.

/// Defines a struct and how it is read from a mapping: every field has its name in the file after `=`.
///
/// After the fields may stand `one_of ["a", "b"]`: at most one of these may be set (a `oneof` of the proto); and
/// `others accepted`: names that are not listed are no error, because the type is not described completely anywhere; and
/// `or_just field`: a value that is no mapping is that of this field.
macro_rules! object {
    (
        $(#[$about:meta])*
        pub struct $Name:ident {
            $( $(#[$field_about:meta])* $field:ident : $Type:ty = $name:literal, )*
        }
        $( one_of [ $($one:literal),+ ] )*
        $( others $accepted:ident )?
        $( or_just $only:ident )?
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $Name {
            $( $(#[$field_about])* pub $field: $Type, )*
        }

        impl $crate::config::decode::Decode for $Name {
            const EXPECTED: &'static str = "a mapping";

            #[allow(unused_mut, unused_variables, reason = "there are messages without fields")]
            fn decode(
                node: &$crate::config::yaml::Node<'_>,
                decoder: &mut $crate::config::decode::Decoder<'_>,
            ) -> Option<Self> {
                const FIELDS: &[&str] = &[$($name),*];
                const ACCEPTS_OTHERS: bool = [$(stringify!($accepted),)? ""].len() > 1;
                $( if !node.is_collection() {
                    let mut object = Self::default();
                    $crate::config::decode::Field::read(&mut object.$only, node.span, node, decoder);
                    return Some(object);
                } )?
                let entries = decoder.entries(node, Self::EXPECTED)?;
                $( decoder.at_most_one(entries, &[$($one),+]); )*
                let mut object = Self::default();
                for (key, value) in entries {
                    let mut name: &str = &key.text;
                    loop {
                        match name {
                            $( $name => {
                                $crate::config::decode::field(&mut object.$field, $name, key.span, value, decoder);
                            } )*
                            _ if ACCEPTS_OTHERS => {}
                            _ => if let Some(other) = decoder.other_spelling(key, FIELDS, entries) {
                                name = other;
                                continue;
                            }
                        }
                        break;
                    }
                }
                Some(object)
            }
        }
    };
}

/// Defines an enum and how it is read: each variant has its name in the file and its number in the proto. The first is
/// the default.
macro_rules! choice {
    (
        $(#[$about:meta])*
        pub enum $Name:ident {
            $(#[$first_about:meta])* $First:ident = $first_name:literal ($first_number:literal),
            $( $(#[$variant_about:meta])* $Variant:ident = $name:literal ($number:literal), )*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $Name {
            $(#[$first_about])* #[default] $First,
            $( $(#[$variant_about])* $Variant, )*
        }

        impl $Name {
            /// As it is written in a file.
            pub const fn name(self) -> &'static str {
                match self {
                    $Name::$First => $first_name,
                    $( $Name::$Variant => $name, )*
                }
            }
        }

        impl $crate::config::decode::Decode for $Name {
            const EXPECTED: &'static str = concat!("one of ", $first_name $(, ", ", $name)*);

            fn decode(
                node: &$crate::config::yaml::Node<'_>,
                decoder: &mut $crate::config::decode::Decoder<'_>,
            ) -> Option<Self> {
                const NAMES: &[(&str, i128)] = &[($first_name, $first_number) $(, ($name, $number))*];
                const VALUES: &[$Name] = &[$Name::$First $(, $Name::$Variant)*];
                let index = decoder.choose(node, NAMES, Self::EXPECTED)?;
                VALUES.get(index).copied()
            }
        }
    };
}

pub(in crate::config) use {choice, object};
