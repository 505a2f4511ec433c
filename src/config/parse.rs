//! Files' bytes to [`Resources`]: documents, lists, identities, kinds.

use super::{
    DIAGNOSTICS_MAX, Diagnostic, FileId, ObjectRef, Severity, Span, Spanned, annotations,
    decode::{Decode, Decoder, Map, Step},
    kinds::{self, Class, Kind},
    report,
    resources::{Metadata, ObjectMeta, OtherKind, Resource, Resources},
    yaml::{self, Key, Node, Value},
};
use std::{collections::HashMap, sync::Arc};

/// The largest file. Places are kept in 32 bits, and 64 MiB is some 300,000 routes, more than a gateway should have.
pub(super) const FILE_BYTES_MAX: usize = 64 << 20;

/// Reads the contents of files, each with its name. Every problem is reported; an object with an error is left out.
///
/// Nothing is read from disk here: `load` does that.
pub fn parse(files: Vec<(String, Vec<u8>)>) -> (Resources, Vec<Diagnostic>) {
    let mut reader = Reader::default();
    for (name, bytes) in files {
        reader.file(&name, bytes);
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    resources: Resources,
    diagnostics: Vec<Diagnostic>,
    /// The objects so far, with their places.
    seen: HashMap<ObjectRef, Span>,
    /// The kinds that are not used, by `apiVersion` and kind: indices into [`Resources::other_kinds`].
    other_kinds: HashMap<(String, String), usize>,
}

/// What an object says about itself before anything else is looked at.
struct Identity {
    api_version: Option<Spanned<String>>,
    kind: Option<Spanned<String>>,
    object: ObjectRef,
}

impl Reader {
    fn file(&mut self, name: &str, bytes: Vec<u8>) {
        if bytes.len() > FILE_BYTES_MAX {
            let file = self.resources.sources.add(name, "");
            let message = format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20);
            self.diagnostics.push(Diagnostic::error("file-too-large", message).at(beginning(file)));
            return;
        }
        // One copy is enough of what may be large: the bytes go before the work begins.
        let text: Arc<str> = match String::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(error) => return self.not_text(name, &error),
        };
        let file = self.resources.sources.add(name, Arc::clone(&text));
        for chunk in yaml::chunks(&text, file, &mut self.diagnostics) {
            if self.diagnostics.len() > DIAGNOSTICS_MAX {
                return;
            }
            self.document(&chunk);
        }
    }

    fn not_text(&mut self, name: &str, error: &std::string::FromUtf8Error) {
        let valid_bytes = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        let valid = text.get(..valid_bytes).unwrap_or("");
        let file = self.resources.sources.add(name, &*text);
        if looks_secret(&text) {
            self.resources.sources.hide(Span { end: text.len() as u32, ..beginning(file) });
        }
        let line = valid.matches('\n').count() as u32 + 1;
        let column = valid.rsplit('\n').next().unwrap_or("").chars().count() as u32 + 1;
        let (start, end) = (valid_bytes as u32, valid_bytes as u32);
        let problem = Diagnostic::error("not-utf8", "the file is not UTF-8 text");
        self.diagnostics.push(problem.at(Span { file, start, end, line, column }));
    }

    fn document(&mut self, chunk: &yaml::Chunk<'_>) {
        let mut problems = Vec::new();
        let document = yaml::document(chunk, &mut problems);
        let identity = document.root.as_ref().map(|root| identity(root, None));
        let object = identity.filter(|identity| identity.kind.is_some()).map(|identity| identity.object);
        let is_broken = problems.iter().any(|problem| problem.severity == Severity::Error);
        if is_broken {
            self.resources.broken.extend(object.clone());
            if looks_secret(chunk.text) {
                self.resources.sources.hide(chunk.span);
            }
        }
        for mut problem in problems {
            problem.object = object.clone();
            report(&mut self.diagnostics, problem);
        }
        if let Some(root) = document.root.filter(|_| document.complete) {
            let is_empty = root.is_null();
            let condition = if is_broken { Condition::Broken } else { Condition::Good };
            if !is_empty {
                self.object(&root, None, condition);
            }
        }
    }

    fn object(&mut self, node: &Node<'_>, list: Option<&Identity>, condition: Condition) {
        let identity = identity(node, list);
        let (Some(api_version), Some(kind)) = (&identity.api_version, &identity.kind) else {
            return self.not_an_object(node, &identity);
        };
        if kind.contains("Secret") {
            self.resources.sources.hide(node.span);
        }
        match kinds::classify(api_version, kind) {
            Class::Known(known) => self.known(node, known, &identity.object, condition),
            Class::Other(_) if is_list(node, kind) && list.is_none() => self.list(node, &identity, condition),
            Class::Other(meant) => self.other(&identity, api_version, kind, meant),
            Class::WrongVersion(right) => {
                let message = format!("{} does not exist in `{}`", kind.value, api_version.escape_debug());
                let problem =
                    Diagnostic::error("unknown-version", message).at(api_version.span).field("apiVersion");
                let problem = problem.help(format!("expected apiVersion {}", right.join(", or ")));
                self.diagnostics.push(problem.about(&identity.object));
                self.resources.broken.insert(identity.object);
            }
        }
    }

    /// `kind: List`, and what servers answer with: `kind: VirtualServiceList`.
    fn list(&mut self, node: &Node<'_>, identity: &Identity, condition: Condition) {
        const FIELDS: &[&str] = &["apiVersion", "kind", "metadata", "items"];
        if let Value::Map(entries) = node.value() {
            let mut decoder = Decoder::new(&mut self.diagnostics, None, super::decode::Dialect::Kubernetes);
            for (key, _) in entries.iter().filter(|(key, _)| !FIELDS.contains(&&*key.text)) {
                decoder.unknown_field(key, FIELDS);
            }
        }
        let Some(Value::List(items)) = node.get("items").map(Node::value) else { return };
        for (index, item) in items.iter().enumerate() {
            let before = self.diagnostics.len();
            if before > DIAGNOSTICS_MAX {
                return;
            }
            self.object(item, Some(identity), condition);
            for diagnostic in self.diagnostics.iter_mut().skip(before).filter(|d| d.object.is_none()) {
                Step::Index(index).prepend(&mut diagnostic.field);
                Step::Field("items").prepend(&mut diagnostic.field);
            }
        }
    }

    fn not_an_object(&mut self, node: &Node<'_>, identity: &Identity) {
        let missing = if identity.kind.is_none() { "kind" } else { "apiVersion" };
        let message = match node.value() {
            Value::Map(_) => format!("`{missing}` is missing, or is not text"),
            _ => "this is not an object: it has no `kind`".to_owned(),
        };
        self.diagnostics.push(
            Diagnostic::error("not-an-object", message)
                .at(node.span)
                .help("every document has apiVersion, kind and metadata, as kubectl takes them"),
        );
    }

    fn other(
        &mut self,
        identity: &Identity,
        api_version: &Spanned<String>,
        kind: &Spanned<String>,
        meant: Option<&str>,
    ) {
        if let Some(meant) = meant {
            let message = format!("unknown kind `{}`", kind.escape_debug());
            let problem = Diagnostic::error("unknown-kind", message)
                .at(kind.span)
                .field("kind")
                .about(&identity.object);
            self.diagnostics.push(problem.help(format!("did you mean {meant}?")));
            self.resources.broken.insert(ObjectRef { kind: meant.into(), ..identity.object.clone() });
            return;
        }
        if kinds::is_policy(api_version, kind) {
            let message =
                format!("{} is not supported: what it restricts or changes is not enforced", kind.value);
            let problem = Diagnostic::warning("policy-not-enforced", message).at(kind.span).field("kind");
            self.diagnostics.push(problem.about(&identity.object));
        }
        let others = &mut self.resources.other_kinds;
        let name = (api_version.value.clone(), kind.value.clone());
        let index = *self.other_kinds.entry(name).or_insert(others.len());
        match others.get_mut(index) {
            Some(other) => other.count += 1,
            None => {
                let (api_version, kind, first) = (api_version.value.clone(), kind.value.clone(), kind.span);
                others.push(OtherKind { api_version, kind, count: 1, first });
            }
        }
    }

    fn known(&mut self, node: &Node<'_>, kind: &'static Kind, object: &ObjectRef, condition: Condition) {
        let mut object = Object { reader: self, node, kind, object, condition };
        match kind.name {
            "Gateway" => object.with_spec(|resources| &mut resources.gateways),
            "VirtualService" => object.with_spec(|resources| &mut resources.virtual_services),
            "DestinationRule" => object.with_spec(|resources| &mut resources.destination_rules),
            "ServiceEntry" => object.with_spec(|resources| &mut resources.service_entries),
            "WorkloadEntry" => object.with_spec(|resources| &mut resources.workload_entries),
            "RequestAuthentication" => object.with_spec(|resources| &mut resources.request_authentications),
            "AuthorizationPolicy" => object.with_spec(|resources| &mut resources.authorization_policies),
            "Telemetry" => object.with_spec(|resources| &mut resources.telemetries),
            "IstioOperator" => object.with_spec(|resources| &mut resources.istio_operators),
            "Service" => object.with_spec(|resources| &mut resources.services),
            "Endpoints" => object.without_spec(|resources| &mut resources.endpoints),
            "EndpointSlice" => object.without_spec(|resources| &mut resources.endpoint_slices),
            "Secret" => object.without_spec(|resources| &mut resources.secrets),
            "ConfigMap" => object.without_spec(|resources| &mut resources.config_maps),
            _ => debug_assert!(false, "every kind of the table is read here"),
        }
    }

    fn finish(mut self) -> (Resources, Vec<Diagnostic>) {
        if self.diagnostics.len() > DIAGNOSTICS_MAX {
            self.diagnostics.truncate(DIAGNOSTICS_MAX);
            let message = format!("there are more than {DIAGNOSTICS_MAX} problems; the rest is not read");
            self.diagnostics.push(Diagnostic::error("too-many-problems", message));
        }
        self.diagnostics.extend(self.resources.note_other_kinds());
        self.diagnostics
            .sort_by_key(|diagnostic| diagnostic.span.map_or((FileId(u32::MAX), 0), |s| (s.file, s.start)));
        (self.resources, self.diagnostics)
    }
}

