//! A schema with its references, `allOf` and "null or …" resolved, so that two ways of writing the same thing compare equal.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Words that are for readers: a change of them breaks nobody.
const EXPLANATIONS: [&str; 8] =
    ["description", "title", "example", "examples", "deprecated", "externalDocs", "xml", "$comment"];
/// Limits that hold more values the larger they are.
pub const UPPER: [&str; 5] = ["maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties"];
/// Limits that hold more values the smaller they are.
pub const LOWER: [&str; 5] = ["minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties"];

/// What a schema says.
#[derive(Clone, Debug, Default)]
pub struct Shape<'a> {
    /// Types without `null`; empty: any.
    pub types: BTreeSet<&'a str>,
    /// Whether `null` is among the values.
    pub is_nullable: bool,
    /// The closed list, if there is one; `null` is not in it.
    pub values: Option<Vec<&'a Value>>,
    /// `format`.
    pub format: Option<&'a str>,
    /// Every `pattern`, since `allOf` can bring several.
    pub patterns: BTreeSet<&'a str>,
    /// Largest and smallest values, lengths and numbers of items, by their word.
    pub limits: BTreeMap<&'a str, f64>,
    /// Whether the items of a list must differ.
    pub has_unique_items: bool,
    /// `default`; null counts as none.
    pub default: Option<&'a Value>,
    /// Schema of the items.
    pub items: Option<&'a Value>,
    /// Fields of an object.
    pub properties: BTreeMap<&'a str, &'a Value>,
    /// Those that must be there.
    pub required: BTreeSet<&'a str>,
    /// Whether other fields are refused.
    pub is_closed: bool,
    /// Schema of the values of a map.
    pub map_values: Option<&'a Value>,
    /// Schema of the keys of a map.
    pub map_keys: Option<&'a Value>,
    /// One of these, where that is more than "null or one schema".
    pub forms: Vec<&'a Value>,
    /// Words that the comparison does not know.
    pub unknown: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Shape<'a> {
    /// Reads a schema of a document.
    pub fn of(document: &'a Value, schema: &'a Value) -> Self {
        let mut shape = Self::default();
        let mut null = Nulls::default();
        shape.add(document, schema, &mut Vec::new(), &mut null);
        shape.is_nullable = null.is_allowed();
        shape
    }

    /// Adds what a schema demands; `on_the_way` are the references that led here, so that a circle ends.
    fn add(
        &mut self,
        document: &'a Value,
        schema: &'a Value,
        on_the_way: &mut Vec<&'a str>,
        null: &mut Nulls,
    ) {
        let Value::Object(map) = schema else { return };
        if let Some(target) = map.get("$ref").and_then(Value::as_str)
            && !on_the_way.contains(&target)
            && let Some(schema) = document.pointer(target.trim_start_matches('#'))
        {
            on_the_way.push(target);
            self.add(document, schema, on_the_way, null);
            on_the_way.pop();
        }
        for part in map.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.add(document, part, on_the_way, null);
        }
        self.add_forms(document, map, on_the_way, null);
        self.add_types(map, null);
        self.add_words(map);
    }

    fn add_forms(
        &mut self,
        document: &'a Value,
        map: &'a Map<String, Value>,
        on_the_way: &mut Vec<&'a str>,
        null: &mut Nulls,
    ) {
        for word in ["oneOf", "anyOf"] {
            let Some(forms) = map.get(word).and_then(Value::as_array) else { continue };
            let (nulls, others): (Vec<&Value>, Vec<&Value>) =
                forms.iter().partition(|form| form["type"] == "null");
            match others.as_slice() {
                // What the one form says of null does not matter if null stands beside it.
                [one] if !nulls.is_empty() => {
                    self.add(document, one, on_the_way, &mut Nulls::default());
                    null.explicitly(true);
                }
                [one] => self.add(document, one, on_the_way, null),
                many => {
                    if !nulls.is_empty() {
                        null.explicitly(true);
                    }
                    self.forms.extend(many);
                }
            }
        }
    }

    fn add_types(&mut self, map: &'a Map<String, Value>, null: &mut Nulls) {
        let types: Vec<&str> = match map.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !types.is_empty() {
            null.explicitly(types.contains(&"null") || map.get("nullable") == Some(&Value::Bool(true)));
            let named: BTreeSet<&str> = types.into_iter().filter(|kind| *kind != "null").collect();
            self.types = if self.types.is_empty() { named } else { &self.types & &named };
        }
        let listed = match (map.get("enum").and_then(Value::as_array), map.get("const")) {
            (Some(values), _) => Some(values.iter().collect::<Vec<_>>()),
            (None, Some(value)) => Some(vec![value]),
            (None, None) => None,
        };
        if let Some(listed) = listed {
            null.explicitly(listed.iter().any(|value| value.is_null()));
            let listed = listed.into_iter().filter(|value| !value.is_null());
            self.values = Some(match self.values.take() {
                Some(known) => listed.filter(|value| known.contains(value)).collect(),
                None => listed.collect(),
            });
        }
    }

    fn add_words(&mut self, map: &'a Map<String, Value>) {
        for (word, value) in map {
            match (word.as_str(), value) {
                ("format", Value::String(format)) => self.format = Some(format),
                ("pattern", Value::String(pattern)) => {
                    self.patterns.insert(pattern);
                }
                ("uniqueItems", Value::Bool(is_so)) => self.has_unique_items |= is_so,
                ("default", value) => self.default = Some(value).filter(|value| !value.is_null()),
                ("items", schema) => self.items = Some(schema),
                ("properties", Value::Object(properties)) => {
                    self.properties.extend(properties.iter().map(|(name, schema)| (name.as_str(), schema)));
                }
                ("required", Value::Array(names)) => {
                    self.required.extend(names.iter().filter_map(Value::as_str));
                }
                ("additionalProperties", Value::Bool(is_open)) => self.is_closed |= !is_open,
                ("additionalProperties", schema) => self.map_values = Some(schema),
                ("propertyNames", schema) => self.map_keys = Some(schema),
                ("$ref" | "allOf" | "oneOf" | "anyOf" | "type" | "nullable" | "enum" | "const", _) => {}
                (limit, Value::Number(number)) if UPPER.contains(&limit) || LOWER.contains(&limit) => {
                    let number = number.as_f64().unwrap_or_default();
                    let kept = self.limits.entry(limit).or_insert(number);
                    // Of two limits the tighter one counts.
                    *kept = if UPPER.contains(&limit) { kept.min(number) } else { kept.max(number) };
                }
                (word, value) if !EXPLANATIONS.contains(&word) && !word.starts_with("x-") => {
                    self.unknown.insert(word, value);
                }
                _ => {}
            }
        }
    }
}

/// Null is a value if every schema that speaks of types or lists admits it; a schema that says nothing of either admits all.
#[derive(Default)]
struct Nulls {
    is_refused: bool,
    is_named: bool,
}

impl Nulls {
    fn explicitly(&mut self, is_allowed: bool) {
        self.is_named |= is_allowed;
        self.is_refused |= !is_allowed;
    }

    fn is_allowed(&self) -> bool {
        self.is_named && !self.is_refused
    }
}
