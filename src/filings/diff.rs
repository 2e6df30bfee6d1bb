//! What a filing changes, field by field, with personal data masked. Pure.

use serde_json::Value;

use crate::kernel::pii::Clear;
use crate::websites::content::WebsiteContent;
use crate::websites::fields::{FIELDS, Field};

/// One field of two contents, side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// JSON pointer into the filing, such as `/website/name`.
    pub pointer: &'static str,
    /// Label of the field in Chinese.
    pub label_zh: &'static str,
    /// Label of the field in English.
    pub label_en: &'static str,
    /// The value before, personal data masked.
    pub before: Value,
    /// The value after, personal data masked.
    pub after: Value,
    /// True when the clear values differ, although both may look alike masked.
    pub is_changed: bool,
}

/// The fields that differ, in the order of the form. Empty: nothing would change.
pub fn diff(base: &WebsiteContent, new: &WebsiteContent) -> Vec<Change> {
    let changed = changed_fields(base, new);
    FIELDS
        .iter()
        .filter(|field| changed.contains(field))
        .map(|field| change(field, base, new, true))
        .collect()
}

/// Every field, changed or not, in the order of the form.
pub fn diff_all(base: &WebsiteContent, new: &WebsiteContent) -> Vec<Change> {
    let changed = changed_fields(base, new);
    FIELDS.iter().map(|field| change(field, base, new, changed.contains(&field))).collect()
}

/// The fields whose clear values differ, in the order of the form.
pub fn changed_fields(base: &WebsiteContent, new: &WebsiteContent) -> Vec<&'static Field> {
    match (Clear::of(base), Clear::of(new)) {
        (Ok(base), Ok(new)) => FIELDS.iter().filter(|field| field.differs(&base, &new)).collect(),
        // Cannot happen: the content serialises. To count everything as changed is the strict side.
        _ => FIELDS.iter().collect(),
    }
}

fn change(field: &Field, base: &WebsiteContent, new: &WebsiteContent, is_changed: bool) -> Change {
    let shown = |content: &WebsiteContent| {
        let masked = serde_json::to_value(content).unwrap_or_default();
        masked.pointer(field.relative_pointer()).cloned().unwrap_or_default()
    };
    Change {
        pointer: field.pointer,
        label_zh: field.label_zh,
        label_en: field.label_en,
        before: shown(base),
        after: shown(new),
        is_changed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filings::sample;
    use crate::kernel::pii::Sensitive;

    #[test]
    fn equal_contents_differ_in_nothing() {
        assert_eq!(diff(&sample::content(), &sample::content()), []);
        assert_eq!(diff_all(&sample::content(), &sample::content()).len(), FIELDS.len());
    }

    #[test]
    fn a_change_is_seen_although_both_sides_mask_alike() {
        let mut new = sample::content();
        new.responsible_person.mobile = Some(Sensitive::new("13912348000"));
        let mut base = sample::content();
        base.responsible_person.mobile = Some(Sensitive::new("13956788000"));
        let changes = diff(&base, &new);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].pointer, "/website/responsible_person/mobile");
        assert_eq!(changes[0].before, changes[0].after);
        assert_eq!(changes[0].after, "139****8000");
        assert!(changes[0].is_changed);
    }

    #[test]
    fn changes_come_in_the_order_of_the_form_with_their_labels() {
        let mut new = sample::content();
        new.remark = Some("新备注".into());
        new.name = Some("云上花园".into());
        new.domains.pop();
        let changes = diff(&sample::content(), &new);
        let pointers: Vec<_> = changes.iter().map(|change| change.pointer).collect();
        assert_eq!(pointers, ["/website/name", "/website/domains", "/website/remark"]);
        assert_eq!((changes[0].label_zh, changes[0].label_en), ("网站名称", "Website name"));
        assert_eq!(
            changes[1].before.as_array().unwrap().len(),
            changes[1].after.as_array().unwrap().len() + 1
        );
    }
}
