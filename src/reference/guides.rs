//! The guides: pages of `docs/`, in the binary, since users have only what is served. As Markdown, and as HTML made once.

use std::sync::LazyLock;

use actix_web::{HttpResponse, http::header, web};
use minijinja::context;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd, html};

use super::{api::ReadingQuery, html as frame};
use crate::error::{ApiError, ApiResult};
use crate::kernel::{
    i18n::Locale,
    json::{Path, Query},
};

/// A page of `docs/` that is served.
pub struct Guide {
    /// Last part of its address, and its file name without `.md`.
    pub slug: &'static str,
    /// In English.
    pub en: Source,
    /// In Chinese, where somebody has written it.
    pub zh: Option<Source>,
}

/// A page in one language.
pub struct Source {
    /// What one finds there.
    pub summary: &'static str,
    /// The Markdown.
    pub markdown: &'static str,
}

macro_rules! guides {
    ($($slug:literal $en:literal $($zh:literal)?;)+) => {
        /// Every guide, in the order in which a new reader needs them.
        pub const GUIDES: &[Guide] = &[$(Guide {
            slug: $slug,
            en: Source { summary: $en, markdown: include_str!(concat!("../../docs/", $slug, ".md")) },
            zh: guides!(@zh $slug $($zh)?),
        },)+];
    };
    (@zh $slug:literal) => { None };
    (@zh $slug:literal $zh:literal) => {
        Some(Source { summary: $zh, markdown: include_str!(concat!("../../docs/zh-CN/", $slug, ".md")) })
    };
}

guides! {
    "partners" "Tokens, secrets, scopes, whose data: for partners' programs."
        "令牌、密钥、权限范围，能看到谁的数据：写给合作伙伴的程序员。";
    "clients" "Generating a client: which generators are tried, with which settings, and how headers are read."
        "生成客户端：哪些生成器经过验证，如何设置，如何读取响应头。";
    "errors" "How problems look, when to try again, and the codes of fields and rules."
        "错误的格式，何时可以重试，字段和备案规则的代码。";
    "idempotency" "How a request is repeated safely, and how two people do not overwrite each other."
        "如何安全地重发请求，两个人如何不互相覆盖修改。";
    "pagination" "How lists are read: pages, filters, sorting, and how to keep a copy up to date."
        "如何读取列表：分页、筛选、排序，以及如何保持本地数据最新。";
    "webhooks" "How a partner is told of events, verifies them, and catches up."
        "有哪些事件，如何接收、验签，漏收后如何补。";
    "filing-workflow" "Every status of a filing, and every step between them."
        "备案订单的所有状态，以及状态之间的每一步。";
    "states" "The states of everything else: materials, photos, shipments, reviews, submissions, messages."
        "其他各种状态：材料、照片、幕布邮寄、审核任务、向管局的提交、通知。";
    "compatibility" "What may change without notice, what never will, and what clients must tolerate.";
}

/// A guide, ready to be shown.
struct Page {
    slug: &'static str,
    en: Text,
    zh: Option<Text>,
}

/// A guide in one language.
struct Text {
    locale: Locale,
    title: String,
    summary: &'static str,
    markdown: String,
    html: String,
}

static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let page = |guide: &Guide| {
        let is_translated = guide.zh.is_some();
        let text = |locale, source| Text::new(locale, guide.slug, source, is_translated);
        Page {
            slug: guide.slug,
            en: text(Locale::En, &guide.en),
            zh: guide.zh.as_ref().map(|zh| text(Locale::ZhCn, zh)),
        }
    };
    GUIDES.iter().map(page).collect()
});

impl Page {
    /// In this language, or else in English.
    fn text(&self, locale: Locale) -> &Text {
        match (locale, &self.zh) {
            (Locale::ZhCn, Some(text)) => text,
            _ => &self.en,
        }
    }
}

impl Text {
    /// `is_translated`: there is a choice of language, which its links keep. What is there in one language only leaves the choice
    /// to the browser.
    fn new(locale: Locale, slug: &str, source: &Source, is_translated: bool) -> Self {
        // The Chinese pages stand in a folder of their own; served, all stand side by side.
        let markdown = without_comments(source.markdown).replace("](../", "](");
        let title = markdown.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or(slug);
        let html = to_html(&markdown, is_translated.then_some(locale));
        Self { locale, title: title.to_owned(), summary: source.summary, html, markdown }
    }
}

/// Comments are for who works on the page.
fn without_comments(markdown: &str) -> String {
    let mut parts = markdown.split("<!--");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once("-->").map_or("", |(_, rest)| rest.trim_start()));
    }
    text
}

/// Markdown of our own to HTML: without raw HTML, without pictures of diagrams (they need a script), with links that lead
/// somewhere on this server.
fn to_html(markdown: &str, chosen: Option<Locale>) -> String {
    let mut events = Vec::new();
    let mut is_diagram = false;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) if &*language == "mermaid" => {
                is_diagram = true;
            }
            Event::End(TagEnd::CodeBlock) if is_diagram => is_diagram = false,
            _ if is_diagram => {}
            Event::Html(_) | Event::InlineHtml(_) => {}
            Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
            Event::Start(Tag::Table(columns)) => {
                events.push(Event::Html(CowStr::Borrowed("<div class=\"table\">")));
                events.push(Event::Start(Tag::Table(columns)));
            }
            Event::End(TagEnd::Table) => {
                events.push(Event::End(TagEnd::Table));
                events.push(Event::Html(CowStr::Borrowed("</div>")));
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                events.push(Event::Start(Tag::Link {
                    link_type,
                    dest_url: served(dest_url, chosen),
                    title,
                    id,
                }));
            }
            event => events.push(event),
        }
    }
    add_anchors(&mut events);
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    out
}

