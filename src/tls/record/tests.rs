use super::*;
use rustls::crypto::cipher::{AeadKey, Iv};

fn secrets(cipher: usize, sequence: u64) -> (u64, ConnectionTrafficSecrets) {
    let key = AeadKey::from([9; 32]);
    let iv = Iv::from([5; 12]);
    let secrets = match cipher {
        0 => ConnectionTrafficSecrets::Aes256Gcm { key, iv },
        _ => ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv },
    };
    (sequence, secrets)
}

fn pair(cipher: usize, version: ProtocolVersion) -> (Sealer, Opener) {
    let sealer = Sealer::new(secrets(cipher, 3), version).unwrap();
    (sealer, Opener::new(secrets(cipher, 3), version).unwrap())
}

fn pairs() -> impl Iterator<Item = (Sealer, Opener)> {
    let versions = [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3];
    versions.into_iter().flat_map(|version| [0, 1].map(|cipher| pair(cipher, version)))
}

fn sealed(sealer: &mut Sealer, content: Content, plaintext: &[u8]) -> Vec<u8> {
    let mut record = vec![0; sealer.prefix()];
    record.extend(plaintext);
    record.extend(vec![0; sealer.suffix()]);
    sealer.seal(content, &mut record).unwrap();
    record
}

#[test]
fn what_is_sealed_is_opened_in_order() {
    for (mut sealer, mut opener) in pairs() {
        let large = vec![7; PLAINTEXT_MAX];
        for (content, text) in [
            (Content::Data, &b"hello"[..]),
            (Content::Data, b""),
            (Content::Handshake, b"\x18\0\0\x01\0"),
            (Content::Alert, b"\x01\0"),
            (Content::Data, b"\0\0\0"),
            (Content::Data, &large),
        ] {
            let mut record = sealed(&mut sealer, content, text);
            assert_eq!(opener.frame(&record), Ok(Framed::Whole(record.len())));
            assert_eq!(opener.frame(&record[..4]), Ok(Framed::Incomplete(None)));
            let cut = record.len() - 1;
            assert_eq!(opener.frame(&record[..cut]), Ok(Framed::Incomplete(Some(record.len()))));
            let opened = opener.open(&mut record).unwrap();
            assert_eq!((opened.content, &record[opened.plaintext]), (content, text));
        }
    }
}

#[test]
fn a_changed_byte_or_a_missing_record_is_noticed() {
    for (mut sealer, mut opener) in pairs() {
        let record = sealed(&mut sealer, Content::Data, b"payload");
        for at in 0..record.len() {
            let mut broken = record.clone();
            broken[at] ^= 1;
            // Another length is noticed when the record is taken out of the stream.
            let same_length = opener.frame(&broken) == Ok(Framed::Whole(record.len()));
            assert!(!same_length || opener.open(&mut broken).is_err(), "{at}");
        }
        for len in 0..record.len() {
            assert!(opener.open(&mut record[..len].to_vec()).is_err());
        }
        let mut second = sealed(&mut sealer, Content::Data, b"payload");
        if sealer.prefix() == HEADER {
            assert_eq!(opener.open(&mut second.clone()), Err(Alert::BadRecordMac));
        }
        opener.open(&mut record.clone()).unwrap();
        opener.open(&mut second).unwrap();
    }
}

#[test]
fn padding_is_taken_off_and_nothing_but_padding_refused() {
    assert_eq!(inner(b"data\x17\0\0\0"), Ok((Content::Data, 4)));
    assert_eq!(inner(b"\x17"), Ok((Content::Data, 0)));
    for bad in [&b""[..], b"\0\0", b"x\x14", b"\x15", b"\x16\0"] {
        assert_eq!(inner(bad), Err(Alert::UnexpectedMessage), "{bad:?}");
    }
}

#[test]
fn records_that_are_too_long_are_refused() {
    let (mut sealer, opener) = pair(0, ProtocolVersion::TLSv1_3);
    assert_eq!(opener.frame(&[23, 3, 3, 0x41, 1]), Err(Alert::RecordOverflow));
    assert_eq!(opener.frame(&[23, 3, 3, 0x41, 0]), Ok(Framed::Incomplete(Some(HEADER + 0x4100))));
    let mut record = vec![0; sealer.prefix() + PLAINTEXT_MAX + 1 + sealer.suffix()];
    assert_eq!(sealer.seal(Content::Data, &mut record), Err(Exhausted));
    assert_eq!(sealer.seal(Content::Data, &mut [0; 3]), Err(Exhausted));
}

#[test]
fn a_key_is_not_used_for_ever() {
    let mut sealer = Sealer::new(secrets(0, SEALED_MAX - 9), ProtocolVersion::TLSv1_3).unwrap();
    assert!(sealer.can_update() && !sealer.is_worn());
    sealed(&mut sealer, Content::Data, b"x");
    assert!(sealer.is_worn());
    for _ in 0..8 {
        sealed(&mut sealer, Content::Data, b"x");
    }
    let mut record = vec![0; 64];
    assert_eq!(sealer.seal(Content::Data, &mut record), Err(Exhausted));
}
