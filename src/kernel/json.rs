//! Reading requests: JSON bodies, query strings and path parameters, each fault told with its place.
//!
//! A body is checked against the schema that the OpenAPI document publishes for its type, so a documented limit is an
//! enforced limit, and every fault is reported at once. Only then is it deserialised.

use std::{
    any::TypeId,
    collections::{HashMap, HashSet},
    future::{Ready, ready},
    pin::Pin,
    sync::{Arc, RwLock},
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header, web};
use jsonschema::{ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::error::{ApiError, FieldError, Place};
use crate::error_codes as codes;
use crate::kernel::i18n::Bilingual;
use crate::kernel::parameter_limits::{ParameterLimits, Part};
use crate::kernel::pii::Clear;

/// Largest JSON body, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// Largest body of an import, in bytes.
pub const MAX_IMPORT_BYTES: usize = 16 * 1024 * 1024;
/// Largest body of a batch of filings, in bytes: a hundred rows of 10 KiB.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// Validators of request bodies, compiled from the OpenAPI document when first needed.
pub struct BodySchemas {
    /// As text: the schemas of all bodies as trees would be megabytes that nobody looks at again.
    texts: HashMap<String, String>,
    compiled: RwLock<HashMap<TypeId, Arc<Validator>>>,
}

impl BodySchemas {
    /// Takes the finished OpenAPI document.
    pub fn new(document: &Value) -> Self {
        let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
        let texts = schemas.map(|(name, schema)| (name.clone(), schema.to_string())).collect();
        Self { texts, compiled: RwLock::default() }
    }

    fn validator<T: ToSchema + 'static>(&self) -> Result<Arc<Validator>, ApiError> {
        let id = TypeId::of::<T>();
        if let Some(found) = self.compiled.read().ok().and_then(|map| map.get(&id).cloned()) {
            return Ok(found);
        }
        let name = T::name().into_owned();
        if !self.texts.contains_key(&name) {
            return Err(ApiError::internal(format!("no schema {name} in the document")));
        }
        let mut reachable = serde_json::Map::new();
        self.collect(&name, &mut reachable, &mut HashSet::new());
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": format!("#/components/schemas/{name}"),
            "components": { "schemas": reachable },
        });
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .map_err(|error| ApiError::internal(format!("schema {name}: {error}")))?;
        let validator = Arc::new(validator);
        if let Ok(mut map) = self.compiled.write() {
            map.insert(id, validator.clone());
        }
        Ok(validator)
    }

    /// Only what the type refers to: compiling the whole document for each type would be slow.
    fn collect(&self, name: &str, into: &mut serde_json::Map<String, Value>, seen: &mut HashSet<String>) {
        if !seen.insert(name.to_owned()) {
            return;
        }
        let Some(schema) = self.texts.get(name).and_then(|text| serde_json::from_str(text).ok()) else {
            return;
        };
        let mut names = Vec::new();
        references(&schema, &mut names);
        into.insert(name.to_owned(), schema);
        for name in names {
            self.collect(&name, into, seen);
        }
    }
}

fn references(schema: &Value, names: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get("$ref")
                && let Some(name) = target.strip_prefix("#/components/schemas/")
            {
                names.push(name.to_owned());
            }
            map.values().for_each(|value| references(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, names)),
        _ => {}
    }
}

/// SHA-256 of the body as it was received; kept in the request for the idempotency key.
#[derive(Clone)]
pub struct BodyHash(pub Vec<u8>);

/// A JSON request body.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let reading = read(req, payload);
        Box::pin(async move {
            let (value, schemas) = reading.await?;
            validate::<T>(&schemas, &value)?;
            from_value(value).map(Self)
        })
    }
}

/// A body of many rows in the member `MEMBER`.
pub trait Rows: ToSchema + 'static {
    /// What a row is.
    type Row: DeserializeOwned;
    /// Name of the member.
    const MEMBER: &'static str;
}

/// A JSON request body of many rows. Faults inside a row are the row's own, so that the others can be worked on; all others,
/// such as too many rows, refuse the request.
pub struct JsonRows<T: Rows>(pub Vec<RowInput<T::Row>>);

