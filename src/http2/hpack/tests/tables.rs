//! The static table, the dynamic table and the names that the encoder knows.

use super::super::dynamic_table::{DynamicTable, Facts};
use super::super::known_names::{self, Known, Use};
use super::super::static_table::{self, STATIC_ENTRIES};
use super::super::validity::{is_valid_name, is_valid_value};
use super::Numbers;
use crate::http::Name;

#[test]
fn the_static_table_is_that_of_the_rfc() {
    assert!(STATIC_ENTRIES == 61 && static_table::field(0).is_none() && static_table::field(62).is_none());
    let some = [
        (1, ":authority", ""),
        (8, ":status", "200"),
        (14, ":status", "500"),
        (15, "accept-charset", ""),
        (16, "accept-encoding", "gzip, deflate"),
        (28, "content-length", ""),
        (32, "cookie", ""),
        (44, "last-modified", ""),
        (61, "www-authenticate", ""),
    ];
    for (index, text, value) in some {
        let field = static_table::field(index).unwrap();
        assert_eq!((field.text, field.value), (text.as_bytes(), value.as_bytes()));
    }
    for index in 1..=STATIC_ENTRIES {
        let field = static_table::field(index).unwrap();
        assert_eq!(field.name, Name::of(field.text), "{index}");
        assert!(is_valid_name(field.text) && is_valid_value(field.value), "{index}");
    }
}

#[test]
fn the_encoder_knows_the_first_index_of_each_name() {
    for index in (1..=STATIC_ENTRIES).rev() {
        let field = static_table::field(index).unwrap();
        let known = known_names::of(field.text);
        let named = static_table::field(known.index.into()).unwrap();
        assert!(named.text == field.text && usize::from(known.index) <= index, "{index}");
    }
    let unknown = Known { index: 0, use_of: Use::Repeats };
    for text in ["", "x", "x-b", "accept-encodinh", "bccept", "x-custom", ":protocol"] {
        assert_eq!(known_names::of(text.as_bytes()), unknown, "{text}");
    }
    assert_eq!(known_names::of(b"x-b3-traceid").use_of, Use::Varies);
}

/// A table against one that keeps all its fields in a list.
#[test]
fn the_dynamic_table_holds_what_a_plain_one_does() {
    let facts = Facts { name: Name::Other, is_name_valid: true, is_valid: true };
    let mut numbers = Numbers(7);
    let mut table = DynamicTable::new(300);
    let mut plain: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut limit = 300;
    for step in 0..20_000u32 {
        let letter = b'a' + (step % 26) as u8;
        let value = vec![letter; numbers.below(60)];
        match numbers.below(20) {
            0 => {
                limit = numbers.below(600);
                table.set_limit(limit);
            }
            1..10 if !plain.is_empty() => {
                let age = numbers.below(plain.len());
                table.insert_with_name_of(STATIC_ENTRIES + 1 + age, &value, facts);
                plain.insert(0, (plain[age].0.clone(), value));
            }
            _ => {
                let text = vec![letter - 32; numbers.below(30)];
                table.insert(&text, &value, facts);
                plain.insert(0, (text, value));
            }
        }
        let size =
            |plain: &[(Vec<u8>, Vec<u8>)]| plain.iter().map(|(t, v)| 32 + t.len() + v.len()).sum::<usize>();
        while size(&plain) > limit {
            plain.pop();
        }
        assert_eq!(table.size(), size(&plain));
        for (age, (text, value)) in plain.iter().enumerate() {
            let field = table.get(STATIC_ENTRIES + 1 + age).unwrap();
            assert_eq!((field.text, field.value), (&text[..], &value[..]));
        }
        assert!(table.get(STATIC_ENTRIES + 1 + plain.len()).is_none());
        assert!(table.arena_bytes() <= 4 * 600, "{}", table.arena_bytes());
    }
}
