//! The fields of a document, in the order received, the same for XML and JSON. Start at [`Fields`].

/// The fields of a push, or of an element inside it, in the order received.
///
/// Numbers, `true` and `false` are kept as the text received, `null` and an empty element as an empty text; so
/// a 20-digit id never passes through a float. An array of JSON and a repeated element of XML are the same
/// thing here: several fields with one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<Field>);

/// One field of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name as received.
    pub name: String,
    /// What it holds.
    pub value: Value,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text, or a number as text.
    Text(String),
    /// Further fields.
    Nested(Fields),
}

impl Fields {
    /// No fields.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// Adds a field at the end.
    pub fn push(&mut self, name: impl Into<String>, value: Value) {
        self.0.push(Field { name: name.into(), value });
    }

    /// The first field of this name. Where none has exactly this spelling, upper and lower case are taken for
    /// the same, because WeChat itself writes `MsgId` and `MsgID`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let exact = self.0.iter().find(|f| f.name == name);
        exact.or_else(|| self.0.iter().find(|f| f.name.eq_ignore_ascii_case(name)))
    }

    /// The text of the first field of this name, exactly as received; `None` when there is no such field or it
    /// holds further fields.
    pub fn get(&self, name: &str) -> Option<&str> {
        match &self.field(name)?.value {
            Value::Text(text) => Some(text),
            Value::Nested(_) => None,
        }
    }

    /// The fields inside the first field of this name.
    pub fn nested(&self, name: &str) -> Option<&Fields> {
        match &self.field(name)?.value {
            Value::Nested(fields) => Some(fields),
            Value::Text(_) => None,
        }
    }

    /// Every value of this name (upper and lower case are the same), in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |f| f.name.eq_ignore_ascii_case(name)).map(|f| &f.value)
    }

    /// The fields in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.0.iter()
    }

    /// How many fields there are, not counting those inside others.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text without white space around it; empty where there is none. For everything but what a person
    /// wrote.
    pub(crate) fn token(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default().trim()
    }

    /// The trimmed text as an owned string.
    pub(crate) fn string(&self, name: &str) -> String {
        self.token(name).to_owned()
    }

    /// The trimmed text unless it is empty.
    pub(crate) fn optional(&self, name: &str) -> Option<String> {
        Some(self.token(name)).filter(|t| !t.is_empty()).map(str::to_owned)
    }

    /// The trimmed text as a number.
    pub(crate) fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.token(name).parse().ok()
    }

    /// The trimmed text as a finite decimal number: coordinates, never an id.
    pub(crate) fn decimal(&self, name: &str) -> Option<f64> {
        self.number::<f64>(name).filter(|n| n.is_finite())
    }

    /// Every text below here with its name, depth first.
    pub(crate) fn leaves<'a>(&'a self, into: &mut Vec<(&'a str, &'a str)>) {
        for field in &self.0 {
            match &field.value {
                Value::Text(text) => into.push((&field.name, text)),
                Value::Nested(fields) => fields.leaves(into),
            }
        }
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a Field;
    type IntoIter = std::slice::Iter<'a, Field>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