/// A row as it came.
pub struct RowInput<R> {
    /// Its JSON; wiped when dropped.
    pub(crate) raw: Clear,
    /// What it says, or every fault of it with pointers from the root of the body.
    pub parsed: Result<R, ApiError>,
}

impl<T: Rows> FromRequest for JsonRows<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let reading = read(req, payload);
        Box::pin(async move {
            let (mut value, schemas) = reading.await?;
            let faults = faults::<T>(&schemas, &value)?;
            let count = value[T::MEMBER].as_array().map_or(0, Vec::len);
            let mut of_rows: Vec<Vec<FieldError>> = (0..count).map(|_| Vec::new()).collect();
            let mut of_request = Vec::new();
            for fault in faults {
                let row = fault.item_of(T::MEMBER).filter(|number| *number < count);
                row.map_or(&mut of_request, |number| &mut of_rows[number]).push(fault);
            }
            if !of_request.is_empty() {
                of_request.extend(of_rows.into_iter().flatten());
                return Err(ApiError::invalid(of_request));
            }
            let rows = value[T::MEMBER].as_array_mut().map(std::mem::take).unwrap_or_default();
            let read = |(number, (raw, faults)): (usize, (Value, Vec<FieldError>))| {
                let parsed = if faults.is_empty() {
                    from_value(raw.clone())
                        .map_err(|error: ApiError| error.under(&format!("/{}/{number}", T::MEMBER)))
                } else {
                    Err(ApiError::invalid(faults))
                };
                RowInput { raw: Clear::from_value(raw), parsed }
            };
            Ok(Self(rows.into_iter().zip(of_rows).enumerate().map(read).collect()))
        })
    }
}

/// Reads a body to its end and parses it. What it says is not judged yet.
fn read(
    req: &HttpRequest,
    payload: &mut Payload,
) -> impl Future<Output = Result<(Value, web::Data<BodySchemas>), ApiError>> + use<> {
    let req = req.clone();
    let limit = match req.path() {
        "/v1/imports" => MAX_IMPORT_BYTES,
        "/v1/filing-batches" => MAX_BATCH_BYTES,
        _ => MAX_BODY_BYTES,
    };
    let bytes = web::Payload::from_request(&req, payload);
    async move {
        let payload = bytes.await.map_err(ApiError::internal)?;
        let media_type = req
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let is_json = media_type.is_some_and(|value| {
            value == "application/json" || value.starts_with("application/") && value.ends_with("+json")
        });
        if !is_json {
            return Err(ApiError::new(&codes::UNSUPPORTED_MEDIA_TYPE));
        }
        let body = match payload.to_bytes_limited(limit).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) => {
                return Err(ApiError::new(&codes::MALFORMED_JSON)
                    .detail("请求正文未能完整读取。", format!("The body could not be read: {error}.")));
            }
            Err(_) => {
                return Err(ApiError::new(&codes::BODY_TOO_LARGE).detail(
                    format!("请求正文上限为 {limit} 字节。"),
                    format!("The limit is {limit} bytes."),
                ));
            }
        };
        req.extensions_mut().insert(BodyHash(Sha256::digest(&body).to_vec()));
        let value: Value = serde_json::from_slice(&body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            ApiError::new(&codes::MALFORMED_JSON).detail(
                format!("第 {line} 行第 {column} 列不是有效的 JSON。"),
                format!("Not valid JSON at line {line}, column {column}."),
            )
        })?;
        if has_nul(&value) {
            return Err(ApiError::new(&codes::MALFORMED_JSON)
                .detail("文本中不能包含 U+0000。", "Texts must not contain U+0000."));
        }
        let schemas = req
            .app_data::<web::Data<BodySchemas>>()
            .ok_or_else(|| ApiError::internal("body schemas are not installed"))?
            .clone();
        Ok((value, schemas))
    }
}

