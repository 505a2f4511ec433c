//! Answers that are too large to be held: they are written piece by piece as the client takes them, as JSON or as the same
//! in lines. While a client takes its time nothing is written, and between two pieces the control thread does other work.

use super::{
    endpoint::Format,
    readable,
    reply::{Content, Reply},
};
use hyper::body::Bytes;
use serde_json::Value;
use tokio::{sync::mpsc, task::spawn_local};

/// A piece: what is written at once, well below a millisecond.
const PIECE_BYTES: usize = 32 << 10;
/// Pieces that may wait for the client.
const PIECES_MAX: usize = 1;

/// Nobody reads any more.
#[derive(Debug)]
pub(super) struct Gone;

/// One value in the making: an object with fields and lists of objects.
pub(super) struct Pieces {
    format: Format,
    to: mpsc::Sender<Bytes>,
    text: String,
    open: Vec<Level>,
    /// The next line begins an item of a list.
    is_item: bool,
}

enum Level {
    Object {
        is_empty: bool,
    },
    /// The name is written with the first item, so that a list without items is not there.
    List {
        name: &'static str,
        is_empty: bool,
    },
}

/// An answer in pieces: `write` writes it into what it is given.
pub(super) fn reply<F>(format: Format, write: impl FnOnce(Pieces) -> F) -> Reply
where
    F: Future<Output = Result<(), Gone>> + 'static,
{
    let (to, pieces) = mpsc::channel(PIECES_MAX);
    let writes = write(Pieces::new(format, to));
    // A client that has gone needs no more.
    spawn_local(async { drop(writes.await) });
    Reply {
        status: 200,
        content_type: format.content_type(),
        content: Content::Pieces(pieces),
        policy: None,
        allow: None,
    }
}

/// Lines in the making.
pub(super) struct Lines(Pieces);

/// An answer of lines, in pieces: `write` writes them into what it is given.
pub(super) fn lines<F>(write: impl FnOnce(Lines) -> F) -> Reply
where
    F: Future<Output = Result<(), Gone>> + 'static,
{
    reply(Format::Text, |pieces| write(Lines(pieces)))
}

impl Lines {
    /// Where they are written.
    pub(super) fn text(&mut self) -> &mut String {
        &mut self.0.text
    }

    /// Lets others work, if there is a piece to pass on.
    pub(super) async fn turn(&mut self) -> Result<(), Gone> {
        self.0.pass_on(PIECE_BYTES).await
    }

    /// Passes on the rest.
    pub(super) async fn finish(mut self) -> Result<(), Gone> {
        self.0.pass_on(1).await
    }
}

impl Pieces {
    fn new(format: Format, to: mpsc::Sender<Bytes>) -> Pieces {
        Pieces { format, to, text: String::new(), open: Vec::new(), is_item: false }
    }

    /// Begins an object: the whole, or an item of a list.
    pub(super) fn object(&mut self) {
        self.begin_item();
        if self.is_json() {
            self.text.push('{');
        }
        self.is_item = !self.open.is_empty();
        self.open.push(Level::Object { is_empty: true });
    }

    /// Begins a field that is a list.
    pub(super) fn list(&mut self, name: &'static str) {
        if self.is_json() {
            self.begin_field(name);
            self.text.push('[');
        }
        self.open.push(Level::List { name, is_empty: true });
    }

    /// Ends the object or list that was begun last.
    pub(super) fn end(&mut self) {
        match self.open.pop() {
            Some(Level::Object { .. }) if self.is_json() => self.text.push('}'),
            Some(Level::List { .. }) if self.is_json() => self.text.push(']'),
            _ => {}
        }
    }

    /// A field of the present object.
    pub(super) async fn field(&mut self, name: &'static str, value: &Value) -> Result<(), Gone> {
        if self.is_json() {
            self.begin_field(name);
            self.text.push_str(&value.to_string());
        } else if !readable::is_nothing(value) {
            let (begins, column) = (self.text.len(), self.column());
            readable::field(name, value, column, &mut self.text);
            self.dash(begins, column);
        }
        self.pass_on(PIECE_BYTES).await
    }

