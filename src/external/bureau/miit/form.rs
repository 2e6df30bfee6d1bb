//! What is not public about the interface, and therefore configuration: how a change is written (a template), and how the
//! bureau's file of results is read (a list of element names). `examples/bureau/` shows both; the names there are ours.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{Environment, UndefinedBehavior, Value as TemplateValue, context};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{Package, PackageFile, Verdict};
use super::codes;
use super::envelope::MAX_RECORDS;
use super::soap::Element;

/// Name of the template: the ending makes minijinja escape for XML.
const NAME: &str = "upload.xml";
/// Order number of the trial that is made when the settings are read.
const TRIAL: &str = "BA-0000-000000";

/// The template of a file that we send.
#[derive(Clone, Debug)]
pub struct UploadForm(Environment<'static>);

impl UploadForm {
    /// Reads a template and tries it: it must be XML that says GBK and holds the order number, because a lost reply is
    /// found again by it.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        // What is not known is written as nothing, not as "none".
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_formatter(|out, state, value| {
            if value.is_none() { Ok(()) } else { minijinja::escape_formatter(out, state, value) }
        });
        environment
            .add_template_owned(NAME, text.to_owned())
            .map_err(|error| format!("the template has a fault: {error}"))?;
        let form = Self(environment);
        let trial = Trial { order_no: TRIAL, icp_number: "", bureau_code: "", submission_id: String::new() };
        let xml = form.fill(&trial, 1, &json!({}), &[])?;
        Element::parse(&xml).map_err(|fault| format!("the template does not give XML: {fault}"))?;
        let first_line = xml.lines().next().unwrap_or_default().to_ascii_uppercase();
        if !first_line.contains("ENCODING=\"GBK\"") {
            return Err("the template must begin with <?xml version=\"1.0\" encoding=\"GBK\"?>".to_owned());
        }
        if !xml.contains(TRIAL) {
            return Err(
                "the template must write {{ order_no }}: a lost reply is found again by it".to_owned()
            );
        }
        Ok(form)
    }

    /// The file for a package.
    ///
    /// # Errors
    /// When the template asks for something impossible. The text never repeats data.
    pub fn write(&self, package: &Package, data_sequence: i64) -> Result<String, String> {
        let head = Trial {
            order_no: &package.order_no,
            icp_number: &package.icp_number,
            bureau_code: &package.bureau_code,
            submission_id: package.submission_id.to_string(),
        };
        self.fill(&head, data_sequence, package.document.expose(), &package.files)
    }

    fn fill(
        &self,
        head: &Trial<'_>,
        data_sequence: i64,
        data: &Value,
        files: &[PackageFile],
    ) -> Result<String, String> {
        let files: Vec<TemplateValue> = files
            .iter()
            .map(|file| {
                context! {
                    name => file.name, content_type => file.content_type,
                    // Base64 needs no escaping; escaped slashes would make it longer.
                    base64 => TemplateValue::from_safe_string(STANDARD.encode(&file.bytes)),
                }
            })
            .collect();
        let context = context! {
            order_no => head.order_no, icp_number => head.icp_number, bureau_code => head.bureau_code,
            submission_id => head.submission_id, data_sequence, data, files,
        };
        let text =
            self.0.get_template(NAME).and_then(|template| template.render(context)).map_err(|error| {
                format!("the template cannot be filled: {:?}, line {:?}", error.kind(), error.line())
            })?;
        Ok(text.chars().filter(|c| is_legal(*c)).collect())
    }
}

struct Trial<'a> {
    order_no: &'a str,
    icp_number: &'a str,
    bureau_code: &'a str,
    submission_id: String,
}

/// XML 1.0 cannot write other characters, not even escaped.
fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// Where the results stand in a file of the bureau: names of elements, without prefixes, at any depth.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultForm {
    /// The element that is there once for each result.
    pub row: String,
    /// In it: 备案订单号, as we sent it.
    pub order_no: String,
    /// In it: the website's ICP number.
    pub icp_number: String,
    /// In it: the result code, such as 1001.
    pub result_code: String,
    /// In it: the bureau's words.
    pub result_text: Option<String>,
    /// In it: the bureau's own number of the result. Without it, file name and place in the file are taken.
    pub reference: Option<String>,
    /// In it: the number of our file that it answers.
    pub data_sequence: Option<String>,
}

