//! File names in `Content-Disposition`.

/// Longest name in characters; file systems take 255 bytes, a Chinese character has three.
const MAX_CHARS: usize = 80;

/// `attachment` with the name twice (RFC 6266): plain ASCII for old clients, UTF-8 by RFC 5987 for the
/// others. A name comes from a user: no path, quote, control character or direction mark survives.
pub fn content_disposition(file_name: &str) -> String {
    let name = safe(file_name);
    let plain: String = name.chars().map(|c| if c.is_ascii() && c != '%' { c } else { '_' }).collect();
    let mut disposition = format!("attachment; filename=\"{plain}\"");
    if plain != name {
        disposition.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                disposition.push(char::from(byte));
            } else {
                disposition.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    disposition
}

fn safe(file_name: &str) -> String {
    let last = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    // Direction marks make "gpj.exe" look like "exe.jpg".
    let is_mark = |c: char| matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}');
    let kept = last.chars().filter(|c| !c.is_control() && !is_mark(*c));
    let clean: String = kept.map(|c| if "\"':;*?<>|".contains(c) { '_' } else { c }).collect();
    let name = clean.trim().trim_start_matches('.');
    let count = name.chars().count();
    if name.is_empty() {
        return "download".into();
    }
    // Keep the end: the extension says what the file is.
    name.chars().skip(count.saturating_sub(MAX_CHARS)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_plain() {
        assert_eq!(content_disposition("id-card.jpg"), "attachment; filename=\"id-card.jpg\"");
    }

    #[test]
    fn chinese_names_come_in_both_forms() {
        assert_eq!(
            content_disposition("身份证.jpg"),
            "attachment; filename=\"___.jpg\"; filename*=UTF-8''%E8%BA%AB%E4%BB%BD%E8%AF%81.jpg"
        );
    }

    #[test]
    fn nothing_dangerous_survives() {
        for name in
            ["../../etc/passwd", "C:\\x\\passwd", "passwd\r\nSet-Cookie: a=b", "a\"; filename=\"b", "..."]
        {
            let header = content_disposition(name);
            assert!(!header.contains('\r') && !header.contains('\n') && !header.contains(".."), "{header}");
            assert_eq!(header.matches('"').count(), 2, "{header}");
        }
        assert_eq!(content_disposition("\u{202E}gpj.exe"), "attachment; filename=\"gpj.exe\"");
        assert_eq!(content_disposition(""), "attachment; filename=\"download\"");
        assert!(content_disposition(&("a".repeat(300) + ".pdf")).ends_with(".pdf\""));
    }
}
