//! The pages for people: guides and error codes, as they are served, and what docs/states.md says of the machines.

use std::collections::{BTreeMap, BTreeSet};

use beian::catalogue::data::status_label;
use beian::error_codes;
use beian::reference::{GUIDES, Guide};
use beian::webhooks::TRIGGERS;
use serde_json::Value;

use crate::support::{Client, Response, TestApp};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn browser(app: &TestApp, language: &str) -> Client {
    app.anonymous().with("Accept", BROWSER).with("Accept-Language", language)
}

fn text(reply: &Response) -> String {
    // The template engine escapes the slash too.
    String::from_utf8(reply.body.clone()).unwrap().replace("&#x2f;", "/")
}

/// What every page must be: HTML for this reader, closed to scripts and frames.
#[track_caller]
fn expect_page(reply: &Response, language: &str) -> String {
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
    assert_eq!(reply.header("content-language").as_deref(), Some(language));
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    let page = text(reply);
    assert!(page.contains(&format!("<html lang=\"{language}\">")), "{page}");
    assert!(page.contains("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"));
    for forbidden in ["<script", "<style", "<img", "<iframe", "onclick", "javascript:", "style=\""] {
        assert!(!page.contains(forbidden), "{forbidden} in {page}");
    }
    page
}

/// Where the links of a page lead.
fn links(page: &str) -> BTreeSet<String> {
    let targets = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    targets.collect()
}

#[test]
fn a_browser_gets_a_page_for_each_code_in_its_language_and_a_program_gets_json() {
    let app = TestApp::spawn();
    for (accept_language, language, locale) in [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN", beian::kernel::i18n::Locale::ZhCn),
        ("en-GB,en;q=0.9", "en", beian::kernel::i18n::Locale::En),
    ] {
        let index = expect_page(&browser(&app, accept_language).get("/problems"), language);
        for code in error_codes::ALL {
            let path = format!("/problems/{}", code.code);
            assert!(index.contains(&format!("href=\"{path}?language={language}\"")), "{path} is not listed");
            let page = expect_page(&browser(&app, accept_language).get(&path), language);
            let json = app.anonymous().with("Accept-Language", accept_language).get(&path).expect_status(200);
            assert_eq!(json.header("content-type").as_deref(), Some("application/json"));
            assert_eq!(json.at("/code"), code.code);
            assert_eq!(json.at("/status"), code.status);
            assert_eq!(json.at("/title"), code.title(locale));
            assert!(page.contains(code.title(locale)), "{page}");
            for name in ["meaning", "cause", "action"] {
                let wanted = json.text(&format!("/{name}"));
                // Up to the first word that is marked up or escaped.
                let start = wanted.split(['`', '&', '<', '"', '\'']).next().unwrap();
                assert!(page.contains(start), "{path}: {name} is not shown");
            }
        }
    }
}

#[test]
fn what_is_sent_depends_on_accept_and_language_and_says_so() {
    let app = TestApp::spawn();
    let vary = |reply: &Response| reply.header_values("vary").join(", ").to_lowercase();
    for path in ["/problems", "/problems/not_found"] {
        for client in [browser(&app, "en"), app.anonymous()] {
            let vary = vary(&client.get(path));
            assert!(
                vary.contains("accept-language") && vary.split(", ").any(|name| name == "accept"),
                "{vary}"
            );
        }
    }
    // The reader's own choice goes before the browser's.
    let page = expect_page(&browser(&app, "zh-CN").get("/problems/not_found?language=en"), "en");
    assert!(page.contains("What to do") && page.contains("?language=zh-CN"), "{page}");
    app.anonymous().get("/problems/not_found?language=en").expect_status(200).expect("/title", "Not found");
    app.anonymous().get("/problems?language=fr").expect_problem(400, "invalid_parameter");
    browser(&app, "en").get("/problems/no_such_code").expect_problem(404, "not_found");
    browser(&app, "en").get("/problems/%3Cscript%3E").expect_problem(404, "not_found");
    let list = app.anonymous().get("/problems").expect_status(200).json();
    let (listed, page) =
        (&list["items"][0], app.anonymous().get(list["items"][0]["type"].as_str().unwrap()).json());
    for member in ["code", "title", "detail", "meaning", "cause", "action"] {
        assert_eq!(listed[member], page[member], "{member}");
    }
    let codes: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap()).collect();
    assert_eq!(codes, error_codes::ALL.iter().map(|code| code.code).collect::<Vec<_>>());
}

