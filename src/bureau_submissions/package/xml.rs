//! JSON as XML: a member becomes an element of its name, an entry of a list an `item`, null an element with `nil="true"`.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use serde_json::Value;

/// The document under a root element, UTF-8.
pub fn write(root: &str, value: &Value) -> std::io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    element(&mut writer, root, value)?;
    Ok(writer.into_inner())
}

fn element(writer: &mut Writer<Vec<u8>>, name: &str, value: &Value) -> std::io::Result<()> {
    let start = writer.create_element(name);
    match value {
        Value::Null => start.with_attribute(("nil", "true")).write_empty()?,
        Value::Object(members) if !members.is_empty() => start.write_inner_content(|inner| {
            members.iter().try_for_each(|(name, value)| element(inner, name, value))
        })?,
        Value::Array(items) if !items.is_empty() => start
            .write_inner_content(|inner| items.iter().try_for_each(|value| element(inner, "item", value)))?,
        Value::Object(_) | Value::Array(_) => start.write_empty()?,
        Value::String(text) => start.write_text_content(BytesText::new(&printable(text)))?,
        other => start.write_text_content(BytesText::new(&other.to_string()))?,
    };
    Ok(())
}

/// XML 1.0 has no way to write most control characters, not even escaped.
fn printable(text: &str) -> String {
    let is_legal = |c: &char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}');
    text.chars().filter(is_legal).filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_is_escaped_and_nothing_is_lost() {
        let value = json!({ "name": "A & <b> \"c\"\u{1}", "list": ["x", "y"], "none": null, "empty": [], "flag": true });
        let text = String::from_utf8(write("filing", &value).unwrap()).unwrap();
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<filing>\n  <name>A &amp; &lt;b&gt; &quot;c&quot;</name>\n  \
                        <list>\n    <item>x</item>\n    <item>y</item>\n  </list>\n  <none nil=\"true\"/>\n  <empty/>\n  \
                        <flag>true</flag>\n</filing>";
        assert_eq!(text, expected);
    }
}
