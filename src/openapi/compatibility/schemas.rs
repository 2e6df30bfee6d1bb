//! Two schemas compared, in the direction in which their values travel.

use std::collections::BTreeSet;

use serde_json::Value;

use super::shape::{LOWER, Shape, UPPER};

/// Which way values of a schema travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Clients send them: everything that was taken must still be taken.
    Request,
    /// Clients read them: nothing may come that could not come before.
    Reply,
}

impl Direction {
    fn words(self) -> &'static str {
        match self {
            Self::Request => "requests",
            Self::Reply => "replies",
        }
    }
}

/// A pair of components that was compared, once for each direction.
type Pair<'a> = (&'a str, &'a str, Direction);

/// Compares schemas of two documents. Components are compared once for each direction: that ends circles, and a fault of a
/// component that forty operations use is told once.
pub struct Schemas<'a> {
    old: &'a Value,
    new: &'a Value,
    seen: BTreeSet<Pair<'a>>,
    /// Place and fault.
    pub found: Vec<(String, String)>,
}

impl<'a> Schemas<'a> {
    /// Nothing compared yet.
    pub fn new(old: &'a Value, new: &'a Value) -> Self {
        Self { old, new, seen: BTreeSet::new(), found: Vec::new() }
    }

    /// Compares the schemas at a place: `Filing.status`, say. The place begins anew at each component.
    pub fn compare(&mut self, old: &'a Value, new: &'a Value, direction: Direction, place: &str) {
        let component =
            |schema: &'a Value| named(schema).and_then(|target| target.strip_prefix("#/components/schemas/"));
        let mut place = place.to_owned();
        // Whether a reference may be null is a matter of each place, not of the component.
        self.compare_null(old, new, direction, &place);
        if let (Some(was), Some(is)) = (component(old), component(new)) {
            if !self.seen.insert((was, is, direction)) {
                return;
            }
            place = format!("{was} in {}", direction.words());
        }
        let (was, is) = (Shape::of(self.old, old), Shape::of(self.new, new));
        let mut faults = Faults { direction, list: Vec::new() };
        faults.types(&was, &is);
        faults.values(&was, &is);
        faults.formats(&was, &is);
        faults.limits(&was, &is);
        faults.words(&was, &is);
        for fault in faults.list {
            self.found.push((place.clone(), fault));
        }
        self.compare_forms(&was, &is, direction, &place);
        self.compare_fields(&was, &is, direction, &place);
        let any = &Value::Null;
        for (was, is, part) in [
            (was.items, is.items, "items"),
            (was.map_values, is.map_values, "values"),
            (was.map_keys, is.map_keys, "keys"),
        ] {
            if was.is_some() || is.is_some() {
                let place = format!("{place}, {part}");
                self.compare(was.unwrap_or(any), is.unwrap_or(any), direction, &place);
            }
        }
    }

    fn compare_null(&mut self, old: &'a Value, new: &'a Value, direction: Direction, place: &str) {
        let (was, is) = (Shape::of(self.old, old), Shape::of(self.new, new));
        // A schema that names no type takes null too.
        let is_open =
            |shape: &Shape<'_>| shape.types.is_empty() && shape.values.is_none() && shape.forms.is_empty();
        match direction {
            Direction::Request if was.is_nullable && !is.is_nullable && !is_open(&is) => {
                self.fault(place, "null is no longer taken");
            }
            Direction::Reply if is.is_nullable && !was.is_nullable && !is_open(&was) => {
                self.fault(place, "may be null now");
            }
            _ => {}
        }
    }

    fn fault(&mut self, place: &str, fault: impl Into<String>) {
        self.found.push((place.to_owned(), fault.into()));
    }

