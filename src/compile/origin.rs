//! Places in the user's files as the snapshot keeps them.

use crate::{
    config::{ObjectRef, Resources, Span},
    table::Source,
};
use std::sync::Arc;

/// Turns places into [`Source`]s.
pub(super) struct Origins {
    files: Vec<Arc<str>>,
}

/// `VirtualService default/web`, shared by all sources within the object.
pub(super) type Title = Arc<str>;

impl Origins {
    pub(super) fn new(resources: &Resources) -> Origins {
        let mut files = Vec::new();
        while let Some(file) = resources.sources.file(crate::config::FileId(files.len() as u32)) {
            files.push(Arc::clone(&file.name));
        }
        Origins { files }
    }

    /// A place within an object.
    pub(super) fn source(&self, title: &Title, span: Span) -> Source {
        let file = self.files.get(span.file.0 as usize).cloned().unwrap_or_else(|| "".into());
        Source { object: Arc::clone(title), file, line: span.line, column: span.column }
    }
}

pub(super) fn title(object: &ObjectRef) -> Title {
    object.to_string().into()
}
