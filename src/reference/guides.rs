//! The guides: pages of `docs/`, in the binary, since users have only what is served. Markdown to HTML, once.

use std::sync::LazyLock;

use actix_web::{HttpResponse, http::header, web};
use minijinja::context;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd, html};
use serde::Serialize;

use super::html as frame;
use crate::error::{ApiError, ApiResult};
use crate::kernel::{i18n::Locale, json::Path};

/// A page of `docs/` that is served.
pub struct Guide {
    /// Last part of its address, and its file name without `.md`.
    pub slug: &'static str,
    /// What one finds there.
    pub summary: &'static str,
    /// The Markdown.
    pub markdown: &'static str,
}

/// Every guide, in the order in which a new reader needs them.
pub const GUIDES: &[Guide] = &[
    Guide {
        slug: "partners",
        summary: "Tokens, secrets, scopes, whose data: for partners' programs.",
        markdown: include_str!("../../docs/partners.md"),
    },
    Guide {
        slug: "errors",
        summary: "How problems look, when to try again, and the codes of fields and rules.",
        markdown: include_str!("../../docs/errors.md"),
    },
    Guide {
        slug: "idempotency",
        summary: "How a request is repeated safely, and how two people do not overwrite each other.",
        markdown: include_str!("../../docs/idempotency.md"),
    },
    Guide {
        slug: "pagination",
        summary: "How lists are read: pages, filters, sorting, and how to keep a copy up to date.",
        markdown: include_str!("../../docs/pagination.md"),
    },
    Guide {
        slug: "webhooks",
        summary: "How a partner is told of events, verifies them, and catches up.",
        markdown: include_str!("../../docs/webhooks.md"),
    },
    Guide {
        slug: "filing-workflow",
        summary: "Every status of a filing, and every step between them.",
        markdown: include_str!("../../docs/filing-workflow.md"),
    },
    Guide {
        slug: "states",
        summary: "The states of everything else: materials, photos, shipments, reviews, submissions, messages.",
        markdown: include_str!("../../docs/states.md"),
    },
    Guide {
        slug: "compatibility",
        summary: "What may change without notice, what never will, and what clients must tolerate.",
        markdown: include_str!("../../docs/compatibility.md"),
    },
];

/// A guide, ready to be shown.
#[derive(Serialize)]
struct Page {
    slug: &'static str,
    title: String,
    summary: &'static str,
    #[serde(skip)]
    html: String,
}

static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| GUIDES.iter().map(Page::new).collect());

impl Page {
    fn new(guide: &Guide) -> Self {
        let title = guide.markdown.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or(guide.slug);
        Self {
            slug: guide.slug,
            title: title.to_owned(),
            summary: guide.summary,
            html: to_html(guide.markdown),
        }
    }
}

/// Markdown of our own to HTML: without raw HTML, without pictures of diagrams (they need a script), with links that lead
/// somewhere on this server.
fn to_html(markdown: &str) -> String {
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
                events.push(Event::Start(Tag::Link { link_type, dest_url: served(dest_url), title, id }));
            }
            event => events.push(event),
        }
    }
    add_anchors(&mut events);
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    out
}

/// `webhooks.md#verify` becomes `/docs/webhooks#verify`.
fn served(target: CowStr<'_>) -> CowStr<'_> {
    let (file, anchor) =
        target.split_once('#').map_or((&*target, None), |(file, anchor)| (file, Some(anchor)));
    match file.strip_suffix(".md") {
        Some(slug) => {
            let anchor = anchor.map(|anchor| format!("#{anchor}")).unwrap_or_default();
            format!("/docs/{slug}{anchor}").into()
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
        .route("/docs/{slug}", web::get().to(guide));
}

async fn index() -> ApiResult<HttpResponse> {
    let words = frame::Words::of(Locale::En);
    frame::page("guides.html", Locale::En, context! { guides => &*PAGES, words })
}

async fn guide(slug: Path<String>) -> ApiResult<HttpResponse> {
    let page = PAGES.iter().find(|page| page.slug == slug.0).ok_or_else(ApiError::not_found)?;
    let words = frame::Words::of(Locale::En);
    frame::page("guide.html", Locale::En, context! { title => &page.title, body => &page.html, words })
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
    fn raw_html_and_diagrams_are_left_out_and_links_are_served() {
        let html = to_html(
            "# A & B\n\n<script>x</script>\n\nsee [there](other.md#part) <b>not</b> `<c>`\n\n```mermaid\nfoo\n```\n\n| a |\n|---|\n| 1 |\n",
        );
        assert!(html.contains("<h1 id=\"a--b\">A &amp; B</h1>"), "{html}");
        assert!(html.contains("<a href=\"/docs/other#part\">there</a>"), "{html}");
        assert!(html.contains("<code>&lt;c&gt;</code>"), "{html}");
        assert!(html.contains("<div class=\"table\"><table>"), "{html}");
        for absent in ["script", "<b>", "foo"] {
            assert!(!html.contains(absent), "{html}");
        }
    }
}
