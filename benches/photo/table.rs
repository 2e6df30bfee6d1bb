//! What was found against what should have been found.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use beian::photo_verifications::precheck::{
    BackdropProfile, Context, Examination, Fingerprint, Switches, UNREADABLE, examine, judge,
};
use chrono::NaiveDate;
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    file: String,
    fault: String,
    expected: Vec<String>,
    used: Vec<String>,
    today: NaiveDate,
    reviewed_on: Option<NaiveDate>,
    person: String,
    sex: String,
    skin: String,
    tone: f64,
}

/// Hits and all.
#[derive(Clone, Copy, Default)]
struct Share(u32, u32);

impl Share {
    fn add(&mut self, is_hit: bool) {
        self.0 += u32::from(is_hit);
        self.1 += 1;
    }

    fn show(self) -> String {
        if self.1 == 0 {
            return "–".to_owned();
        }
        format!("{:.1} % ({}/{})", 100.0 * f64::from(self.0) / f64::from(self.1), self.0, self.1)
    }
}

/// Prints the tables of a folder.
pub fn print(folder: &Path, names_misses: bool) {
    let read =
        |name: &str| std::fs::read(folder.join(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    let rows: Vec<Row> = serde_json::from_slice(&read("manifest.json")).expect("manifest.json");
    let profile: BackdropProfile = serde_json::from_slice(&read("profile.json")).expect("profile.json");
    let begun = Instant::now();
    let seen: BTreeMap<&str, Result<Examination, String>> = rows
        .iter()
        .map(|row| {
            let content_type = if row.file.ends_with(".png") { "image/png" } else { "image/jpeg" };
            let examined = examine(&read(&row.file), content_type, &profile);
            (row.file.as_str(), examined.map_err(|finding| finding.code))
        })
        .collect();
    let each = begun.elapsed().as_secs_f64() * 1000.0 / rows.len().max(1) as f64;
    let switches = Switches::default();
    let mut by_fault: BTreeMap<(String, String), Share> = BTreeMap::new();
    let mut by_code: BTreeMap<&str, (Share, Share)> =
        Switches::CODES.iter().map(|code| (*code, Default::default())).collect();
    let mut by_person: BTreeMap<String, Share> = BTreeMap::new();
    let (mut strangers, mut copies) = (Vec::new(), Vec::new());
    let (mut same_person, mut other_person) = (Vec::new(), Vec::new());
    let mut goods: Vec<(&str, Fingerprint)> = Vec::new();
    for row in &rows {
        let used: Vec<Fingerprint> = row
            .used
            .iter()
            .filter_map(|name| seen[name.as_str()].as_ref().ok().map(|seen| seen.fingerprint))
            .collect();
        let context = Context {
            today: row.today,
            reviewed_on: row.reviewed_on,
            switches: &switches,
            is_used_exactly: false,
            used_fingerprints: &used,
        };
        let examined = &seen[row.file.as_str()];
        let findings = examined.as_ref().map(|seen| judge(seen, &context)).unwrap_or_default();
        let found: Vec<&str> = match examined {
            Ok(_) => findings.iter().map(|finding| finding.code.as_str()).collect(),
            Err(_) => vec![UNREADABLE],
        };
        if let Ok(seen) = examined
            && let Some(nearest) = used.iter().map(|used| used.distance(&seen.fingerprint)).min()
        {
            if row.fault == "good" { &mut strangers } else { &mut copies }.push(nearest);
        }
        if row.fault == "good"
            && let Ok(seen) = examined
        {
            for (person, fingerprint) in &goods {
                let distance = fingerprint.distance(&seen.fingerprint);
                if *person == row.person { &mut same_person } else { &mut other_person }.push(distance);
            }
            goods.push((&row.person, seen.fingerprint));
        }
        let mut is_wrong = false;
        if row.expected.is_empty() {
            for (code, (_, alarms)) in &mut by_code {
                alarms.add(found.contains(code));
            }
            let tone = if row.tone < 0.9 { "darkened" } else { "own tone" };
            let who = format!("{} ({}, {}, {tone})", row.person, row.sex, row.skin);
            by_person.entry(who).or_default().add(!found.is_empty());
            is_wrong = !found.is_empty();
        }
        for code in &row.expected {
            let is_hit = found.contains(&code.as_str());
            if let Some((recall, _)) = by_code.get_mut(code.as_str()) {
                recall.add(is_hit);
            }
            by_fault.entry((code.clone(), row.fault.clone())).or_default().add(is_hit);
            is_wrong |= !is_hit;
        }
        if is_wrong && names_misses {
            println!("{}: {:?}, expected {:?}", row.file, findings, row.expected);
            if let Ok(seen) = examined {
                println!(
                    "    faces {:?} share {:.2} even {:.2} gaps {:?} {:?} {:?} {:?}",
                    seen.faces.iter().map(|face| (face.region, face.score)).collect::<Vec<_>>(),
                    seen.backdrop.share,
                    seen.backdrop.evenness,
                    seen.backdrop.gaps,
                    seen.quality,
                    seen.clothes,
                    seen.text
                );
            }
        }
    }
    println!("| finding | recall on its faults | false alarms on good pictures |");
    println!("|---|---|---|");
    for (code, (recall, alarms)) in &by_code {
        println!("| `{code}` | {} | {} |", recall.show(), alarms.show());
    }
    println!("\n| finding | fault | found |\n|---|---|---|");
    for ((code, fault), share) in &by_fault {
        println!("| `{code}` | {fault} | {} |", share.show());
    }
    println!("\n| good pictures of | with any finding |\n|---|---|");
    for (who, share) in &by_person {
        println!("| {who} | {} |", share.show());
    }
    println!(
        "\n| fingerprints | pictures | least | 5 % | median | 95 % | greatest |\n|---|---|---|---|---|---|---|"
    );
    for (name, distances) in [
        ("copy to its original", &mut copies),
        ("good picture to the nearest other one", &mut strangers),
        ("two pictures from one portrait", &mut same_person),
        ("two pictures from different portraits", &mut other_person),
    ] {
        distances.sort_unstable();
        let at = |share: f64| {
            let last = distances.len().saturating_sub(1);
            distances.get((share * last as f64).round() as usize).copied().unwrap_or_default()
        };
        let spread = [0.0, 0.05, 0.5, 0.95, 1.0].map(|share| at(share).to_string()).join(" | ");
        println!("| {name} | {} | {spread} |", distances.len());
    }
    println!("\n{} pictures, {each:.0} ms each with reading", rows.len());
}