    fn compare_fields(&mut self, was: &Shape<'a>, is: &Shape<'a>, direction: Direction, place: &str) {
        let path = |name: &str| match place.split_once(" in ") {
            Some((component, rest)) => format!("{component}.{name} in {rest}"),
            None => format!("{place}.{name}"),
        };
        let is_any = |shape: &Shape<'_>| shape.properties.is_empty() && !shape.types.contains("object");
        for (name, old) in &was.properties {
            match is.properties.get(name) {
                Some(new) => self.compare(old, new, direction, &path(name)),
                None if direction == Direction::Request && is_any(is) => {}
                None if direction == Direction::Request => self.fault(&path(name), "is no longer taken"),
                None => self.fault(&path(name), "is gone"),
            }
        }
        match direction {
            Direction::Request => {
                for name in is.required.difference(&was.required) {
                    let is_new = !was.properties.contains_key(name);
                    let fault = if is_new { "is new and must be sent" } else { "must be sent now" };
                    self.fault(&path(name), fault);
                }
                if is.is_closed && !was.is_closed {
                    self.fault(place, "fields that are not listed are refused now");
                }
            }
            Direction::Reply => {
                for name in was.required.difference(&is.required) {
                    // A field that is gone was told above.
                    if is.properties.contains_key(name) {
                        self.fault(&path(name), "may be missing now");
                    }
                }
            }
        }
    }

    /// "One of several": each form that a client may send needs one that still takes it; each that may come needs one that
    /// was known before.
    fn compare_forms(&mut self, was: &Shape<'a>, is: &Shape<'a>, direction: Direction, place: &str) {
        let (needed, offered, fault) = match direction {
            Direction::Request => (&was.forms, &is.forms, "is no longer taken"),
            Direction::Reply => (&is.forms, &was.forms, "is new"),
        };
        if was.forms.is_empty() && is.forms.is_empty() {
            return;
        }
        for (number, form) in needed.iter().enumerate() {
            let fits = offered.iter().any(|other| {
                let (old, new) = match direction {
                    Direction::Request => (*form, *other),
                    Direction::Reply => (*other, *form),
                };
                let mut trial = Self::new(self.old, self.new);
                trial.seen = self.seen.clone();
                trial.compare(old, new, direction, "");
                trial.found.is_empty()
            });
            if !fits {
                let name = named(form).and_then(|target| target.rsplit('/').next());
                let name = name.map_or_else(|| (number + 1).to_string(), str::to_owned);
                self.fault(place, format!("form {name} {fault}"));
            }
        }
        if direction == Direction::Request && was.forms.is_empty()
            || direction == Direction::Reply && is.forms.is_empty()
        {
            self.fault(place, "is one of several forms on one side only, which cannot be compared");
        }
    }
}

/// The reference of a schema, also where it is written as "null or a reference".
fn named(schema: &Value) -> Option<&str> {
    if let Some(target) = schema["$ref"].as_str() {
        return Some(target);
    }
    let forms = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())?;
    let mut others = forms.iter().filter(|form| form["type"] != "null");
    match (others.next(), others.next()) {
        (Some(one), None) => one["$ref"].as_str(),
        _ => None,
    }
}

/// Faults of one place.
struct Faults {
    direction: Direction,
    list: Vec<String>,
}

impl Faults {
    fn add(&mut self, fault: String) {
        self.list.push(fault);
    }

    fn types(&mut self, was: &Shape<'_>, is: &Shape<'_>) {
        // Every whole number is a number.
        let covers = |wide: &BTreeSet<&str>, narrow: &BTreeSet<&str>| {
            wide.is_empty()
                || !narrow.is_empty()
                    && narrow
                        .iter()
                        .all(|kind| wide.contains(kind) || *kind == "integer" && wide.contains("number"))
        };
        let fits = match self.direction {
            Direction::Request => covers(&is.types, &was.types),
            Direction::Reply => covers(&was.types, &is.types),
        };
        if !fits {
            let words = |types: &BTreeSet<&str>| {
                if types.is_empty() {
                    "any type".to_owned()
                } else {
                    types.iter().copied().collect::<Vec<_>>().join(" or ")
                }
            };
            self.add(format!("the type was {} and is {}", words(&was.types), words(&is.types)));
        }
    }

