use serde_json::json;

use super::*;

fn base() -> WebsiteContent {
    serde_json::from_value(json!({
        "name": "云上花店",
        "domains": [
            {"name": "xn--fsqu00a.com", "unicode_name": "例子.com", "expires_on": "2027-01-31"},
            {"name": "yunshanghuadian.com", "unicode_name": "yunshanghuadian.com", "expires_on": "2027-08-31"}
        ],
        "pre_approvals": [],
        "responsible_person": {
            "name": "张三",
            "certificate_number": "11010519491231002X",
            "mobile": "13800138000",
            "email": "zhang@example.com"
        }
    }))
    .unwrap()
}

fn patch(value: Value) -> WebsiteContentPatch {
    serde_json::from_value(value).unwrap()
}

fn codes(outcome: Result<WebsiteContent, Vec<FieldFault>>) -> Vec<(String, &'static str)> {
    outcome.unwrap_err().into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

#[test]
fn what_the_patch_does_not_name_keeps_its_clear_text() {
    let changed = base()
        .apply(&patch(json!({"name": "云上花园", "responsible_person": {"mobile": "13900139000"}})))
        .unwrap();
    assert_eq!(changed.name.as_deref(), Some("云上花园"));
    assert_eq!(changed.responsible_person.mobile.as_ref().unwrap().expose(), "13900139000");
    assert_eq!(
        changed.responsible_person.certificate_number.as_ref().unwrap().expose(),
        "11010519491231002X"
    );
    assert_eq!(changed.domains, base().domains);
    assert_eq!(base().apply(&patch(json!({}))).unwrap(), base());
}

#[test]
fn null_empties_and_lists_are_replaced_whole() {
    let changed = base()
        .apply(&patch(json!({
            "name": null, "pre_approvals": null, "service_content": ["other"], "domains": null,
            "responsible_person": {"email": null}
        })))
        .unwrap();
    assert_eq!((changed.name, changed.pre_approvals), (None, None));
    assert_eq!(changed.service_content.0, ["other"]);
    assert!(changed.domains.is_empty());
    assert_eq!(changed.responsible_person.email, None);
    assert!(changed.responsible_person.mobile.is_some());
    let nobody = base().apply(&patch(json!({"responsible_person": null}))).unwrap();
    assert_eq!(nobody.responsible_person, ResponsiblePerson::default());
}

#[test]
fn every_fault_is_reported_at_once() {
    let outcome = base().apply(&patch(json!({
        "name": 5,
        "nonsense": 1,
        "remark": "长".repeat(501),
        "service_content": ["a", 2, "c", false],
        "domains": [{"name": "a.com", "x": 1}, {"nam": "b.com"}],
        "languages": ["a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a"],
        "responsible_person": {"mobile": "138****8000", "shoe_size": 42, "certificate_valid_to": "soon"}
    })));
    let codes = codes(outcome);
    let expected = [
        ("/name", "wrong_type"),
        ("/nonsense", "unknown_field"),
        ("/remark", "too_long"),
        ("/service_content/1", "wrong_type"),
        ("/service_content/3", "wrong_type"),
        ("/domains/0/x", "unknown_field"),
        ("/domains/1/nam", "unknown_field"),
        ("/languages", "too_many_items"),
        ("/responsible_person/mobile", "masked_value"),
        ("/responsible_person/shoe_size", "unknown_field"),
        ("/responsible_person/certificate_valid_to", "wrong_format"),
    ];
    let expected: Vec<_> = expected.iter().map(|(pointer, code)| (pointer.to_string(), *code)).collect();
    assert_eq!(codes, expected);
    assert_eq!(
        self::codes(base().apply(&patch(json!({"responsible_person": "x"})))),
        [("/responsible_person".to_owned(), "wrong_type")]
    );
}

#[test]
fn a_domain_is_named_and_keeps_what_is_filed_about_it() {
    let changed = base()
        .apply(&patch(
            json!({"domains": [{"name": "例子.com", "expires_on": "2099-01-01"}, {"name": "新.cn"}]}),
        ))
        .unwrap();
    assert_eq!(changed.domains[0], base().domains[0]);
    assert_eq!(changed.domains[1].name, "xn--efv.cn");
    assert_eq!(changed.domains[1].unicode_name.as_deref(), Some("新.cn"));
    assert_eq!(changed.domains[1].expires_on, None);
    let odd = base().apply(&patch(json!({"domains": [{"name": "http://a b"}]}))).unwrap();
    assert_eq!(odd.domains[0].unicode_name, None);
}

#[test]
fn a_patch_does_not_print_what_it_holds() {
    let patch = patch(json!({"responsible_person": {"mobile": "13800138000"}}));
    assert!(!format!("{patch:?}").contains("138"));
}

#[test]
fn the_schema_of_the_patch_follows_the_content() {
    let reply = serde_json::to_value(WebsiteContent::schema()).unwrap();
    let request = serde_json::to_value(WebsiteContentPatch::schema()).unwrap();
    let names =
        |schema: &Value| schema["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&reply), names(&request));
    assert_eq!(reply["required"].as_array().unwrap().len(), names(&reply).len(), "a reply has every field");
    assert_eq!(request.get("required"), None);
    assert_eq!(request["additionalProperties"], false);
    assert_eq!(request["properties"]["name"]["maxLength"], 60);
    assert_eq!(
        request["properties"]["responsible_person"]["oneOf"],
        json!([{"type": "null"}, {"$ref": "#/components/schemas/ResponsiblePersonPatch"}])
    );
    assert_eq!(request["properties"]["domains"]["items"]["$ref"], "#/components/schemas/WebsiteDomainInput");

    let mut components = Vec::new();
    WebsiteContentPatch::schemas(&mut components);
    let names: Vec<_> = components.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["ResponsiblePersonPatch", "WebsiteDomainInput", "PreApprovalInput"]);
    let domain = serde_json::to_value(&components[1].1).unwrap();
    assert_eq!(domain["required"], json!(["name"]));
}
