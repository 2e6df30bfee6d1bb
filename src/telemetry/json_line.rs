//! One event, one line, one flat JSON object: its own fields, then those of all spans around it (the
//! request id among them). Log stores search flat names; the library's own form nests them.

use std::fmt;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats events; it needs [`JsonFields`] as the format of the spans' fields.
pub struct JsonLine;

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        line.insert("timestamp".into(), now().into());
        line.insert("level".into(), event.metadata().level().as_str().into());
        line.insert("target".into(), event.metadata().target().into());
        // Keeps its place in front of the other fields.
        line.insert("message".into(), Value::Null);
        event.record(&mut Fields(&mut line));
        let spans: Vec<String> = context
            .event_scope()
            .into_iter()
            .flatten()
            .filter_map(|span| {
                span.extensions().get::<FormattedFields<JsonFields>>().map(|text| text.fields.clone())
            })
            .filter(|fields| fields.len() > "{}".len())
            .collect();
        if let [fields] = spans.as_slice()
            && !line.keys().any(|key| fields.contains(&format!("\"{key}\":")))
        {
            // Nearly every line: the span's fields are JSON already, and need not be read to be written again.
            let line = Value::Object(line).to_string();
            return writeln!(writer, "{},{}", &line[..line.len() - 1], &fields[1..]);
        }
        // The nearest wins: the event itself, then from the innermost span outwards.
        for fields in spans {
            if let Ok(Value::Object(fields)) = serde_json::from_str(&fields) {
                for (name, value) in fields {
                    line.entry(name).or_insert(value);
                }
            }
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// A log line tells real time, whatever the clock of the application says.
#[allow(clippy::disallowed_methods, reason = "operators compare log lines with the real clock")]
fn now() -> String {
    DateTime::<Utc>::from(SystemTime::now()).to_rfc3339_opts(SecondsFormat::Micros, true)
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        match field.name() {
            // Lines of the `log` crate carry their origin in fields.
            "log.target" => self.0.insert("target".into(), value),
            name if name.starts_with("log.") => None,
            name => self.0.insert(name.to_owned(), value),
        };
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_one_flat_object_with_the_fields_of_all_spans() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let layer = layer.fmt_fields(JsonFields::new()).event_format(JsonLine);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let outer = tracing::info_span!("request", request_id = "r-1", status = tracing::field::Empty);
            outer.record("status", 204);
            let _outer = outer.enter();
            tracing::info!(rows = 2, "alone");
            let _inner = tracing::info_span!("query", table = "filings", request_id = "r-2").entered();
            tracing::warn!(rows = 3, table = "websites", "line\nbreak");
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [alone, line] = lines.as_slice() else { panic!("{text}") };
        assert_eq!(
            (&alone["request_id"], &alone["status"], &alone["rows"]),
            (&"r-1".into(), &204.into(), &2.into())
        );
        assert_eq!(alone["message"], "alone");
        assert_eq!(text.matches("request_id").count(), 2, "no name twice in a line: {text}");
        assert_eq!(line["request_id"], "r-2");
        assert_eq!(line["status"], 204);
        assert_eq!(line["table"], "websites");
        assert_eq!(line["rows"], 3);
        assert_eq!(line["message"], "line\nbreak");
        assert_eq!(line["level"], "WARN");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }
}
