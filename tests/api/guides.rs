//! The pages for people: guides and error codes, as they are served, and what docs/states.md says of the machines.

use std::collections::{BTreeMap, BTreeSet};

use beian::catalogue::data::status_label;
use beian::error_codes;
use beian::reference::GUIDES;
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
    let codes: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap()).collect();
    assert_eq!(codes, error_codes::ALL.iter().map(|code| code.code).collect::<Vec<_>>());
}

#[test]
fn every_guide_is_served_and_every_link_leads_somewhere() {
    let app = TestApp::spawn();
    let client = browser(&app, "zh-CN");
    let index = expect_page(&client.get("/docs"), "en");
    let mut pages = BTreeMap::from([("/docs".to_owned(), index)]);
    for guide in GUIDES {
        let path = format!("/docs/{}", guide.slug);
        assert!(pages["/docs"].contains(&format!("href=\"{path}\"")), "{path} is not listed");
        pages.insert(path.clone(), expect_page(&client.get(&path), "en"));
    }
    for path in ["/problems", "/problems/idempotency_in_flight"] {
        pages.insert(path.to_owned(), expect_page(&client.get(path), "zh-CN"));
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
            assert!(
                anchor.is_empty() || text(&reply).contains(&format!("id=\"{anchor}\"")),
                "{path}: {link}"
            );
        }
    }
    client.get("/docs/nothing").expect_problem(404, "not_found");
    client.get("/docs/../Cargo.toml").expect_problem(404, "route_not_found");
    assert!(beian::openapi::document()["info"]["description"].as_str().unwrap().contains("](/docs)"));
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