/// PostgreSQL text cannot hold U+0000; told here it is a clear error instead of a fault of the database. (Query
/// strings and paths are looked at by their own extractors.)
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}

fn validate<T: ToSchema + 'static>(schemas: &BodySchemas, value: &Value) -> Result<(), ApiError> {
    let errors = faults::<T>(schemas, value)?;
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(errors)) }
}

/// Every fault of `value` against the published schema of `T`.
fn faults<T: ToSchema + 'static>(schemas: &BodySchemas, value: &Value) -> Result<Vec<FieldError>, ApiError> {
    let validator = schemas.validator::<T>()?;
    let mut errors = Vec::new();
    for error in validator.iter_errors(value) {
        describe(&error, &mut errors);
    }
    Ok(errors)
}

fn describe(error: &ValidationError<'_>, into: &mut Vec<FieldError>) {
    let pointer = error.instance_path().to_string();
    let child = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            into.extend(unexpected.iter().map(|name| FieldError::pointer(child(name), "unknown_field")));
        }
        Kind::Required { property } => {
            into.push(FieldError::pointer(child(property.as_str().unwrap_or_default()), "required"));
        }
        // Null or a reference: the faults of the branch that the client meant.
        Kind::OneOfNotValid { context } | Kind::AnyOf { context } => {
            let deepest = context
                .iter()
                .filter(|branch| {
                    !branch.iter().any(|error| {
                        matches!(error.kind(), Kind::Type { .. })
                            && error.instance_path().to_string() == pointer
                    })
                })
                .max_by_key(|branch| branch.len());
            match deepest {
                Some(branch) => branch.iter().for_each(|error| describe(error, into)),
                None => into.push(FieldError::pointer(pointer, "wrong_type")),
            }
        }
        kind => {
            let limit = |zh: &str, en: &str, limit: String| {
                Some(Bilingual::new(format!("{zh} {limit}"), format!("{en} {limit}")))
            };
            let (code, text) = match kind {
                Kind::Type { .. } => ("wrong_type", None),
                Kind::MaxLength { limit: max } => {
                    ("too_long", limit("最多字符数：", "has more characters than", max.to_string()))
                }
                Kind::MinLength { limit: min } => {
                    ("too_short", limit("最少字符数：", "has fewer characters than", min.to_string()))
                }
                Kind::Maximum { limit: max } | Kind::ExclusiveMaximum { limit: max } => {
                    ("out_of_range", limit("最大值：", "is over", max.to_string()))
                }
                Kind::Minimum { limit: min } | Kind::ExclusiveMinimum { limit: min } => {
                    ("out_of_range", limit("最小值：", "is under", min.to_string()))
                }
                Kind::MaxItems { limit: max } => {
                    ("too_many_items", limit("最多条目数：", "has more items than", max.to_string()))
                }
                Kind::MinItems { limit: min } => {
                    ("too_few_items", limit("最少条目数：", "has fewer items than", min.to_string()))
                }
                Kind::UniqueItems => ("duplicate_items", None),
                Kind::Enum { options } => {
                    ("not_in_list", limit("允许的取值：", "must be one of", options.to_string()))
                }
                Kind::Constant { expected_value } => {
                    ("not_in_list", limit("允许的取值：", "must be", expected_value.to_string()))
                }
                Kind::Pattern { pattern } => {
                    ("invalid_format", limit("须匹配", "must match", pattern.clone()))
                }
                Kind::Format { format } => {
                    ("invalid_format", limit("格式须为", "must be of format", format.clone()))
                }
                _ => ("invalid_format", None),
            };
            into.push(match text {
                Some(text) => FieldError::new(Place::Pointer(pointer), code, text),
                None => FieldError::pointer(pointer, code),
            });
        }
    }
}

/// Deserialises a value that passed its schema. What remains to fail are checks inside `Deserialize`, such as masked values.
fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer_of(error.path());
        let inner = error.into_inner().to_string();
        let code = if inner.contains("masked_value") { "masked_value" } else { "invalid_format" };
        ApiError::invalid(vec![FieldError::pointer(pointer, code)])
    })
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