/// `webhooks.md#verify` becomes `/docs/webhooks?language=en#verify`: whoever chose a language stays in it, and headings have another
/// anchor in each.
fn served(target: CowStr<'_>, chosen: Option<Locale>) -> CowStr<'_> {
    let (file, anchor) =
        target.split_once('#').map_or((&*target, None), |(file, anchor)| (file, Some(anchor)));
    match file.strip_suffix(".md") {
        Some(slug) => {
            let anchor = anchor.map(|anchor| format!("#{anchor}")).unwrap_or_default();
            let language = chosen.map(|locale| format!("?language={locale}")).unwrap_or_default();
            format!("/docs/{slug}{language}{anchor}").into()
        }
        None => target,
    }
}

/// Headings get the ids that GitHub gives them, so that links to a part of a page work in both places.
fn add_anchors(events: &mut [Event<'_>]) {
    for at in 0..events.len() {
        let Event::Start(Tag::Heading { .. }) = &events[at] else { continue };
        let mut text = String::new();
        for event in &events[at + 1..] {
            match event {
                Event::End(TagEnd::Heading(_)) => break,
                Event::Text(part) | Event::Code(part) => text.push_str(part),
                _ => {}
            }
        }
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
            *id = Some(anchor(&text).into());
        }
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Adds the addresses of the guides. They are not operations, so they are not in the document.
pub fn pages(cfg: &mut web::ServiceConfig) {
    cfg.route("/docs", web::get().to(index))
        .route("/docs/", web::get().to(index))
        .route("/docs/style.css", web::get().to(style))
        .route("/docs/files/{name}", web::get().to(file))
        .route("/docs/{slug}", web::get().to(guide));
}

async fn index(query: Query<ReadingQuery>, locale: Locale) -> ApiResult<HttpResponse> {
    let locale = query.0.language.unwrap_or(locale);
    let words = frame::Words::of(locale);
    let guides = PAGES.iter().map(|page| {
        let text = page.text(locale);
        context! { slug => page.slug, title => &text.title, summary => text.summary, language => text.locale.as_str() }
    });
    frame::page("guides.html", locale, context! { guides => guides.collect::<Vec<_>>(), words })
}

/// `/docs/webhooks` is a page for people, `/docs/webhooks.md` the Markdown that it is made from.
async fn guide(slug: Path<String>, query: Query<ReadingQuery>, locale: Locale) -> ApiResult<HttpResponse> {
    let (slug, is_source) = slug.0.strip_suffix(".md").map_or((&*slug.0, false), |slug| (slug, true));
    let page = PAGES.iter().find(|page| page.slug == slug).ok_or_else(ApiError::not_found)?;
    let text = page.text(query.0.language.unwrap_or(locale));
    if is_source {
        return Ok(HttpResponse::Ok()
            .content_type("text/markdown; charset=utf-8")
            .insert_header((header::CONTENT_LANGUAGE, text.locale.as_str()))
            .insert_header((header::CACHE_CONTROL, frame::CACHE))
            .body(text.markdown.clone()));
    }
    let content = context! {
        slug => page.slug,
        title => &text.title,
        body => &text.html,
        has_languages => page.zh.is_some(),
        words => frame::Words::of(text.locale),
    };
    frame::page("guide.html", text.locale, content)
}

/// The files that the examples of uploads declare.
const FILES: [(&str, &[u8]); 2] = [
    ("photo.jpg", include_bytes!("../../examples/files/photo.jpg")),
    ("identity-card-front.jpg", include_bytes!("../../examples/files/identity-card-front.jpg")),
];

async fn file(name: Path<String>) -> ApiResult<HttpResponse> {
    let (_, bytes) = FILES.iter().find(|(known, _)| *known == name.0).ok_or_else(ApiError::not_found)?;
    Ok(HttpResponse::Ok()
        .content_type("image/jpeg")
        .insert_header((header::CACHE_CONTROL, frame::CACHE))
        .body(*bytes))
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, frame::CACHE))
        .body(include_str!("templates/style.css"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_left_out_of_the_markdown() {
        assert_eq!(without_comments("# A\n\n<!-- made\nby -->\n\nb <!--c-->d"), "# A\n\nb d");
    }

    #[test]
    fn raw_html_and_diagrams_are_left_out_and_links_are_served() {
        let html = to_html(
            "# A & B\n\n<script>x</script>\n\nsee [there](other.md#part) <b>not</b> `<c>`\n\n```mermaid\nfoo\n```\n\n| a |\n|---|\n| 1 |\n",
            Some(Locale::En),
        );
        assert!(html.contains("<h1 id=\"a--b\">A &amp; B</h1>"), "{html}");
        assert!(html.contains("<a href=\"/docs/other?language=en#part\">there</a>"), "{html}");
        assert!(html.contains("<code>&lt;c&gt;</code>"), "{html}");
        assert!(html.contains("<div class=\"table\"><table>"), "{html}");
        for absent in ["script", "<b>", "foo"] {
            assert!(!html.contains(absent), "{html}");
        }
    }
}
