//! Addresses, parameters, bodies, replies, security and webhooks of two documents compared.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Break;
use super::schemas::{Direction, Schemas};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "patch", "head", "options", "trace"];

/// The comparison of two documents.
pub struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    schemas: Schemas<'a>,
    breaks: Vec<Break>,
}

impl<'a> Comparison<'a> {
    /// Nothing compared yet.
    pub fn new(old: &'a Value, new: &'a Value) -> Self {
        Self { old, new, schemas: Schemas::new(old, new), breaks: Vec::new() }
    }

    /// What was found.
    pub fn into_breaks(self) -> Vec<Break> {
        self.breaks
    }

    /// Compares everything.
    pub fn run(&mut self) {
        for (path, item) in members(&self.old["paths"]) {
            let Some((new_path, new_item)) = self.find_path(path) else {
                self.add(path, "the address is gone");
                continue;
            };
            if new_path != path {
                self.add(path, format!("the path parameters have other names now: {new_path}"));
            }
            for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
                let place = format!("{} {path}", method.to_uppercase());
                match new_item.get(*method) {
                    Some(new) => self.compare_operation((item, &item[*method]), (new_item, new), &place),
                    None => self.add(&place, "the operation is gone"),
                }
            }
        }
        for (event, item) in members(&self.old["webhooks"]) {
            let place = format!("webhook {event}");
            match self.new["webhooks"].get(event) {
                Some(new) => self.compare_webhook(&item["post"], &new["post"], &place),
                None => self.add(&place, "the event is gone"),
            }
        }
        self.compare_security_schemes();
    }

    fn add(&mut self, place: &str, fault: impl Into<String>) {
        self.breaks.push(Break { place: place.to_owned(), fault: fault.into() });
    }

    /// The same address, also when its parameters were renamed.
    fn find_path(&self, path: &str) -> Option<(&'a str, &'a Value)> {
        let paths = || members(&self.new["paths"]);
        paths()
            .find(|(new, _)| *new == path)
            .or_else(|| paths().find(|(new, _)| without_names(new) == without_names(path)))
    }

    fn compare_schemas(&mut self, old: &'a Value, new: &'a Value, direction: Direction, place: &str) {
        self.schemas.compare(old, new, direction, "");
        for (at, fault) in std::mem::take(&mut self.schemas.found) {
            let at = at.trim_start_matches([',', ' ', '.']);
            let place = if at.is_empty() { place.to_owned() } else { format!("{place}, {at}") };
            self.breaks.push(Break { place, fault });
        }
    }

    fn compare_operation(&mut self, old: (&'a Value, &'a Value), new: (&'a Value, &'a Value), place: &str) {
        let (old_item, old) = old;
        let (new_item, new) = new;
        for (word, name) in
            [("operationId", "operationId"), ("tags", "tag, which generated clients group by,")]
        {
            if old[word] != new[word] {
                self.add(place, format!("the {name} was {} and is {}", old[word], new[word]));
            }
        }
        self.compare_parameters((old_item, old), (new_item, new), place);
        self.compare_body(&old["requestBody"], &new["requestBody"], place);
        self.compare_replies(&old["responses"], &new["responses"], place);
        self.compare_security(security(self.old, old), security(self.new, new), place);
    }

    fn compare_parameters(&mut self, old: (&'a Value, &'a Value), new: (&'a Value, &'a Value), place: &str) {
        let before = parameters(self.old, old);
        let after = parameters(self.new, new);
        for (key, was) in &before {
            let place = format!("{place}, {} parameter {}", key.0, text(&was["name"]));
            let Some((_, is)) = after.iter().find(|(other, _)| other == key) else {
                // Names of path parameters are compared with the address.
                if key.0 != "path" {
                    self.add(&place, "is gone");
                }
                continue;
            };
            if is["required"] == true && was["required"] != true {
                self.add(&place, "must be sent now");
            }
            for word in ["style", "explode", "content", "allowReserved"] {
                if was[word] != is[word] {
                    self.add(&place, format!("`{word}` was changed"));
                }
            }
            self.compare_schemas(&was["schema"], &is["schema"], Direction::Request, &place);
        }
        for (key, is) in &after {
            if is["required"] == true && key.0 != "path" && !before.iter().any(|(other, _)| other == key) {
                self.add(
                    &format!("{place}, {} parameter {}", key.0, text(&is["name"])),
                    "is new and must be sent",
                );
            }
        }
    }

    fn compare_body(&mut self, old: &'a Value, new: &'a Value, place: &str) {
        let (old, new) = (resolve(self.old, old), resolve(self.new, new));
        let place = &format!("{place}, body");
        match (old.is_null(), new.is_null()) {
            (true, true) => return,
            (true, false) if new["required"] == true => return self.add(place, "is new and must be sent"),
            (true, false) => return,
            (false, true) => return self.add(place, "is no longer taken"),
            (false, false) => {}
        }
        if new["required"] == true && old["required"] != true {
            self.add(place, "must be sent now");
        }
        for (media_type, was) in members(&old["content"]) {
            match new["content"].get(media_type) {
                Some(is) => self.compare_schemas(&was["schema"], &is["schema"], Direction::Request, place),
                None => self.add(place, format!("{media_type} is no longer taken")),
            }
        }
    }

    fn compare_replies(&mut self, old: &'a Value, new: &'a Value, place: &str) {
        for (status, was) in members(old) {
            let place = &format!("{place}, reply {status}");
            let Some(is) = new.get(status) else {
                self.add(place, "the status is gone");
                continue;
            };
            let (was, is) = (resolve(self.old, was), resolve(self.new, is));
            for (media_type, was) in members(&was["content"]) {
                match is["content"].get(media_type) {
                    Some(is) => self.compare_schemas(&was["schema"], &is["schema"], Direction::Reply, place),
                    None => self.add(place, format!("{media_type} is gone")),
                }
            }
            for (name, was) in members(&was["headers"]) {
                let place = &format!("{place}, header {name}");
                let found = members(&is["headers"]).find(|(other, _)| other.eq_ignore_ascii_case(name));
                let Some((_, is)) = found else {
                    self.add(place, "is gone");
                    continue;
                };
                let (was, is) = (resolve(self.old, was), resolve(self.new, is));
                if was["required"] == true && is["required"] != true {
                    self.add(place, "may be missing now");
                }
                self.compare_schemas(&was["schema"], &is["schema"], Direction::Reply, place);
            }
        }
    }

    /// Each way in which a call was let in must still do: the same schemes, no further scope.
    fn compare_security(&mut self, old: &'a Value, new: &'a Value, place: &str) {
        let ways = |security: &'a Value| security.as_array().map(Vec::as_slice).unwrap_or_default();
        if ways(new).is_empty() {
            return;
        }
        if ways(old).is_empty() {
            return self.add(place, "needs a token now");
        }
        for way in ways(old) {
            let names: Vec<&str> = members(way).map(|(name, _)| name).collect();
            let same_schemes: Vec<&Value> = ways(new)
                .iter()
                .filter(|other| members(other).all(|(name, _)| names.contains(&name)))
                .collect();
            let further = |other: &Value| -> BTreeSet<String> {
                members(other)
                    .flat_map(|(name, scopes)| {
                        let had = way[name].as_array().cloned().unwrap_or_default();
                        let scopes = scopes.as_array().cloned().unwrap_or_default();
                        scopes.into_iter().filter(move |scope| !had.contains(scope))
                    })
                    .map(|scope| text(&scope).to_owned())
                    .collect()
            };
            match same_schemes.iter().map(|other| further(other)).min_by_key(BTreeSet::len) {
                None => self.add(place, format!("can no longer be called with {}", names.join(" and "))),
                Some(scopes) if !scopes.is_empty() => {
                    let scopes = scopes.into_iter().collect::<Vec<_>>().join(", ");
                    self.add(place, format!("needs the scope {scopes} with {} now", names.join(" and ")));
                }
                Some(_) => {}
            }
        }
    }

    /// The partner is the server here: it reads the body and the headers.
    fn compare_webhook(&mut self, old: &'a Value, new: &'a Value, place: &str) {
        for (media_type, was) in members(&old["requestBody"]["content"]) {
            match new["requestBody"]["content"].get(media_type) {
                Some(is) => self.compare_schemas(&was["schema"], &is["schema"], Direction::Reply, place),
                None => self.add(place, format!("is no longer sent as {media_type}")),
            }
        }
        let after = parameters(self.new, (&Value::Null, new));
        for (key, was) in parameters(self.old, (&Value::Null, old)) {
            let place = format!("{place}, header {}", text(&was["name"]));
            match after.iter().find(|(other, _)| *other == key) {
                Some((_, is)) => {
                    if was["required"] == true && is["required"] != true {
                        self.add(&place, "may be missing now");
                    }
                    self.compare_schemas(&was["schema"], &is["schema"], Direction::Reply, &place);
                }
                None => self.add(&place, "is gone"),
            }
        }
        for (status, _) in members(&old["responses"]) {
            if new["responses"].get(status).is_none() {
                self.add(place, format!("the answer {status} is no longer taken"));
            }
        }
    }

    fn compare_security_schemes(&mut self) {
        let schemes = |document: &'a Value| &document["components"]["securitySchemes"];
        for (name, was) in members(schemes(self.old)) {
            let place = format!("security scheme {name}");
            let Some(is) = schemes(self.new).get(name) else {
                self.add(&place, "is gone");
                continue;
            };
            for word in ["type", "scheme", "in", "name", "openIdConnectUrl"] {
                if was[word] != is[word] {
                    self.add(&place, format!("`{word}` was {} and is {}", was[word], is[word]));
                }
            }
            for (flow, was) in members(&was["flows"]) {
                let is = &is["flows"][flow];
                for word in ["tokenUrl", "authorizationUrl", "refreshUrl"] {
                    if was[word] != is[word] {
                        self.add(&place, format!("`{word}` of {flow} was {} and is {}", was[word], is[word]));
                    }
                }
                for (scope, _) in members(&was["scopes"]) {
                    if is["scopes"].get(scope).is_none() {
                        self.add(&place, format!("the scope {scope} is gone"));
                    }
                }
            }
        }
    }
}

