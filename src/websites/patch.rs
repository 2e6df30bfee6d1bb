//! Partial update of a website's content: RFC 7396, with every fault reported at once.

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::content::{JsonList, PreApproval, ResponsiblePerson, WebsiteContent, WebsiteDomain};
use super::fields;
use crate::kernel::i18n::Bilingual;
use crate::kernel::pii::Clear;

/// The fields to change; what is not named stays. `responsible_person` is merged member by member, lists are
/// replaced whole, null empties a field.
///
/// A newtype over the JSON object, since a struct could not tell an absent member from null; its schema is
/// derived from [`WebsiteContent`], so the two cannot drift apart.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct WebsiteContentPatch(pub Map<String, Value>);

impl std::fmt::Debug for WebsiteContentPatch {
    /// Names only: the values are personal data in clear.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Drop for WebsiteContentPatch {
    fn drop(&mut self) {
        drop(Clear::from_value(Value::Object(std::mem::take(&mut self.0))));
    }
}

/// A member of a patch that cannot be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// JSON pointer relative to the website, such as `/responsible_person/mobile`.
    pub pointer: String,
    /// `unknown_field`, `masked_value`, `wrong_type`, `wrong_format`, `too_long` or `too_many_items`.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub detail: Bilingual,
}

impl FieldFault {
    fn new(pointer: String, code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { pointer, code, detail: Bilingual::new(zh, en) }
    }
}

impl WebsiteContent {
    /// The content with the patch merged in. Personal data that the patch does not name keeps its clear text.
    /// Errors: every member that is unknown, mistyped, too long, or a mask that came back.
    pub fn apply(&self, patch: &WebsiteContentPatch) -> Result<WebsiteContent, Vec<FieldFault>> {
        let mut faults = Vec::new();
        let mut merged = match Clear::of(self) {
            Ok(merged) => merged,
            Err(fault) => return Err(vec![unreadable(fault)]),
        };
        if let Some(target) = merged.expose_mut().as_object_mut() {
            merge(target, &patch.0, "", &mut faults);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut content =
            WebsiteContent::deserialize(merged.expose()).map_err(|fault| vec![unreadable(fault)])?;
        if patch.0.contains_key("domains") {
            complete_domains(&mut content.domains, &self.domains);
        }
        Ok(content)
    }
}

/// Each member was tried alone before, so this is a fault of the program; it must still not be a panic.
fn unreadable(fault: serde_json::Error) -> FieldFault {
    FieldFault::new(String::new(), "wrong_format", "网站信息无法合并", format!("cannot be merged: {fault}"))
}

fn merge(
    target: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    path: &str,
    faults: &mut Vec<FieldFault>,
) {
    for (key, value) in patch {
        let pointer = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
        match (target.get_mut(key), value) {
            (None, _) => faults.push(FieldFault::new(
                pointer,
                "unknown_field",
                format!("没有名为“{key}”的字段，请删除"),
                format!("there is no field `{key}`; remove it"),
            )),
            // Absent members take their default: null, or an empty list.
            (Some(Value::Object(members)), Value::Null) => members.clear(),
            (Some(_), Value::Null) => drop(target.shift_remove(key)),
            (Some(Value::Object(members)), Value::Object(patch)) => merge(members, patch, &pointer, faults),
            (Some(Value::Object(_)), _) => faults.push(FieldFault::new(
                pointer,
                "wrong_type",
                "应为对象",
                "expected an object with the fields to change",
            )),
            (Some(slot), value) => match try_value(&pointer, value) {
                found if found.is_empty() => *slot = value.clone(),
                found => faults.extend(found),
            },
        }
    }
}

/// Tries one value in an otherwise empty content; of a list, each item alone, so that every bad item is named.
fn try_value(pointer: &str, value: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let list = Value::Array(vec![item.clone()]);
                // The item stood alone, at index 0.
                faults.extend(deserialize_alone(pointer, list).map(|(inside, message)| {
                    let inside = inside.strip_prefix("/0").unwrap_or(&inside).to_owned();
                    describe(format!("{pointer}/{index}{inside}"), &message)
                }));
            }
        }
        value => faults.extend(
            deserialize_alone(pointer, value.clone())
                .map(|(inside, message)| describe(format!("{pointer}{inside}"), &message)),
        ),
    }
    faults.extend(too_long(pointer, value));
    faults
}

/// Where, below `pointer`, and why the value cannot be read; None when it can.
fn deserialize_alone(pointer: &str, value: Value) -> Option<(String, String)> {
    let nested = pointer.rsplit('/').filter(|key| !key.is_empty()).fold(value, |inner, key| {
        let mut object = Map::new();
        object.insert(key.to_owned(), inner);
        Value::Object(object)
    });
    let nested = Clear::from_value(nested);
    let fault = serde_path_to_error::deserialize::<_, WebsiteContent>(nested.expose()).err()?;
    let mut found = String::new();
    for segment in fault.path() {
        match segment {
            serde_path_to_error::Segment::Seq { index } => found.push_str(&format!("/{index}")),
            serde_path_to_error::Segment::Map { key } => found.push_str(&format!("/{key}")),
            _ => {}
        }
    }
    Some((found.strip_prefix(pointer).unwrap_or_default().to_owned(), fault.into_inner().to_string()))
}