impl ResultForm {
    /// Reads the list of names.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form: Self =
            serde_json::from_str(text).map_err(|error| format!("not the expected JSON: {error}"))?;
        let names = [&form.row, &form.order_no, &form.icp_number, &form.result_code];
        let optional = [&form.result_text, &form.reference, &form.data_sequence];
        let is_name = |name: &String| !name.is_empty() && !name.contains(['<', '>', ':', '/', ' ']);
        if names.into_iter().chain(optional.into_iter().flatten()).all(is_name) {
            Ok(form)
        } else {
            Err("names of elements without prefix are expected".to_owned())
        }
    }

    /// The results in a file. A result code that is no decision gives a verdict that refuses nothing: see
    /// [`codes::is_approval`]; whoever applies it looks again.
    ///
    /// # Errors
    /// When it is not XML, has no row, too many, or a row without its order number or code: the names do not fit the file.
    pub fn read(&self, file_name: &str, xml: &str) -> Result<Vec<Verdict>, String> {
        let document = Element::parse(xml)?;
        let mut rows = Vec::new();
        document.find_all(&self.row, &mut rows);
        if rows.is_empty() {
            return Err(format!("no element {} in the file", self.row));
        }
        if rows.len() > MAX_RECORDS {
            return Err(format!("more than {MAX_RECORDS} rows in the file"));
        }
        rows.into_iter()
            .enumerate()
            .map(|(at, row)| {
                let required =
                    |name: &str| row.text_of(name).ok_or_else(|| format!("row {} has no {name}", at + 1));
                let optional = |name: &Option<String>| name.as_deref().and_then(|name| row.text_of(name));
                let result_code = required(&self.result_code)?;
                Ok(Verdict {
                    external_reference: optional(&self.reference)
                        .unwrap_or_else(|| format!("{file_name}#{}", at + 1)),
                    data_sequence: optional(&self.data_sequence).and_then(|number| number.parse().ok()),
                    order_no: required(&self.order_no)?,
                    icp_number: row.text_of(&self.icp_number).unwrap_or_default(),
                    is_approved: codes::is_approval(&result_code) == Some(true),
                    result_text: optional(&self.result_text).map(|text| text.chars().take(1000).collect()),
                    result_code,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pii::Clear;

    const TEMPLATE: &str = include_str!("../../../../examples/bureau/upload.xml");
    const RESULTS: &str = include_str!("../../../../examples/bureau/results.json");

    fn package() -> Package {
        Package {
            submission_id: uuid::Uuid::nil(),
            order_no: "BA-2026-000001".into(),
            icp_number: "京ICP备12345678号-1".into(),
            bureau_code: "110000".into(),
            attempt_no: 1,
            website_name: String::new(),
            remark: String::new(),
            sha256: String::new(),
            zip: Vec::new(),
            document: Clear::from_value(json!({
                "kind": "website_change",
                "website": { "content": { "name": "A & <b>\u{1}", "domains": [{ "name": "a.cn" }, { "name": "b.cn" }] } },
            })),
            files: vec![PackageFile {
                name: "photo.jpg".into(),
                content_type: "image/jpeg".into(),
                bytes: b"???".to_vec(),
            }],
            data_sequence: Some(7),
        }
    }

    #[test]
    fn the_example_writes_everything_escaped() {
        let xml = UploadForm::parse(TEMPLATE).unwrap().write(&package(), 7).unwrap();
        let document = Element::parse(&xml).unwrap();
        assert_eq!(document.text_of("dataSequence").as_deref(), Some("7"));
        assert_eq!(document.text_of("orderNo").as_deref(), Some("BA-2026-000001"));
        assert_eq!(document.text_of("icpNumber").as_deref(), Some("京ICP备12345678号-1"));
        assert_eq!(document.text_of("websiteName").as_deref(), Some("A & <b>"));
        let mut domains = Vec::new();
        document.find_all("domain", &mut domains);
        assert_eq!(domains.iter().map(|d| d.text.trim()).collect::<Vec<_>>(), ["a.cn", "b.cn"]);
        // base64 of "???" has a slash, which must arrive unescaped.
        assert!(xml.contains("<content>Pz8/</content>"), "{xml}");
    }

    #[test]
    fn a_template_that_cannot_work_is_refused_at_the_start() {
        for (text, fault) in [
            ("{{ order_no", "has a fault"),
            ("<?xml version=\"1.0\" encoding=\"GBK\"?>\n<a>{{ order_no }}", "does not give XML"),
            ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a>{{ order_no }}</a>", "must begin with"),
            (
                "<?xml version=\"1.0\" encoding=\"GBK\"?>\n<a>{{ icp_number }}</a>",
                "must write {{ order_no }}",
            ),
        ] {
            let error = UploadForm::parse(text).unwrap_err();
            assert!(error.contains(fault), "{error}");
        }
    }

    #[test]
    fn results_are_read_by_their_names() {
        let form = ResultForm::parse(RESULTS).unwrap();
        let xml = "<?xml version=\"1.0\" encoding=\"GBK\"?><x:results xmlns:x=\"u\">\
            <x:result><orderNo>BA-1</orderNo><icpNumber>京ICP备1号-1</icpNumber><resultCode>1001</resultCode></x:result>\
            <x:result><orderNo>BA-2</orderNo><icpNumber>京ICP备2号-1</icpNumber><resultCode>1020</resultCode>\
            <resultText>名称不符</resultText><reference>R-9</reference><dataSequence>4</dataSequence></x:result></x:results>";
        let verdicts = form.read("f1", xml).unwrap();
        assert_eq!((verdicts[0].external_reference.as_str(), verdicts[0].is_approved), ("f1#1", true));
        assert_eq!((verdicts[1].external_reference.as_str(), verdicts[1].is_approved), ("R-9", false));
        assert_eq!(
            (verdicts[1].data_sequence, verdicts[1].result_text.as_deref()),
            (Some(4), Some("名称不符"))
        );
        assert!(form.read("f1", "<results/>").unwrap_err().contains("no element"));
        assert!(
            form.read("f1", "<r><result><orderNo>1</orderNo></result></r>").unwrap_err().contains("row 1")
        );
        assert!(ResultForm::parse("{\"row\": \"a\"}").is_err());
        assert!(ResultForm::parse(&RESULTS.replace("orderNo", "x:orderNo")).is_err());
    }
}