fn members(node: &Value) -> impl Iterator<Item = (&str, &Value)> {
    node.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn text(node: &Value) -> &str {
    node.as_str().unwrap_or_default()
}

fn resolve<'a>(document: &'a Value, node: &'a Value) -> &'a Value {
    let target = node["$ref"].as_str().and_then(|target| document.pointer(target.trim_start_matches('#')));
    target.unwrap_or(node)
}

fn security<'a>(document: &'a Value, operation: &'a Value) -> &'a Value {
    operation.get("security").unwrap_or(&document["security"])
}

/// Parameters of the address and of the operation by place and name; names of headers know no case.
fn parameters<'a>(
    document: &'a Value,
    (item, operation): (&'a Value, &'a Value),
) -> Vec<((String, String), &'a Value)> {
    let lists = [&item["parameters"], &operation["parameters"]];
    let all = lists.into_iter().filter_map(Value::as_array).flatten();
    all.map(|parameter| {
        let parameter = resolve(document, parameter);
        let place = text(&parameter["in"]).to_owned();
        let name = text(&parameter["name"]);
        let name = if place == "header" { name.to_ascii_lowercase() } else { name.to_owned() };
        ((place, name), parameter)
    })
    .collect()
}

/// `/v1/filings/{id}` as `/v1/filings/{}`.
fn without_names(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}