/// A query string. Its type denies unknown fields, so a misspelt filter is an error and never silently ignored.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = form_urlencoded::parse(req.query_string().as_bytes());
        if let Some((name, _)) =
            parsed.into_iter().find(|(name, value)| name.contains('\0') || value.contains('\0'))
        {
            let name = name.replace('\0', "\u{fffd}");
            return ready(Err(invalid_parameter(name, "invalid_format", "must not contain U+0000")));
        }
        let parsed = form_urlencoded::parse(req.query_string().as_bytes());
        if let Err(error) = ParameterLimits::check(req, Part::Query, parsed) {
            return ready(Err(error));
        }
        let pairs =
            serde_urlencoded::Deserializer::new(form_urlencoded::parse(req.query_string().as_bytes()));
        ready(serde_path_to_error::deserialize(pairs).map(Self).map_err(|error| {
            let text = error.inner().to_string();
            let name = text
                .strip_prefix("unknown field `")
                .or_else(|| text.strip_prefix("missing field `"))
                .or_else(|| text.strip_prefix("duplicate field `"))
                .and_then(|rest| rest.split('`').next())
                .map_or_else(|| error.path().to_string(), str::to_owned);
            let code = if text.starts_with("unknown field") {
                "unknown_parameter"
            } else if text.starts_with("missing field") {
                "required"
            } else {
                "invalid_format"
            };
            invalid_parameter(name, code, text)
        }))
    }
}

/// A 400 that names the parameter.
pub fn invalid_parameter(name: impl Into<String>, code: &str, detail_en: impl Into<String>) -> ApiError {
    let name = name.into();
    let en = detail_en.into();
    ApiError::new(&codes::INVALID_PARAMETER).errors(vec![FieldError::parameter(
        name.clone(),
        code,
        Bilingual::new(format!("参数 {name} 无效：{en}"), en),
    )])
}

/// # Errors
/// 400 that names the parameter, when its text is longer than the document allows.
pub fn at_most(limit: usize, name: &str, text: Option<&str>) -> Result<(), ApiError> {
    match text {
        Some(text) if text.chars().count() > limit => {
            Err(invalid_parameter(name, "too_long", format!("must have at most {limit} characters")))
        }
        _ => Ok(()),
    }
}

/// One path parameter. A value that cannot be read is a 400 that names it.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: std::str::FromStr + 'static> FromRequest for Path<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(path_parameter(req, 0).map(Self))
    }
}

/// Two path parameters, in the order of the address.
#[derive(Clone, Copy, Debug)]
pub struct PathPair<A, B>(pub A, pub B);

impl<A, B> FromRequest for PathPair<A, B>
where
    A: std::str::FromStr + 'static,
    B: std::str::FromStr + 'static,
{
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let both = || Ok(Self(path_parameter(req, 0)?, path_parameter(req, 1)?));
        ready(both())
    }
}

fn path_parameter<T: std::str::FromStr>(req: &HttpRequest, position: usize) -> Result<T, ApiError> {
    let (name, value) = req.match_info().iter().nth(position).unwrap_or(("id", ""));
    if value.contains('\0') {
        return Err(invalid_parameter(name, "invalid_format", "must not contain U+0000"));
    }
    ParameterLimits::check(req, Part::Path, std::iter::once((name.into(), value.into())))?;
    value.parse().map_err(|_| invalid_parameter(name, "invalid_format", "cannot be read"))
}

/// Several values in one parameter, separated by commas: `status=draft,photo_required`.
#[derive(Clone, Debug)]
pub struct CommaList<T>(pub Vec<T>);

impl<'de, T: std::str::FromStr> serde::Deserialize<'de> for CommaList<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let items: Result<Vec<T>, _> = text.split(',').map(|item| item.trim().parse()).collect();
        match items {
            Ok(items) if items.len() <= 50 => Ok(Self(items)),
            Ok(_) => Err(serde::de::Error::custom("has more than 50 values")),
            Err(_) => Err(serde::de::Error::custom("has a value that is not known")),
        }
    }
}