/// Whether something is already known to be wrong with a document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Good,
    Broken,
}

/// One object of a kind that is read.
struct Object<'r, 'n, 't> {
    reader: &'r mut Reader,
    node: &'n Node<'t>,
    kind: &'static Kind,
    object: &'n ObjectRef,
    condition: Condition,
}

/// The fields of every object.
const ENVELOPE: &[&str] = &["apiVersion", "kind", "metadata", "status"];
/// The same, for kinds with `spec`.
const ENVELOPE_WITH_SPEC: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];

impl<'n, 't> Object<'_, 'n, 't> {
    fn with_spec<T: Decode>(&mut self, list: fn(&mut Resources) -> &mut Vec<Resource<T>>) {
        let before = self.reader.diagnostics.len();
        let entries = self.entries();
        let mut decoder = Decoder::new(&mut self.reader.diagnostics, Some(self.object), self.kind.dialect);
        for (key, _) in entries.iter().filter(|(key, _)| !ENVELOPE_WITH_SPEC.contains(&&*key.text)) {
            decoder.unknown_field(key, ENVELOPE_WITH_SPEC);
        }
        let spec = match self.node.get("spec").filter(|spec| !spec.is_null()) {
            Some(spec) => decoder.within(Step::Field("spec"), |decoder| T::decode(spec, decoder)),
            None => {
                let problem = Diagnostic::error("missing-field", "`spec` is missing").at(self.node.span);
                decoder.report(problem.field("spec"));
                None
            }
        };
        self.keep(before, spec, list);
    }

    fn without_spec<T: Decode>(&mut self, list: fn(&mut Resources) -> &mut Vec<Resource<T>>) {
        let before = self.reader.diagnostics.len();
        let own = self.entries().iter().filter(|(key, _)| !ENVELOPE.contains(&&*key.text)).cloned().collect();
        let node = Node::map(own, self.node.span);
        let mut decoder = Decoder::new(&mut self.reader.diagnostics, Some(self.object), self.kind.dialect);
        let content = T::decode(&node, &mut decoder);
        self.keep(before, content, list);
    }

    fn entries(&self) -> &'n [(Key<'t>, Node<'t>)] {
        match self.node.value() {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Puts the object into its list if nothing is wrong with it, else among the incomplete ones. `before` is how many problems there were before it.
    fn keep<T>(&mut self, before: usize, spec: Option<T>, list: fn(&mut Resources) -> &mut Vec<Resource<T>>) {
        let meta = self.metadata();
        let reader = &mut *self.reader;
        let problems = reader.diagnostics.iter().skip(before);
        let unread: Vec<String> = problems
            .filter(|problem| problem.severity == Severity::Error)
            .map(|problem| problem.field.clone())
            .collect();
        let (Some(meta), Some(spec), Condition::Good) = (meta, spec, self.condition) else {
            reader.broken(self.object);
            return;
        };
        let resource = Resource { meta, spec, span: self.node.span, object: self.object.clone() };
        if !unread.is_empty() {
            reader.broken(self.object);
            let incomplete = reader.resources.incomplete.get_or_insert_default();
            incomplete.unread.entry(self.object.clone()).or_default().extend(unread);
            list(&mut incomplete.objects).push(resource);
            return;
        }
        let name = &resource.meta.name;
        let first = reader.seen.get(self.object).filter(|_| !name.is_empty());
        if let Some(&first) = first {
            reader.diagnostics.push(
                Diagnostic::error("duplicate-object", format!("{} is defined twice", self.object))
                    .at(name.span)
                    .about(self.object)
                    .field("metadata.name")
                    .label(first, "first defined here"),
            );
            return;
        }
        reader.seen.insert(self.object.clone(), name.span);
        list(&mut reader.resources).push(resource);
    }

    fn metadata(&mut self) -> Option<Metadata> {
        let mut decoder =
            Decoder::new(&mut self.reader.diagnostics, Some(self.object), super::decode::Dialect::Kubernetes);
        let node = self.node.get("metadata").filter(|node| !node.is_null());
        let meta = match node {
            Some(node) => {
                decoder.within(Step::Field("metadata"), |decoder| ObjectMeta::decode(node, decoder))?
            }
            None => ObjectMeta::default(),
        };
        let ObjectMeta { name, namespace, labels, annotations, creation_timestamp, .. } = meta;
        let name = name.filter(|name| !name.is_empty());
        // `istioctl install -f` takes IstioOperators without a name, and its own profiles have none.
        let unnamed =
            (self.kind.name == "IstioOperator").then(|| Spanned::new(String::new(), self.node.span));
        let Some(name) = name.or(unnamed) else {
            let place = node.map_or(self.node.span, |node| node.span);
            let problem =
                Diagnostic::error("missing-field", "the object has no name").at(place).field("metadata.name");
            decoder.report(problem);
            return None;
        };
        let default = || Spanned::new(DEFAULT_NAMESPACE.to_owned(), name.span);
        let namespace = namespace.filter(|namespace| !namespace.is_empty()).unwrap_or_else(default);
        let (labels, annotations): (Map<String>, Map<String>) = (labels, annotations);
        let file = self.reader.resources.sources.file(self.node.span.file);
        let text = file.map_or("", |file| &file.text);
        let mut decoder =
            Decoder::new(&mut self.reader.diagnostics, Some(self.object), super::decode::Dialect::Kubernetes);
        let own = annotations::read(&annotations, self.kind.name, text, &mut decoder);
        Some(Metadata { name, namespace, labels, annotations, own, creation_timestamp })
    }
}

