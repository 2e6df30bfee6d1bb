//! SOAP 1.1 around a call, and what comes back: `<return>` holds a second XML document as text.

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;

/// The request of an operation with its parameters, in order.
pub fn request(namespace: &str, operation: &str, parameters: &[(&str, String)]) -> String {
    let size: usize = parameters.iter().map(|(name, value)| 2 * name.len() + value.len() + 5).sum();
    let mut body = String::with_capacity(size + 400);
    body.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    body.push_str(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:isp=\"",
    );
    body.push_str(&escape(namespace));
    body.push_str("\"><soapenv:Body>");
    body.push_str(&format!("<isp:{operation}>"));
    for (name, value) in parameters {
        body.push_str(&format!("<{name}>"));
        body.push_str(&escape(value.as_str()));
        body.push_str(&format!("</{name}>"));
    }
    body.push_str(&format!("</isp:{operation}></soapenv:Body></soapenv:Envelope>"));
    body
}

/// An XML element as a tree: names without prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Local name.
    pub name: String,
    /// Its own text.
    pub text: String,
    /// Elements in it.
    pub children: Vec<Element>,
}

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;

impl Element {
    /// Reads a document. No entities but the predefined ones and character references are known, so nothing is fetched
    /// and nothing grows.
    ///
    /// # Errors
    /// When it is not XML.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
        let mut stack = vec![Self::default()];
        let fault = "not XML";
        loop {
            match reader.read_event().map_err(|_| fault)? {
                Event::Start(start) => {
                    if stack.len() > MAX_DEPTH {
                        return Err("nested too deeply");
                    }
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    stack.push(Self { name, ..Self::default() });
                }
                Event::Empty(start) => {
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    let parent = stack.last_mut().ok_or(fault)?;
                    parent.children.push(Self { name, ..Self::default() });
                }
                Event::End(_) => {
                    let done = stack.pop().ok_or(fault)?;
                    stack.last_mut().ok_or(fault)?.children.push(done);
                }
                Event::Text(piece) => {
                    let piece = piece.decode().map_err(|_| fault)?;
                    stack.last_mut().ok_or(fault)?.text.push_str(&piece);
                }
                Event::CData(piece) => {
                    let piece = piece.decode().map_err(|_| fault)?;
                    stack.last_mut().ok_or(fault)?.text.push_str(&piece);
                }
                Event::GeneralRef(reference) => {
                    let name = reference.decode().map_err(|_| fault)?;
                    let text = quick_xml::escape::unescape(&format!("&{name};"))
                        .map_err(|_| "an unknown entity")?
                        .into_owned();
                    stack.last_mut().ok_or(fault)?.text.push_str(&text);
                }
                Event::DocType(_) => return Err("a document type is not allowed"),
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
        match (stack.pop(), stack.is_empty()) {
            (Some(root), true) => root.children.into_iter().next().ok_or("no element"),
            _ => Err("cut off"),
        }
    }

    /// The first element of this name, at any depth, itself included.
    pub fn find(&self, name: &str) -> Option<&Self> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }

    /// Every element of this name, at any depth.
    pub fn find_all<'a>(&'a self, name: &str, into: &mut Vec<&'a Self>) {
        if self.name == name {
            into.push(self);
        }
        self.children.iter().for_each(|child| child.find_all(name, into));
    }

    /// Trimmed text of the first element of this name; none when it is absent or empty.
    pub fn text_of(&self, name: &str) -> Option<String> {
        let text = self.find(name)?.text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// What an operation answered.
#[derive(Debug)]
pub struct Answer {
    /// `msg_code`.
    pub code: i64,
    /// `msg`, at most 300 characters.
    pub message: String,
    /// The whole inner document.
    pub document: Element,
}

/// Reads the reply of an operation.
///
/// # Errors
/// When there is no readable answer in it: a SOAP fault, or something else that speaks HTTP.
pub fn answer(reply: &str) -> Result<Answer, String> {
    let envelope = Element::parse(reply)?;
    if let Some(fault) = envelope.find("Fault") {
        let text = fault.text_of("faultstring").unwrap_or_default();
        return Err(format!("SOAP fault: {}", text.chars().take(300).collect::<String>()));
    }
    let body = envelope.find("Body").ok_or("no SOAP body")?;
    let returned = body.find("return").ok_or("no return value")?;
    let document = if returned.text.trim().is_empty() {
        returned.clone()
    } else {
        Element::parse(returned.text.trim())?
    };
    let code = document
        .text_of("msg_code")
        .and_then(|code| code.parse().ok())
        .ok_or("the return value has no msg_code")?;
    let message = document.text_of("msg").unwrap_or_default().chars().take(300).collect();
    Ok(Answer { code, message, document })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_escapes_its_values() {
        let text = request("urn:x\"y", "isp_download", &[("userName", "a<b&c".into())]);
        assert!(
            text.contains("<isp:isp_download><userName>a&lt;b&amp;c</userName></isp:isp_download>"),
            "{text}"
        );
        assert!(text.contains("xmlns:isp=\"urn:x&quot;y\""), "{text}");
        assert_eq!(Element::parse(&text).unwrap().find("userName").unwrap().text, "a<b&c");
    }

    #[test]
    fn the_inner_document_comes_as_text_or_as_elements() {
        let inner = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><return><msg_code>14</msg_code><msg>漏报</msg>\
                     <dataSequences><dataSequence>3</dataSequence></dataSequences></return>";
        let wrap = |text: &str| {
            format!(
                "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><n:r xmlns:n=\"u\">\
                 <return>{text}</return></n:r></s:Body></s:Envelope>"
            )
        };
        for reply in [
            wrap(&escape(inner)),
            wrap(&format!("<![CDATA[{inner}]]>")),
            wrap(
                inner
                    .split_once("?>")
                    .unwrap()
                    .1
                    .trim_start_matches("<return>")
                    .trim_end_matches("</return>"),
            ),
        ] {
            let answer = answer(&reply).unwrap();
            assert_eq!((answer.code, answer.message.as_str()), (14, "漏报"));
            assert_eq!(answer.document.text_of("dataSequence").as_deref(), Some("3"));
        }
    }

    #[test]
    fn what_is_no_answer_is_told() {
        assert_eq!(answer("<html><body>502</body></html>").unwrap_err(), "no SOAP body");
        assert_eq!(answer("<a><b>").unwrap_err(), "cut off");
        let fault = "<e><Body><Fault><faultstring>boom</faultstring></Fault></Body></e>";
        assert_eq!(answer(fault).unwrap_err(), "SOAP fault: boom");
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
        assert_eq!(Element::parse(bomb).unwrap_err(), "a document type is not allowed");
        assert!(Element::parse(&"<a>".repeat(100)).is_err());
    }
}
