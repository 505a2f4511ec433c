//! Whatever a file has in it: every byte is read without a panic, in the end, and every problem has a place in the file.

use crate::config::{
    Diagnostic, Resources, Severity, parse,
    render::{Color, Format, render},
};

/// Files that use a little of everything.
const CORPUS: [&str; 7] = [
    "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: public, namespace: infra, labels: {a: b}}\nspec:\n  \
     selector: {istio: ingressgateway}\n  servers:\n  - port: {number: 443, name: https, protocol: HTTPS}\n    \
     hosts: [\"shop/*.example.com\", 'api.example.com']\n    tls: {mode: SIMPLE, credentialName: wildcard, cipherSuites: [A]}\n",
    "apiVersion: networking.istio.io/v1beta1\nkind: VirtualService\nmetadata:\n  name: web # comment\nspec:\n  hosts:\n  - a.com\n  \
     http:\n  - &route\n    match:\n    - uri: {prefix: /api}\n      headers:\n        x: {exact: \"ä\\u00e9\"}\n    \
     route: [{destination: {host: api, port: {number: 8080}}, weight: 5}]\n    timeout: 1.5s\n  - <<: *route\n    timeout: 2s\n  \
     - directResponse: {status: 200, body: {string: |\n        text\n        }}\n",
    "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: kubernetes.io/tls\ndata:\n  tls.crt: Zm9v\n  tls.key: >-\n    Zm9v\n    Zm9v\n\
     stringData:\n  a: 'it''s'\n---\n# empty\n---\nkind: List\napiVersion: v1\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  \
     metadata: {name: c}\n  data: {k: \"v\\n\"}\n",
    "{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {\"name\": \"web\"},\n \"spec\": {\"ports\": \
     [{\"port\": 80, \"targetPort\": \"http\"}], \"selector\": {\"app\": \"\\ud83d\\ude00\"}}}\n{\"a\": [1, -2.5e3, true, null]}",
    "%YAML 1.2\n---\n!!map\n? apiVersion\n: networking.istio.io/v1alpha3\n? kind\n: DestinationRule\nmetadata:\n  name: &n d\n  \
     annotations: {x: *n}\nspec:\n  host: api\n  trafficPolicy:\n    loadBalancer: {consistentHash: {httpCookie: {name: c, ttl: 0s}}}\n...\n",
    "apiVersion: networking.istio.io/v1\r\nkind: ServiceEntry\r\nmetadata:\r\n  name: ext\r\nspec:\r\n  hosts: [x.org]\r\n  \
     ports:\r\n  - number: 443\r\n    name: https\r\n    protocol: HTTPS\r\n  resolution: DNS\r\n  endpoints:\r\n  \
     - address: 10.0.0.1\r\n    ports: {https: 8443}\r\n",
    "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: o}\nspec:\n  meshConfig:\n    accessLogFile: /dev/stdout\n    \
     defaultConfig: {gatewayTopology: {numTrustedProxies: 1}}\n  components:\n    ingressGateways:\n    - name: gw\n      \
     k8s: {service: {ports: [{port: 80, targetPort: 8080}]}, hpaSpec: {maxReplicas: 2}}\n",
];

/// What YAML and JSON are sensitive to.
const PIECES: [&str; 36] = [
    ":", ": ", "-", "- ", "\n", "\r\n", "\t", " ", "  ", "#", " #", "\"", "'", "\\", "\\u", "{", "}", "[",
    "]", ",", "&a ", "*a", "<<: ", "!", "!!str ", "|\n", ">\n", "?", "%", "---\n", "...\n", "\u{feff}", "é",
    "\u{0}", "null", "~",
];

/// Xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let end = (at + self.below(12)).min(bytes.len());
        match self.below(7) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..end, PIECES[self.below(PIECES.len())].bytes())),
            3 => drop(bytes.splice(at..at, PIECES[self.below(PIECES.len())].bytes())),
            4 => drop(bytes.splice(at..at, [self.below(256) as u8])),
            5 => {
                let part = bytes[at..(at + self.below(200)).min(bytes.len())].to_vec();
                let to = self.below(bytes.len() + 1);
                drop(bytes.splice(to..to, part));
            }
            _ => {
                let other = CORPUS[self.below(CORPUS.len())].as_bytes();
                let from = self.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
}

fn check(bytes: Vec<u8>) -> (Resources, Vec<Diagnostic>) {
    let (resources, diagnostics) = parse(vec![("f".to_owned(), bytes)]);
    for diagnostic in &diagnostics {
        for span in diagnostic.span.iter().chain(diagnostic.labels.iter().map(|label| &label.span)) {
            let text = &resources.sources.file(span.file).unwrap().text;
            let (start, end) = (span.start as usize, span.end as usize);
            assert!(
                start <= end && text.is_char_boundary(start) && text.is_char_boundary(end),
                "{diagnostic:?}"
            );
            assert_eq!(
                span.line as usize,
                text[..start].matches('\n').count() + 1,
                "{diagnostic:?} in {text:?}"
            );
            let line_before = text[..start].rsplit('\n').next().unwrap_or("");
            let line_after = text[start..].split('\n').next().unwrap_or("");
            // The parser counts a byte order mark, and the two characters of a newline, as it likes.
            let is_odd = [line_before, line_after].concat().contains(['\u{feff}', '\r']);
            assert!(
                span.column as usize == line_before.chars().count() + 1 || is_odd,
                "{diagnostic:?} in {text:?}"
            );
        }
    }
    for format in [Format::Human(Color::None), Format::Json, Format::Github] {
        render(&diagnostics, &resources.sources, format);
    }
    (resources, diagnostics)
}

#[test]
fn the_corpus_is_good() {
    for (index, text) in CORPUS.iter().enumerate() {
        let errors = check(text.as_bytes().to_vec()).1;
        let errors: Vec<_> =
            errors.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect();
        // One has a second value that is no object.
        assert_eq!(errors.len(), usize::from(index == 3), "{errors:?}");
    }
}

#[test]
fn mutated_files() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..4_000 {
        let mut bytes = CORPUS[random.below(CORPUS.len())].as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            random.mutate(&mut bytes);
        }
        check(bytes);
    }
}

#[test]
fn heaps_of_pieces() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..3_000 {
        let count = random.below(60);
        let pieces = (0..count).flat_map(|_| {
            let piece = PIECES[random.below(PIECES.len())];
            if random.below(3) == 0 { ["a", piece] } else { [piece, ""] }
        });
        let text: String = pieces.collect();
        check(text.into_bytes());
    }
}

#[test]
fn random_bytes() {
    let mut random = Random(0xdead_beef_cafe_f00d);
    for _ in 0..1_000 {
        let length = random.below(300);
        check((0..length).map(|_| random.below(256) as u8).collect());
    }
}

/// What costs the square of its length would make this test very slow.
#[test]
fn long_repetitions() {
    const BYTES: usize = 16 << 10;
    let beginnings =
        ["", "[", "a: \"", "a: |\n  ", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n"];
    let more = [
        "a: 1\n",
        "- - a\n",
        "{}",
        "[]{}",
        "{\"a\":1}",
        "é: é, ",
        "a: &a b\n",
        "? a\n: b\n",
        "*a, ",
        "{a: ",
        "a,",
        " # é\n",
    ];
    for piece in PIECES.iter().chain(&more) {
        for beginning in beginnings {
            check(format!("{beginning}{}", piece.repeat(BYTES / piece.len())).into_bytes());
        }
    }
}
