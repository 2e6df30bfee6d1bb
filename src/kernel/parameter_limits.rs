//! Lengths of path and query parameters, and how days and times are written, as the OpenAPI document publishes them: as with
//! bodies, a documented limit is an enforced limit. (Other types, lists of values and numbers are refused where the parameters
//! are read; days and times are not, since chrono reads `2026-1-1` too.)

use std::{borrow::Cow, collections::HashMap, ops::RangeInclusive};

use actix_web::{HttpRequest, web};
use chrono::{DateTime, NaiveDate};
use serde_json::Value;

use crate::error::ApiError;
use crate::kernel::json::invalid_parameter;

/// Where a parameter stands in the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// In the path.
    Path,
    /// Behind the question mark.
    Query,
}

struct Limit {
    part: Part,
    name: String,
    characters: RangeInclusive<u64>,
    format: Option<Format>,
}

/// How RFC 3339 writes it.
#[derive(Clone, Copy)]
enum Format {
    Date,
    DateTime,
}

impl Format {
    fn fits(self, value: &str) -> bool {
        match self {
            Self::Date => value.len() == 10 && NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok(),
            Self::DateTime => DateTime::parse_from_rfc3339(value).is_ok(),
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Date => "must be a day, such as 2026-03-11",
            Self::DateTime => "must be a time with its zone, such as 2026-03-11T02:00:00Z",
        }
    }
}

/// The limits of every operation, by method and address.
pub struct ParameterLimits(HashMap<String, Vec<Limit>>);

impl ParameterLimits {
    /// Takes the finished OpenAPI document.
    pub fn new(document: &Value) -> Self {
        let mut limits = HashMap::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let of_operation: Vec<Limit> = parameters.filter_map(limit).collect();
                if !of_operation.is_empty() {
                    limits.insert(key(&method.to_uppercase(), path), of_operation);
                }
            }
        }
        Self(limits)
    }

    /// 400 that names the first of these values that is too long, too short, or written in another way.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub fn check<'a>(
        req: &HttpRequest,
        part: Part,
        values: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    ) -> Result<(), ApiError> {
        let Some(all) = req.app_data::<web::Data<Self>>() else { return Ok(()) };
        let Some(pattern) = req.match_pattern() else { return Ok(()) };
        let Some(limits) = all.0.get(&key(req.method().as_str(), &pattern)) else { return Ok(()) };
        for (name, value) in values {
            let Some(limit) = limits.iter().find(|limit| limit.part == part && limit.name == name) else {
                continue;
            };
            let (min, max) = (limit.characters.start(), limit.characters.end());
            let length = value.chars().count() as u64;
            if length > *max {
                return Err(invalid_parameter(name, "too_long", format!("has more characters than {max}")));
            }
            if length < *min {
                return Err(invalid_parameter(name, "too_short", format!("has fewer characters than {min}")));
            }
            if let Some(format) = limit.format.filter(|format| !format.fits(&value)) {
                return Err(invalid_parameter(name, "invalid_format", format.text()));
            }
        }
        Ok(())
    }
}

fn key(method: &str, path: &str) -> String {
    format!("{method} {path}")
}

fn limit(parameter: &Value) -> Option<Limit> {
    let part = match parameter["in"].as_str()? {
        "path" => Part::Path,
        "query" => Part::Query,
        _ => return None,
    };
    let schema = &parameter["schema"];
    let (min, max) = (schema["minLength"].as_u64(), schema["maxLength"].as_u64());
    let format = match schema["format"].as_str() {
        Some("date") => Some(Format::Date),
        Some("date-time") => Some(Format::DateTime),
        _ => None,
    };
    if min.is_none() && max.is_none() && format.is_none() {
        return None;
    }
    let name = parameter["name"].as_str()?.to_owned();
    Some(Limit { part, name, characters: min.unwrap_or(0)..=max.unwrap_or(u64::MAX), format })
}
