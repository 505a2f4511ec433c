//! What Envoy chooses, and what a change of endpoints moves.

use super::*;
use crate::filter::hash_text;

/// Addresses in 127.0.0.0/8 by their last number, with weights.
type Set = &'static [(u32, u32)];

const EQUAL: Set = &[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1)];
const WITHOUT_THE_FOURTH: Set = &[(1, 1), (2, 1), (3, 1), (5, 1), (6, 1), (7, 1)];
const WEIGHTED: Set = &[(1, 1), (2, 3), (3, 10), (4, 7), (5, 2)];

/// The endpoints that Envoy 1.40 chose for the values `user-0` to `user-199` of a header field, each at port 28080 and named
/// by its last number.
const CHOSEN_BY_ENVOY: &[(HashAlgorithm, Set, &str)] = &[
    (
        HashAlgorithm::Ring(1024),
        EQUAL,
        "14637436363275227263274173613355624371347576724542631646536625121323451563723427\
         21675551347763153562576726555343215356465173747563415167653526151615321756342734\
         6266512332675327614453263721645556576224",
    ),
    (
        HashAlgorithm::Ring(1024),
        WEIGHTED,
        "44534433323333225313244343423335424333343535344342332333333325432323454344243423\
         23331531341443453242444335333433235453434233343343414534453234431355333445342333\
         3233433332335323334443433223535544533224",
    ),
    (
        HashAlgorithm::Ring(1024),
        WITHOUT_THE_FOURTH,
        "13637636363275227263277373613355623372317576626532531611536625121323151563723227\
         21675551367763153562376726555363215756675173777563715167653526151615321756322737\
         6266612332675327613653263722635556576226",
    ),
    (
        HashAlgorithm::Ring(4096),
        EQUAL,
        "47677446363371637112224373613155646161722272744762532256252727151363515577745457\
         63655631343412453362426276356673615756477163753327414167557536131115231546112734\
         1227413712215137627413433621675556577224",
    ),
    (
        HashAlgorithm::Ring(4096),
        WEIGHTED,
        "34333444333443433232434333413355343433232332344342432233242353133333145544443453\
         33343331333342453342432244435433215453433133233423434134353534441314233444342334\
         3333433422335334324433433335335534553224",
    ),
    (
        HashAlgorithm::Ring(4096),
        WITHOUT_THE_FOURTH,
        "67727136363371637112526373613755625163722272725762535211252727151323515577725257\
         63655631333712753362126275316613615716777163757627216167557536131111231555112736\
         1227773712215137627513553621575526577271",
    ),
    (
        HashAlgorithm::Maglev(65537),
        EQUAL,
        "67114443471115775216124551443316731536624223377423752717734454175333331521677332\
         47122355622754146314537476674722411655257746154714377444515766266673235467761543\
         6621325713353364711337312465134161366162",
    ),
    (
        HashAlgorithm::Maglev(65537),
        WEIGHTED,
        "43114443444334333313234533443313431433324423323323432242434454133333334323353332\
         44322334422454444344333443344322441334455244454334342444235353235343334434331343\
         4321324343353334343333343435334544343443",
    ),
    (
        HashAlgorithm::Maglev(65537),
        WITHOUT_THE_FOURTH,
        "67116233671115775216121551223316731536625223377623752717736353175333331521677332\
         57122355622752126311537776673722211655257766157712377725515766266673235567761573\
         6621325713353362711337312165137161366162",
    ),
    (
        HashAlgorithm::Maglev(251),
        EQUAL,
        "74342325111746432347161752276113656344733343354767244727132461346633632122731673\
         74337527535534235426731576471626166337332776641562251614232161527374731274621215\
         1433237467243146457312112172365761342431",
    ),
    (
        HashAlgorithm::Maglev(251),
        WEIGHTED,
        "34342345234343432343131453234333553344443343344442244434342433343333334322233353\
         44334323533434233423231432433324333332334423333542234334233433523334333234333435\
         5433232413243343452333112242325332342433",
    ),
    (
        HashAlgorithm::Maglev(251),
        WITHOUT_THE_FOURTH,
        "73322325111766332337161752276113656123733363551762257727132761366633632122231673\
         71337527535536235226211576671626166337332726631562252616232161527375731277621215\
         1333237767263136157311112172365761312331",
    ),
];

