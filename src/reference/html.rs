//! The frame of every page. Texts are escaped by the template engine; nothing is loaded but one style sheet of our own.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, VARY},
};
use minijinja::{Environment, Value, context};
use serde::Serialize;

use crate::error::{ApiError, ApiResult};
use crate::kernel::i18n::Locale;

/// Nothing runs, nothing is sent, nothing comes from elsewhere, and no other page can frame it.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A release changes the pages, nothing else does.
pub const CACHE: &str = "public, max-age=300";

static TEMPLATES: LazyLock<Result<Environment<'static>, minijinja::Error>> = LazyLock::new(|| {
    // The names end in .html, which switches escaping on.
    let mut templates = Environment::new();
    templates.add_template("frame.html", include_str!("templates/frame.html"))?;
    templates.add_template("problems.html", include_str!("templates/problems.html"))?;
    templates.add_template("problem.html", include_str!("templates/problem.html"))?;
    templates.add_template("guides.html", include_str!("templates/guides.html"))?;
    templates.add_template("guide.html", include_str!("templates/guide.html"))?;
    templates.add_filter("code", code);
    Ok(templates)
});

/// The words of the frame.
#[derive(Serialize)]
pub struct Words {
    problems: &'static str,
    problems_lead: &'static str,
    guides: &'static str,
    guides_lead: &'static str,
    reference_lead: &'static str,
    reference: &'static str,
    status: &'static str,
    meaning: &'static str,
    cause: &'static str,
    action: &'static str,
    support: &'static str,
}

impl Words {
    /// In a language.
    pub fn of(locale: Locale) -> Self {
        match locale {
            Locale::ZhCn => Self {
                problems: "错误代码",
                problems_lead: "每个错误都有一个稳定的 code，说明发生了什么、为什么、该怎么办。",
                guides: "指南",
                guides_lead: "每一页都有 Markdown 版：在地址后加 .md，例如 /docs/partners.md。没有中文版的页面以英文显示。",
                reference_lead: "全部接口，可在页面上直接试用。文档本身：",
                reference: "接口参考",
                status: "HTTP 状态码",
                meaning: "这是什么意思",
                cause: "为什么会出现",
                action: "该怎么办",
                support: "仍未解决？请把响应中的 request_id 告诉支持人员。请不要发送密码、令牌或个人信息。",
            },
            Locale::En => Self {
                problems: "Error codes",
                problems_lead: "Each error has a stable code. Its page says what it means, why it happens and what to do.",
                guides: "Guides",
                guides_lead: "Each page is there as Markdown too: add .md to its address, as in /docs/partners.md.",
                reference_lead: "Every operation, to be tried here. The document itself:",
                reference: "API reference",
                status: "HTTP status",
                meaning: "What it means",
                cause: "Why it happens",
                action: "What to do",
                support: "Still stuck? Tell support the request_id of the reply. Never send passwords, tokens or personal data.",
            },
        }
    }
}

/// `words` in backquotes become code; everything is escaped. Addresses of pages become links.
fn code(text: &str) -> Value {
    let mut out = String::new();
    for (number, part) in text.split('`').enumerate() {
        let part_html = escape(part);
        let is_page = ["/docs/", "/problems", "/swagger-ui/", "/openapi.json"]
            .iter()
            .any(|start| part.starts_with(start));
        out += &match number % 2 == 1 {
            true if is_page => format!("<a href=\"{part_html}\"><code>{part_html}</code></a>"),
            true => format!("<code>{part_html}</code>"),
            false => part_html,
        };
    }
    Value::from_safe_string(out)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A page made from a template.
///
/// # Errors
/// When a template is faulty, which a test would have found.
pub fn page(template: &str, locale: Locale, content: Value) -> ApiResult<HttpResponse> {
    let templates = TEMPLATES.as_ref().map_err(ApiError::internal)?;
    let page = templates
        .get_template(template)
        .and_then(|template| template.render(context! { locale => locale.as_str(), ..content }))
        .map_err(ApiError::internal)?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((CONTENT_LANGUAGE, locale.as_str()))
        .insert_header((CACHE_CONTROL, CACHE))
        .insert_header((VARY, "Accept"))
        .body(page))
}

/// Whether the client prefers HTML to JSON, as browsers do. Who says nothing gets JSON.
pub fn is_wanted(req: &HttpRequest) -> bool {
    let accept = req.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    prefers_html(&accept.collect::<Vec<_>>().join(","))
}

fn prefers_html(accept: &str) -> bool {
    let weight = |ranges: [&str; 3]| {
        // The most exact range counts.
        ranges.iter().find_map(|range| {
            accept.split(',').find_map(|item| {
                let mut parts = item.split(';').map(str::trim);
                if !parts.next()?.eq_ignore_ascii_case(range) {
                    return None;
                }
                let quality = parts.find_map(|part| part.strip_prefix("q="));
                Some(quality.map_or(1.0_f32, |quality| quality.parse().unwrap_or(0.0)))
            })
        })
    };
    let html = weight(["text/html", "text/*", "*/*"]).unwrap_or(0.0);
    html > weight(["application/json", "application/*", "*/*"]).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::{code, prefers_html};

    #[test]
    fn browsers_get_pages_and_programs_get_json() {
        for browser in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "text/html",
            "TEXT/HTML",
            "application/json;q=0.5, text/html",
            "text/*, application/json;q=0.1",
        ] {
            assert!(prefers_html(browser), "{browser}");
        }
        for program in [
            "",
            "*/*",
            "application/json",
            "application/json, text/html",
            "application/json, */*;q=0.1",
            "text/html;q=0",
            "text/html;q=x",
            "image/png",
        ] {
            assert!(!prefers_html(program), "{program}");
        }
    }

    #[test]
    fn words_in_backquotes_become_code_and_nothing_becomes_markup() {
        assert_eq!(code("<b> & `a<b`").to_string(), "&lt;b&gt; &amp; <code>a&lt;b</code>");
        assert_eq!(
            code("see `/docs/idempotency`").to_string(),
            "see <a href=\"/docs/idempotency\"><code>/docs/idempotency</code></a>"
        );
        assert_eq!(code("`").to_string(), "<code></code>");
    }
}
