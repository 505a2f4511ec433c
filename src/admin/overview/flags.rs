//! Response flags in plain words: what happened, and where to look.

/// Envoy's letters, what they mean to somebody who does not know them, and what to do about it.
const MEANINGS: &[(&str, &str)] = &[
    ("NR", "No route: no rule fits the request's host and path. Explain says what came nearest."),
    ("NC", "The rule's destination does not exist in the configuration."),
    ("UH", "No healthy endpoint: the destination has none, or all of them are put out."),
    (
        "UF",
        "The connection to the destination could not be opened: nobody listens there, a firewall, or TLS.",
    ),
    ("UC", "The destination closed the connection before its answer was whole."),
    ("UR", "The destination reset the request."),
    ("UO", "A limit of the destination was reached (its connection pool), so the request was not sent."),
    ("UPE", "The destination's answer was not valid HTTP."),
    ("UT", "The destination did not answer within the timeout of the rule."),
    ("URX", "All retries were used up."),
    ("DC", "The client went away before it had its whole answer."),
    ("DR", "The client reset its HTTP/2 stream, such as when a page is left."),
    ("DT", "The request took longer than its client allows (grpc-timeout)."),
    ("DPE", "The client broke the protocol, or its TLS handshake failed."),
    ("SI", "Nothing moved on the request for too long."),
    ("DI", "The request was delayed by a fault rule."),
    ("FI", "The request was failed by a fault rule."),
    ("RL", "Refused because there were too many requests (rate limit)."),
    ("UAEX", "Refused by a policy of who may come in."),
    ("OM", "The gateway itself was at a limit, such as of connections or memory."),
    ("LR", "The gateway reset the connection."),
    ("UMSDR", "Nobody answered for the name of the destination."),
];

/// What flags mean, such as `UT` or `UF,URX`; empty for none.
pub(super) fn meaning(flags: &str) -> String {
    let of = |flag: &str| {
        let known = MEANINGS.iter().find(|(letters, _)| *letters == flag);
        known.map_or("A flag without an explanation here.", |(_, meaning)| meaning)
    };
    let each = flags.split(',').map(str::trim).filter(|flag| !flag.is_empty() && *flag != "-");
    each.map(of).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Flag;

    #[test]
    fn every_flag_that_there_is_has_a_meaning() {
        for flag in Flag::ALL {
            assert!(!meaning(flag.as_str()).contains("without an explanation"), "{flag}");
        }
        assert_eq!(meaning("UF,URX").matches('.').count(), 2);
        assert_eq!((meaning("-"), meaning("")), (String::new(), String::new()));
        assert!(meaning("ZZ").contains("without"));
    }
}