    /// An item of the present list.
    pub(super) async fn item(&mut self, value: &Value) -> Result<(), Gone> {
        self.begin_item();
        if self.is_json() {
            self.text.push_str(&value.to_string());
        } else {
            readable::item(value, self.column(), &mut self.text);
        }
        self.pass_on(PIECE_BYTES).await
    }

    /// Ends the whole.
    pub(super) async fn finish(mut self) -> Result<(), Gone> {
        if self.is_json() {
            self.text.push('\n');
        }
        self.pass_on(1).await
    }

    fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Where the lines of the present object or list begin.
    fn column(&self) -> usize {
        self.open.len().saturating_sub(1) * 2
    }

    /// The first line of an object that is an item has a dash before it.
    fn dash(&mut self, begins: usize, column: usize) {
        if std::mem::take(&mut self.is_item) && column >= 2 {
            self.text.replace_range(begins + column - 2..begins + column, "- ");
        }
    }

    fn begin_field(&mut self, name: &str) {
        if let Some(Level::Object { is_empty }) = self.open.last_mut()
            && !std::mem::replace(is_empty, false)
        {
            self.text.push_str(",\n");
        }
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    fn begin_item(&mut self) {
        let Some(Level::List { name, is_empty }) = self.open.last_mut() else { return };
        let (name, is_first) = (*name, std::mem::replace(is_empty, false));
        if self.is_json() {
            self.text.push_str(if is_first { "\n" } else { ",\n" });
        } else if is_first {
            let (begins, column) = (self.text.len(), self.column() - 2);
            readable::indent(column, &mut self.text);
            self.text.push_str(name);
            self.text.push_str(":\n");
            self.dash(begins, column);
        }
    }

    async fn pass_on(&mut self, from_bytes: usize) -> Result<(), Gone> {
        if self.text.len() < from_bytes {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.text, String::with_capacity(PIECE_BYTES + PIECE_BYTES / 4));
        self.to.send(piece.into()).await.map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::block_on;
    use serde_json::json;

    async fn write(mut pieces: Pieces) -> Result<(), Gone> {
        pieces.object();
        pieces.field("generation", &json!(7)).await?;
        pieces.list("nothing");
        pieces.end();
        pieces.list("tables");
        for number in [1, 2] {
            pieces.object();
            pieces.field("none", &Value::Null).await?;
            pieces.list("hosts");
            pieces.object();
            pieces.field("host", &json!(format!("h{number}"))).await?;
            pieces.list("routes");
            pieces.item(&json!({"a": 1, "b": [2]})).await?;
            pieces.item(&json!("x")).await?;
            pieces.end();
            pieces.end();
            pieces.end();
            pieces.field("name", &json!("n")).await?;
            pieces.end();
        }
        pieces.end();
        pieces.end();
        pieces.finish().await
    }

    fn written(format: Format) -> String {
        let collect = async {
            let (to, mut pieces) = mpsc::channel(PIECES_MAX);
            let writing = spawn_local(write(Pieces::new(format, to)));
            let mut all = Vec::new();
            while let Some(piece) = pieces.recv().await {
                all.extend_from_slice(&piece);
            }
            writing.await.unwrap().unwrap();
            all
        };
        String::from_utf8(block_on(collect).unwrap()).unwrap()
    }

    #[test]
    fn nested_lists_in_both_formats() {
        let value: Value = serde_json::from_str(&written(Format::Json)).unwrap();
        let table = |host: &str| {
            json!({
                "none": null,
                "hosts": [{"host": host, "routes": [{"a": 1, "b": [2]}, "x"]}],
                "name": "n",
            })
        };
        assert_eq!(value, json!({"generation": 7, "nothing": [], "tables": [table("h1"), table("h2")]}));
        let table = |host: &str| {
            format!(
                "  - hosts:\n      - host: {host}\n        routes:\n          - a: 1\n            b: 2\n          - x\n    name: n\n"
            )
        };
        assert_eq!(written(Format::Text), format!("generation: 7\ntables:\n{}{}", table("h1"), table("h2")));
    }
}