fn entries(set: &[(u32, u32)]) -> Vec<HashEntry> {
    let total: u32 = set.iter().map(|(_, weight)| weight).sum();
    let entry = |(number, weight): &(u32, u32)| HashEntry {
        text: format!("127.0.0.{number}:28080").into(),
        share: f64::from(*weight) / f64::from(total),
    };
    set.iter().map(entry).collect()
}

fn key(number: usize) -> u64 {
    hash_text(format!("user-{number}").as_bytes(), 0)
}

const BOTH: [HashAlgorithm; 2] = [HashAlgorithm::Ring(1024), HashAlgorithm::Maglev(65537)];

#[test]
fn every_key_goes_where_envoy_sends_it() {
    for (algorithm, set, expected) in CHOSEN_BY_ENVOY {
        let table = HashTable::new(*algorithm, &entries(set));
        let chosen = |number| set[table.find(key(number), 0).unwrap()].0.to_string();
        assert_eq!((0..200).map(chosen).collect::<String>(), *expected, "{algorithm:?} {set:?}");
    }
}

#[test]
fn the_order_of_maglevs_endpoints_does_not_matter() {
    let mut turned = WEIGHTED.to_vec();
    turned.reverse();
    let (one, other) = (entries(WEIGHTED), entries(&turned));
    let [one, other] = [one, other].map(|entries| HashTable::new(HashAlgorithm::Maglev(65537), &entries));
    for number in 0..1000 {
        let last = WEIGHTED.len() - 1;
        assert_eq!(one.find(key(number), 0), other.find(key(number), 0).map(|at| last - at));
    }
}

#[test]
fn taking_one_endpoint_out_moves_little_more_than_its_keys() {
    const KEYS: usize = 20_000;
    for algorithm in BOTH {
        for count in [3u32, 10, 20, 50] {
            let all: Vec<(u32, u32)> = (1..=count).map(|number| (number, 1)).collect();
            let without: Vec<_> = all.iter().copied().filter(|(number, _)| *number != 2).collect();
            let before = HashTable::new(algorithm, &entries(&all));
            let after = HashTable::new(algorithm, &entries(&without));
            let is_moved = |number: &usize| {
                let key = key(*number);
                all[before.find(key, 0).unwrap()] != without[after.find(key, 0).unwrap()]
            };
            let moved = (0..KEYS).filter(is_moved).count() as f64 / KEYS as f64;
            // As in Envoy, a ring that has room for more places for each of the rest moves some of theirs too.
            let bound = match algorithm {
                HashAlgorithm::Ring(_) => 2.2 / f64::from(count),
                HashAlgorithm::Maglev(_) => 1.4 / f64::from(count),
            };
            assert!(moved <= bound, "{algorithm:?} {count}: {moved} > {bound}");
        }
    }
}

#[test]
fn shares_follow_weights() {
    for algorithm in BOTH {
        let table = HashTable::new(algorithm, &entries(WEIGHTED));
        let mut counts = [0u32; 5];
        (0..20_000).for_each(|number| counts[table.find(key(number), 0).unwrap()] += 1);
        for (count, (_, weight)) in counts.iter().zip(WEIGHTED) {
            let expected = 20_000.0 * f64::from(*weight) / 23.0;
            assert!((f64::from(*count) / expected - 1.0).abs() < 0.35, "{algorithm:?}: {counts:?}");
        }
    }
}

#[test]
fn another_attempt_goes_elsewhere_most_of_the_time() {
    for algorithm in BOTH {
        let table = HashTable::new(algorithm, &entries(EQUAL));
        let same = (0..1000).filter(|n| table.find(key(*n), 0) == table.find(key(*n), 1)).count();
        assert!(same < 300, "{algorithm:?}: {same}");
    }
}

#[test]
fn nobody_is_found_among_nobody() {
    for algorithm in BOTH {
        assert_eq!(HashTable::new(algorithm, &[]).find(7, 0), None);
    }
}

#[test]
fn the_share_of_a_new_endpoint_grows() {
    let warmup = |aggression| Warmup { duration: Duration::from_secs(100), minimum: 0.1, aggression };
    let at = |seconds, aggression| warmup(aggression).factor(Duration::from_secs(seconds));
    assert_eq!([at(0, 1.0), at(5, 1.0), at(50, 1.0), at(100, 1.0)], [0.1, 0.1, 0.5, 1.0]);
    assert_eq!(at(25, 2.0), 0.5);
    assert_eq!(at(50, 0.5), 0.25);
}