    fn values(&mut self, was: &Shape<'_>, is: &Shape<'_>) {
        let missing = |from: &[&Value], among: &[&Value]| {
            let missing: Vec<String> =
                from.iter().filter(|value| !among.contains(value)).map(ToString::to_string).collect();
            missing.join(", ")
        };
        match (self.direction, &was.values, &is.values) {
            (Direction::Request, None, Some(_)) => self.add("is limited to a list of values now".to_owned()),
            (Direction::Reply, Some(_), None) => {
                self.add("is no longer limited to a list of values".to_owned())
            }
            (Direction::Request, Some(was), Some(is)) => {
                let gone = missing(was, is);
                if !gone.is_empty() {
                    self.add(format!("the list of values has lost {gone}"));
                }
            }
            (Direction::Reply, Some(was), Some(is)) => {
                let added = missing(is, was);
                if !added.is_empty() {
                    self.add(format!("the list of values has gained {added}, which clients do not know"));
                }
            }
            _ => {}
        }
    }

    fn formats(&mut self, was: &Shape<'_>, is: &Shape<'_>) {
        let (narrow, wide) = match self.direction {
            Direction::Request => (was.format, is.format),
            Direction::Reply => (is.format, was.format),
        };
        let fits = wide.is_none() || narrow == wide || narrow == Some("int32") && wide == Some("int64");
        if !fits {
            let word = |format: Option<&str>| format.unwrap_or("none").to_owned();
            self.add(format!("the format was {} and is {}", word(was.format), word(is.format)));
        }
        let (narrow, wide) = match self.direction {
            Direction::Request => (&was.patterns, &is.patterns),
            Direction::Reply => (&is.patterns, &was.patterns),
        };
        // Two patterns cannot be compared: any other one may refuse what was taken.
        for pattern in wide.difference(narrow) {
            self.add(match self.direction {
                Direction::Request => format!("must match the pattern {pattern} now"),
                Direction::Reply => format!("need not match the pattern {pattern} any more"),
            });
        }
    }

    fn limits(&mut self, was: &Shape<'_>, is: &Shape<'_>) {
        for word in UPPER.into_iter().chain(LOWER) {
            let (old, new) = (was.limits.get(word), is.limits.get(word));
            // From the narrower to the wider side: what the values are now, or what clients may send from before.
            let (narrow, wide) = match self.direction {
                Direction::Request => (old, new),
                Direction::Reply => (new, old),
            };
            let fits = match (narrow, wide) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(narrow), Some(wide)) if UPPER.contains(&word) => narrow <= wide,
                (Some(narrow), Some(wide)) => narrow >= wide,
            };
            if !fits {
                let text = |limit: Option<&f64>| limit.map_or("none".to_owned(), ToString::to_string);
                self.add(format!(
                    "{word} was {} and is {}: {}",
                    text(old),
                    text(new),
                    match self.direction {
                        Direction::Request => "tightened",
                        Direction::Reply => "loosened",
                    }
                ));
            }
        }
        match self.direction {
            Direction::Request if is.has_unique_items && !was.has_unique_items => {
                self.add("items must differ now".to_owned());
            }
            Direction::Reply if was.has_unique_items && !is.has_unique_items => {
                self.add("items may repeat now".to_owned());
            }
            _ => {}
        }
    }

    /// The default, and words that the comparison does not understand: a difference counts.
    fn words(&mut self, was: &Shape<'_>, is: &Shape<'_>) {
        if self.direction == Direction::Request && was.default != is.default {
            let text = |default: Option<&Value>| default.map_or("none".to_owned(), ToString::to_string);
            self.add(format!("the default was {} and is {}", text(was.default), text(is.default)));
        }
        let words: BTreeSet<&str> = was.unknown.keys().chain(is.unknown.keys()).copied().collect();
        for word in words {
            if was.unknown.get(word) != is.unknown.get(word) {
                self.add(format!("`{word}` was changed, and how cannot be compared"));
            }
        }
    }
}