/// The reader's message never holds the value itself where that is personal data: those are plain strings, and a
/// string is only refused for its mask.
fn describe(pointer: String, message: &str) -> FieldFault {
    if message.contains("masked_value") {
        return FieldFault::new(
            pointer,
            "masked_value",
            "该值是脱敏后的内容（含 *），请填写完整内容；如无需修改，请不要提交该字段",
            "this is a masked value (it contains *): send the full value, or leave the field out to keep it",
        );
    }
    if message.starts_with("unknown field") {
        return FieldFault::new(
            pointer,
            "unknown_field",
            "没有该字段，请删除",
            "there is no such field; remove it",
        );
    }
    let code = if message.starts_with("invalid type") { "wrong_type" } else { "wrong_format" };
    FieldFault::new(pointer, code, format!("格式不正确：{message}"), format!("cannot be read: {message}"))
}

fn too_long(pointer: &str, value: &Value) -> Option<FieldFault> {
    let max = fields::by_relative_pointer(pointer)?.max_length?;
    match value {
        Value::String(text) if text.chars().count() > max => Some(FieldFault::new(
            pointer.to_owned(),
            "too_long",
            format!("最多 {max} 个字符，现为 {} 个", text.chars().count()),
            format!("at most {max} characters, these are {}", text.chars().count()),
        )),
        Value::Array(items) if items.len() > max => Some(FieldFault::new(
            pointer.to_owned(),
            "too_many_items",
            format!("最多 {max} 项，现为 {} 项", items.len()),
            format!("at most {max} items, these are {}", items.len()),
        )),
        _ => None,
    }
}

/// A request names domains only: known ones keep what is filed about them, others get their Unicode form.
fn complete_domains(domains: &mut JsonList<WebsiteDomain>, base: &[WebsiteDomain]) {
    for domain in domains.iter_mut() {
        let ascii = ascii_form(&domain.name);
        match base.iter().find(|known| ascii.is_some() && ascii_form(&known.name) == ascii) {
            Some(known) => *domain = known.clone(),
            None => {
                // Unicode is stored in its ASCII form; anything else stays as typed, for the rule to name its fault.
                let unicode_name = unicode_form(&domain.name);
                let name = ascii.filter(|_| !domain.name.is_ascii()).unwrap_or_else(|| domain.name.clone());
                *domain = WebsiteDomain { name, unicode_name, expires_on: None };
            }
        }
    }
}

/// The form in which two spellings of a domain are compared; None for what is no domain.
pub fn ascii_form(name: &str) -> Option<String> {
    idna::domain_to_ascii_strict(name.trim()).ok().filter(|ascii| !ascii.is_empty())
}

/// The domain in Unicode; None for what is no domain.
pub fn unicode_form(name: &str) -> Option<String> {
    let (unicode, outcome) = idna::domain_to_unicode(&ascii_form(name)?);
    outcome.is_ok().then_some(unicode)
}

impl PartialSchema for WebsiteContentPatch {
    fn schema() -> RefOr<Schema> {
        request_schema(WebsiteContent::schema(), &[], "The fields to change; what is not named stays.")
    }
}

impl ToSchema for WebsiteContentPatch {
    fn name() -> std::borrow::Cow<'static, str> {
        "WebsiteContentPatch".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        let person = "The fields of the person to change; what is not named stays.";
        schemas.push((
            "ResponsiblePersonPatch".into(),
            request_schema(ResponsiblePerson::schema(), &[], person),
        ));
        let domain = "A domain to keep; only its name counts.";
        schemas
            .push(("WebsiteDomainInput".into(), request_schema(WebsiteDomain::schema(), &["name"], domain)));
        let approval = "An approval by another authority.";
        schemas.push(("PreApprovalInput".into(), request_schema(PreApproval::schema(), &[], approval)));
    }
}

/// The request's form of a reply's schema: the same properties and limits, only `required` is needed, everything
/// else may be absent or null.
fn request_schema(schema: RefOr<Schema>, required: &[&str], description: &str) -> RefOr<Schema> {
    let RefOr::T(Schema::Object(mut object)) = schema else { return schema };
    object.description = Some(description.to_owned());
    object.required = required.iter().map(|name| (*name).to_owned()).collect();
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    for (name, property) in object.properties.iter_mut() {
        if !required.contains(&name.as_str()) {
            *property = nullable(property.clone());
        }
    }
    RefOr::T(Schema::Object(object))
}

fn nullable(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::Ref(reference) => RefOr::T(Schema::OneOf(
            OneOfBuilder::new()
                .item(ObjectBuilder::new().schema_type(Type::Null))
                .item(request_ref(&reference))
                .description(Some("The person; what is not named stays, null empties it."))
                .build(),
        )),
        RefOr::T(Schema::Object(mut object)) => {
            object.schema_type = with_null(object.schema_type);
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.schema_type = with_null(array.schema_type);
            if let utoipa::openapi::schema::ArrayItems::RefOrSchema(items) = &mut array.items
                && let RefOr::Ref(reference) = &**items
            {
                **items = RefOr::Ref(request_ref(reference));
            }
            RefOr::T(Schema::Array(array))
        }
        other => other,
    }
}

fn with_null(schema_type: SchemaType) -> SchemaType {
    match schema_type {
        SchemaType::Type(one) => SchemaType::Array(vec![one, Type::Null]),
        SchemaType::Array(mut several) => {
            if !several.contains(&Type::Null) {
                several.push(Type::Null);
            }
            SchemaType::Array(several)
        }
        SchemaType::AnyValue => SchemaType::AnyValue,
    }
}

/// The component that requests use instead of the one in replies.
fn request_ref(reference: &Ref) -> Ref {
    let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
    let suffix = if name == "ResponsiblePerson" { "Patch" } else { "Input" };
    Ref::from_schema_name(format!("{name}{suffix}"))
}

#[cfg(test)]
#[path = "patch_tests.rs"]
mod tests;