/// The namespace of objects that do not say theirs, as with `kubectl apply`.
const DEFAULT_NAMESPACE: &str = "default";

impl Reader {
    fn broken(&mut self, object: &ObjectRef) {
        self.resources.broken.insert(object.clone());
    }
}

/// What an object says about itself; an item of a typed list may leave it to the list.
fn identity(node: &Node<'_>, list: Option<&Identity>) -> Identity {
    let text = |node: Option<&Node<'_>>| {
        let node = node?;
        let text = node.text().filter(|text| !text.is_empty())?;
        Some(Spanned::new(text.to_owned(), node.span))
    };
    let of_list = list.and_then(|list| {
        let kind = list.kind.as_ref()?;
        let item = kind.strip_suffix("List").filter(|item| !item.is_empty())?;
        Some((list.api_version.clone()?, Spanned::new(item.to_owned(), kind.span)))
    });
    let (of_list_version, of_list_kind) = of_list.unzip();
    let api_version = text(node.get("apiVersion")).or(of_list_version);
    let kind = text(node.get("kind")).or(of_list_kind);
    let metadata =
        |field| text(node.get("metadata").and_then(|metadata| metadata.get(field))).map(|text| text.value);
    let object = ObjectRef {
        kind: kind.as_ref().map_or("", |kind| kind.as_str()).into(),
        namespace: metadata("namespace").as_deref().unwrap_or(DEFAULT_NAMESPACE).into(),
        name: metadata("name").as_deref().unwrap_or("").into(),
    };
    Identity { api_version, kind, object }
}

fn is_list(node: &Node<'_>, kind: &str) -> bool {
    kind.ends_with("List") && matches!(node.get("items").map(Node::value), Some(Value::List(_)))
}

/// Whether the text of a broken document may have a Secret in it.
fn looks_secret(text: &str) -> bool {
    text.contains("Secret") || text.contains("stringData")
}

fn beginning(file: FileId) -> Span {
    Span { file, start: 0, end: 0, line: 1, column: 1 }
}