/// Where the links of a page of Markdown lead, outside blocks of code.
fn markdown_links(markdown: &str) -> BTreeSet<String> {
    let prose: String = markdown.split("```").step_by(2).collect();
    prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
}

/// The language in which a guide is shown to who prefers this one.
fn shown(guide: &Guide, language: &'static str) -> &'static str {
    if guide.zh.is_some() { language } else { "en" }
}

#[test]
fn every_guide_is_served_and_every_link_leads_somewhere() {
    let app = TestApp::spawn();
    for language in ["zh-CN", "en"] {
        let client = browser(&app, language);
        let index = expect_page(&client.get("/docs"), language);
        let mut pages = BTreeMap::from([("/docs".to_owned(), index)]);
        for guide in GUIDES {
            let path = format!("/docs/{}", guide.slug);
            // Whoever chose a language stays in it.
            let listed = format!("href=\"{path}?language={language}\"");
            assert!(pages["/docs"].contains(&listed), "{path} is not listed");
            pages.insert(path.clone(), expect_page(&client.get(&path), shown(guide, language)));
        }
        let partners = pages["/docs/partners"].as_str();
        let kept = format!("href=\"/docs/webhooks?language={language}");
        assert!(partners.contains(&kept), "{partners}");
        for path in ["/problems", "/problems/idempotency_in_flight"] {
            pages.insert(path.to_owned(), expect_page(&client.get(path), language));
        }
        let style = client.get("/docs/style.css").expect_status(200);
        assert_eq!(style.header("content-type").as_deref(), Some("text/css; charset=utf-8"));
        for (path, page) in &pages {
            for link in links(page) {
                if link.starts_with("https://") {
                    continue;
                }
                let (target, anchor) = link.split_once('#').unwrap_or((&link, ""));
                let target = if target.is_empty() { path } else { target };
                let reply = client.get(target);
                assert_eq!(reply.status, 200, "{path} leads to {link}");
                // Chinese headings are percent-encoded in links.
                let anchor = form_urlencoded::parse(anchor.as_bytes()).next();
                assert!(
                    anchor.is_none_or(|(id, _)| text(&reply).contains(&format!("id=\"{id}\""))),
                    "{path}: {link}"
                );
            }
        }
        client.get("/docs/nothing").expect_problem(404, "not_found");
        client.get("/docs/nothing.md").expect_problem(404, "not_found");
        client.get("/docs/../Cargo.toml").expect_problem(404, "route_not_found");
    }
    assert!(beian::openapi::document()["info"]["description"].as_str().unwrap().contains("](/docs)"));
}

#[test]
fn every_guide_is_served_as_markdown_and_its_links_lead_to_markdown() {
    let app = TestApp::spawn();
    for language in ["zh-CN", "en"] {
        let client = app.anonymous().with("Accept-Language", language);
        for guide in GUIDES {
            let reply = client.get(&format!("/docs/{}.md", guide.slug)).expect_status(200);
            assert_eq!(reply.header("content-type").as_deref(), Some("text/markdown; charset=utf-8"));
            assert_eq!(reply.header("content-language").as_deref(), Some(shown(guide, language)));
            let markdown = String::from_utf8(reply.body.clone()).unwrap();
            assert!(markdown.starts_with("# ") && !markdown.contains("<!--"), "{}", guide.slug);
            for link in markdown_links(&markdown) {
                let target = link.split('#').next().unwrap();
                if target.is_empty() || target.starts_with("https://") {
                    continue;
                }
                // As a reader resolves it: beside this page.
                let target =
                    if target.starts_with('/') { target.to_owned() } else { format!("/docs/{target}") };
                assert_eq!(client.get(&target).status, 200, "{} leads to {link}", guide.slug);
            }
        }
    }
    // The reader's own choice goes before the header.
    let other = app.anonymous().with("Accept-Language", "zh-CN").get("/docs/partners.md?language=en");
    assert_eq!(other.expect_status(200).header("content-language").as_deref(), Some("en"));
}

/// Readers have what is served, and no source tree.
#[test]
fn no_guide_names_a_file_that_is_not_served() {
    let folders = ["benches/", "dev/", "docker/", "examples/", "migrations/", "openapi/", "src/", "tests/"];
    for guide in GUIDES {
        for source in [Some(&guide.en), guide.zh.as_ref()].into_iter().flatten() {
            let mut markdown = source.markdown.to_owned();
            while let Some(from) = markdown.find("<!--") {
                let to = from + markdown[from..].find("-->").unwrap() + 3;
                markdown.replace_range(from..to, "");
            }
            let is_word = |c: char| c.is_ascii_alphanumeric() || "_-./{}@".contains(c);
            for word in markdown.split(|c| !is_word(c)) {
                let word = word.trim_start_matches(['.', '/', '@']);
                let named = folders.iter().find(|folder| word.starts_with(**folder));
                assert!(named.is_none(), "{}: {word}", guide.slug);
                assert!(
                    !word.starts_with("docs/")
                        || GUIDES.iter().any(|guide| word == format!("docs/{}", guide.slug)),
                    "{}: {word}",
                    guide.slug
                );
            }
        }
    }
}

/// What the page of the clients shows is what the examples do.
#[test]
fn the_page_of_the_clients_shows_what_is_tried() {
    let page = include_str!("../../docs/clients.md");
    let sources = [
        ("```yaml", include_str!("../../examples/python/generator.yaml")),
        ("```python", include_str!("../../examples/python/change_website.py")),
        ("```ts", include_str!("../../examples/typescript/src/change-website.ts")),
    ];
    for (fence, source) in sources {
        let block = page.split(fence).nth(1).unwrap().split("```").next().unwrap().trim();
        assert!(source.contains(block), "{fence} is not in the example:\n{block}");
    }
    let run = include_str!("../clients/run");
    for words in [
        "--config generator.yaml",
        "--global-property apis,models,supportingFiles",
        "--library native",
        "--fail-on-warning",
    ] {
        assert!(page.contains(words) && run.contains(words), "{words}");
    }
    // The versions that are installed there.
    let versions = [
        (
            "| [openapi-typescript](https://openapi-ts.dev) + openapi-fetch | 7.13 + 0.17 |",
            r#""openapi-typescript": "7.13"#,
            include_str!("../../examples/typescript/package.json"),
        ),
        (
            "/openapi-ts](https://heyapi.dev) | 0.95 |",
            r#"openapi-ts": "0.95"#,
            include_str!("../clients/hey-api/package.json"),
        ),
        (
            "openapi-python-client) | 0.29 |",
            "openapi-python-client==0.29",
            include_str!("../../examples/python/requirements.txt"),
        ),
        ("`python` | 7.26 |", "==7.26", include_str!("../clients/openapi-generator/requirements.txt")),
    ];
    for (said, installed, file) in versions {
        assert!(page.contains(said), "{said}");
        assert!(file.contains(installed), "{installed}");
    }
}

#[test]
fn the_page_of_the_webhooks_lists_every_event_as_the_document_does() {
    let tables = tables(include_str!("../../docs/webhooks.md"));
    let listed = |name: &str| {
        let table = tables.iter().find(|table| table[0][0] == name).expect("the table");
        table[1..].to_vec()
    };
    let mut members = BTreeMap::new();
    let wanted: Vec<Vec<String>> = TRIGGERS
        .iter()
        .map(|trigger| {
            members.extend(
                trigger.data.iter().map(|(name, meaning)| (format!("`{name}`"), (*meaning).to_owned())),
            );
            let names: Vec<String> = trigger.data.iter().map(|(name, _)| format!("`{name}`")).collect();
            vec![format!("`{}`", trigger.event_type), trigger.when.to_owned(), names.join(", ")]
        })
        .collect();
    assert_eq!(listed("event"), wanted);
    // In Chinese: the same events with the same members.
    let chinese = self::tables(include_str!("../../docs/zh-CN/webhooks.md"));
    let chinese = chinese.iter().find(|table| table[0][0] == "事件").expect("the table");
    let cells = |rows: &[Vec<String>]| -> Vec<_> {
        rows.iter().map(|row| (row[0].clone(), words(&row[2]))).collect()
    };
    assert_eq!(cells(&chinese[1..]), cells(&wanted));
    let described: BTreeMap<String, String> =
        listed("member of `data`").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(described, members);
}

/// A page in another language lags behind when somebody changes the first: it has the same blocks of code and the same words
/// in code, which carry the facts.
#[test]
fn a_guide_in_two_languages_has_the_same_code_in_both() {
    for guide in GUIDES {
        let Some(zh) = &guide.zh else { continue };
        let blocks = |text: &'static str| text.split("```").skip(1).step_by(2).collect::<Vec<_>>();
        assert_eq!(blocks(zh.markdown), blocks(guide.en.markdown), "{}", guide.slug);
        let prose = |text: &str| words(&text.split("```").step_by(2).collect::<String>());
        let (zh, en) = (prose(zh.markdown), prose(guide.en.markdown));
        assert_eq!(
            (zh.difference(&en).collect::<Vec<_>>(), en.difference(&zh).collect::<Vec<_>>()),
            (vec![], vec![]),
            "{}: only in Chinese, only in English",
            guide.slug
        );
    }
}

/// The tables of a page: header and rows, their cells without the blanks.
fn tables(markdown: &str) -> Vec<Vec<Vec<String>>> {
    let mut tables = Vec::new();
    let mut table: Vec<Vec<String>> = Vec::new();
    for line in markdown.lines().chain([""]) {
        match line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) {
            Some(row) if row.contains("---") => {}
            Some(row) => table.push(row.split('|').map(|cell| cell.trim().to_owned()).collect()),
            None if !table.is_empty() => tables.push(std::mem::take(&mut table)),
            None => {}
        }
    }
    tables
}

/// The words in backquotes.
fn words(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_page_of_the_errors_lists_every_code_of_fields_and_rules() {
    let tables = tables(include_str!("../../docs/errors.md"));
    let listed = |name: &str| {
        let table = tables.iter().find(|table| table[0][0] == name).expect("the table");
        let rows = table[1..]
            .iter()
            .map(|row| (row[0].trim_matches('`').to_owned(), row[1].clone(), row[2].clone()));
        rows.collect::<Vec<_>>()
    };
    let owned = |code: &str, zh: &str, en: &str| (code.to_owned(), zh.to_owned(), en.to_owned());
    let fields = error_codes::FIELD_CODES.iter().map(|(code, zh, en)| owned(code, zh, en));
    assert_eq!(listed("code"), fields.collect::<Vec<_>>());
    let rules = beian::filings::rules::codes::ALL.iter();
    let rules = rules.map(|rule| owned(rule.code, rule.title_zh, rule.title_en));
    assert_eq!(listed("rule"), rules.collect::<Vec<_>>());
}

const STATES: &str = include_str!("../../docs/states.md");
const STATUSES: &str = include_str!("../../src/catalogue/data/statuses.json");

#[test]
fn the_page_of_the_states_names_every_state_of_every_machine_with_its_labels() {
    let machines: Value = serde_json::from_str(STATUSES).unwrap();
    let mut described = BTreeMap::new();
    for table in tables(STATES) {
        let Some(machine) = table[0][0].strip_prefix('`').and_then(|name| name.strip_suffix('`')) else {
            continue;
        };
        for row in &table[1..] {
            let Some(state) = words(&row[0]).pop_first() else { continue };
            if machine != "step" {
                assert_eq!(row[1], status_label(machine, &state, "zh-CN"), "{machine} {state}");
                assert_eq!(row[2], status_label(machine, &state, "en"), "{machine} {state}");
            }
            described.entry(machine.to_owned()).or_insert_with(BTreeSet::new).insert(state);
        }
    }
    for (machine, states) in machines.as_object().unwrap() {
        // The filing has a page of its own; a stage is no state.
        if ["filing", "review_stage"].contains(&machine.as_str()) {
            continue;
        }
        let states: BTreeSet<String> = states
            .as_array()
            .unwrap()
            .iter()
            .map(|state| state["code"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(described.get(machine), Some(&states), "{machine}");
    }
}

#[test]
fn the_ways_between_states_join_known_states_and_reach_every_one() {
    let mut states: BTreeSet<String> = BTreeSet::new();
    let mut first = None;
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut machines = 0;
    for table in tables(STATES) {
        let is_ways = table[0].contains(&"from".to_owned());
        if !is_ways {
            states = table[1..].iter().filter_map(|row| words(&row[0]).pop_first()).collect();
            first = table.get(1).and_then(|row| words(&row[0]).pop_first());
            reached = first.iter().cloned().collect();
            continue;
        }
        machines += 1;
        let column = |name: &str| table[0].iter().position(|cell| cell == name).unwrap();
        for row in &table[1..] {
            let (from, to) = (words(&row[column("from")]), words(&row[column("to")]));
            assert!(!from.is_empty(), "{row:?}");
            for state in from.union(&to) {
                assert!(states.contains(state), "{state} is no state of the machine of {row:?}");
            }
            reached.extend(to);
        }
        let missing: Vec<&String> = states.difference(&reached).collect();
        assert!(missing.is_empty(), "no way leads to {missing:?} of the machine that begins with {first:?}");
    }
    assert!(machines >= 9, "only {machines} tables of ways were found");
}
