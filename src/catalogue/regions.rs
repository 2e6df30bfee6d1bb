//! Administrative divisions (GB/T 2260): an index that is parsed once from `data/regions.json`.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;

/// First two digits of the provinces, autonomous regions and municipalities of the mainland.
const MAINLAND: [&str; 31] = [
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42",
    "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65",
];

/// Taiwan, Hong Kong, Macao: real divisions, yet neither subjects nor shipments of this product lie there.
const NOT_MAINLAND: [&str; 3] = ["71", "81", "82"];

/// The level of a division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegionLevel {
    /// 省级, code `xx0000`.
    Province,
    /// 地级, code `xxxx00`. Municipalities have one or two of them, named 市辖区 and 县.
    City,
    /// 县级.
    District,
}

impl RegionLevel {
    /// The form field that names a division of this level.
    pub fn field(self) -> &'static str {
        match self {
            Self::Province => "province_code",
            Self::City => "city_code",
            Self::District => "district_code",
        }
    }
}

/// One administrative division.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Six digits.
    pub code: &'static str,
    /// Official Chinese name.
    pub name: &'static str,
    /// Code of the division above; none for a province.
    pub parent: Option<&'static str>,
    /// Its level.
    pub level: RegionLevel,
}

/// Why a province, city and district do not form an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegionFault {
    /// The province is Taiwan, Hong Kong or Macao.
    #[error("{code} is not in mainland China (first two digits 11–15 21–23 31–37 41–46 50–54 61–65)")]
    NotMainland {
        /// The code that was given.
        code: String,
    },
    /// No division of that level has this code.
    #[error("{code} is not a {} of GB/T 2260", level.field())]
    Unknown {
        /// The level that was asked for.
        level: RegionLevel,
        /// The code that was given.
        code: String,
    },
    /// The division exists, and lies elsewhere.
    #[error("{code} does not belong to {parent}")]
    WrongParent {
        /// The level of `code`.
        level: RegionLevel,
        /// The code that was given.
        code: String,
        /// The code of the division above that was given.
        parent: String,
    },
    /// The city has districts and none was named.
    #[error("{city} has districts: name one")]
    DistrictRequired {
        /// The city.
        city: String,
    },
    /// The city has no districts (东莞, 中山, 儋州, 嘉峪关) and one was named.
    #[error("{city} has no districts: leave the district empty")]
    DistrictNotAllowed {
        /// The city.
        city: String,
    },
}

impl RegionFault {
    /// A stable code for the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotMainland { .. } => "region_not_mainland",
            Self::Unknown { .. } => "region_unknown",
            Self::WrongParent { .. } => "region_wrong_parent",
            Self::DistrictRequired { .. } => "district_required",
            Self::DistrictNotAllowed { .. } => "district_not_allowed",
        }
    }

    /// The form field to correct: `province_code`, `city_code` or `district_code`.
    pub fn field(&self) -> &'static str {
        match self {
            Self::NotMainland { .. } => RegionLevel::Province.field(),
            Self::Unknown { level, .. } | Self::WrongParent { level, .. } => level.field(),
            Self::DistrictRequired { .. } | Self::DistrictNotAllowed { .. } => RegionLevel::District.field(),
        }
    }

    /// The fault in the reader's language (`en`, anything else is zh-CN).
    pub fn message(&self, locale: &str) -> String {
        if locale == "en" {
            return self.to_string();
        }
        match self {
            Self::NotMainland { code } => format!(
                "{code} 不在中国大陆境内：省级代码前两位须为 11–15、21–23、31–37、41–46、50–54、61–65，不支持台湾（71）、香港（81）、澳门（82）"
            ),
            Self::Unknown { level, code } => {
                let name = match level {
                    RegionLevel::Province => "省级",
                    RegionLevel::City => "地级",
                    RegionLevel::District => "县级",
                };
                format!("{code} 不是 GB/T 2260 中的{name}行政区划代码")
            }
            Self::WrongParent { code, parent, .. } => format!("{code} 不属于 {parent}"),
            Self::DistrictRequired { city } => format!("{city} 下设区县，请选择区县"),
            Self::DistrictNotAllowed { city } => format!("{city} 不设区县，区县应为空"),
        }
    }
}

/// The index of all divisions.
#[derive(Debug)]
pub struct Regions {
    rows: Vec<Region>,
    by_code: HashMap<&'static str, usize>,
    children: HashMap<&'static str, Vec<usize>>,
    /// The day whose divisions these are (`YYYY-MM-DD`).
    pub as_of: &'static str,
    /// Where the table comes from.
    pub source: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionFile {
    #[serde(rename = "standard")]
    _standard: &'static str,
    as_of: &'static str,
    source: &'static str,
    rows: Vec<(&'static str, &'static str, Option<&'static str>)>,
}

impl Regions {
    /// The index, parsed at the first call (some milliseconds) and kept.
    pub fn get() -> &'static Self {
        static INDEX: OnceLock<Regions> = OnceLock::new();
        INDEX.get_or_init(|| {
            let file: RegionFile = serde_json::from_str(include_str!("data/regions.json"))
                .expect("regions.json is part of the program");
            Self::build(file)
        })
    }

    fn build(file: RegionFile) -> Self {
        let rows: Vec<Region> = file.rows.into_iter().map(region).collect();
        let by_code = rows.iter().enumerate().map(|(at, row)| (row.code, at)).collect();
        let mut children: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            if let Some(parent) = row.parent {
                children.entry(parent).or_default().push(at);
            }
        }
        Self { rows, by_code, children, as_of: file.as_of, source: file.source }
    }

    /// Every division, provinces before their cities and those before their districts.
    pub fn all(&self) -> &[Region] {
        &self.rows
    }

    /// The division with this code.
    pub fn find(&self, code: &str) -> Option<&Region> {
        self.by_code.get(code).map(|at| &self.rows[*at])
    }

    /// Its Chinese name.
    pub fn name(&self, code: &str) -> Option<&'static str> {
        self.find(code).map(|region| region.name)
    }

    /// The division above; none for a province and for an unknown code.
    pub fn parent_of(&self, code: &str) -> Option<&Region> {
        self.find(code).and_then(|region| region.parent).and_then(|parent| self.find(parent))
    }

    /// The provinces in the order of their codes.
    pub fn provinces(&self) -> impl Iterator<Item = &Region> {
        self.rows.iter().filter(|row| row.level == RegionLevel::Province)
    }

    /// Whether this is a province whose bureau takes filings: Taiwan, Hong Kong and Macau have none.
    pub fn is_mainland_province(&self, code: &str) -> bool {
        self.find(code).is_some_and(|region| {
            region.level == RegionLevel::Province && !matches!(&region.code[..2], "71" | "81" | "82")
        })
    }

    /// The divisions directly below; empty for a district, an unknown code and a city without districts.
    pub fn children(&self, code: &str) -> Vec<&Region> {
        self.children
            .get(code)
            .map(|list| list.iter().map(|at| &self.rows[*at]).collect())
            .unwrap_or_default()
    }

    /// Names from the province down, without the 市辖区 and 县 that only the code table knows (广东省 深圳市 南山区).
    pub fn path(&self, province: &str, city: &str, district: Option<&str>) -> String {
        [Some(province), Some(city), district]
            .into_iter()
            .flatten()
            .filter_map(|code| self.name(code))
            .filter(|name| {
                !matches!(*name, "市辖区" | "县" | "省直辖县级行政区划" | "自治区直辖县级行政区划")
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Checks that the three codes form an address in mainland China; the first fault from above is reported.
    pub fn validate(&self, province: &str, city: &str, district: Option<&str>) -> Result<(), RegionFault> {
        check_mainland(province)?;
        let province = self.at_level(province, RegionLevel::Province)?;
        let city = self.at_level(city, RegionLevel::City)?;
        check_parent(city, province)?;
        let has_districts = self.children.contains_key(city.code);
        match district {
            None if has_districts => Err(RegionFault::DistrictRequired { city: city.code.to_owned() }),
            None => Ok(()),
            Some(_) if !has_districts => Err(RegionFault::DistrictNotAllowed { city: city.code.to_owned() }),
            Some(code) => check_parent(self.at_level(code, RegionLevel::District)?, city),
        }
    }

    fn at_level(&self, code: &str, level: RegionLevel) -> Result<&Region, RegionFault> {
        self.find(code)
            .filter(|region| region.level == level)
            .ok_or_else(|| RegionFault::Unknown { level, code: code.to_owned() })
    }
}

fn region((code, name, parent): (&'static str, &'static str, Option<&'static str>)) -> Region {
    let level = match parent {
        None => RegionLevel::Province,
        Some(parent) if parent.ends_with("0000") => RegionLevel::City,
        Some(_) => RegionLevel::District,
    };
    Region { code, name, parent, level }
}

fn check_mainland(code: &str) -> Result<(), RegionFault> {
    let prefix = code.get(..2).unwrap_or_default();
    if MAINLAND.contains(&prefix) {
        Ok(())
    } else if NOT_MAINLAND.contains(&prefix) {
        Err(RegionFault::NotMainland { code: code.to_owned() })
    } else {
        Err(RegionFault::Unknown { level: RegionLevel::Province, code: code.to_owned() })
    }
}

fn check_parent(region: &Region, parent: &Region) -> Result<(), RegionFault> {
    if region.parent == Some(parent.code) {
        Ok(())
    } else {
        Err(RegionFault::WrongParent {
            level: region.level,
            code: region.code.to_owned(),
            parent: parent.code.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_parent_and_its_code_shape() {
        let regions = Regions::get();
        assert_eq!(regions.provinces().count(), 31);
        assert_eq!(regions.provinces().map(|row| &row.code[..2]).collect::<Vec<_>>(), MAINLAND);
        assert_eq!(regions.by_code.len(), regions.all().len(), "no code stands twice");
        for row in regions.all() {
            assert!(
                row.code.len() == 6 && row.code.bytes().all(|byte| byte.is_ascii_digit()),
                "{}",
                row.code
            );
            assert!(!row.name.is_empty());
            let above = regions.parent_of(row.code);
            match row.level {
                RegionLevel::Province => assert!(row.code.ends_with("0000") && above.is_none()),
                RegionLevel::City => {
                    assert!(row.code.ends_with("00"));
                    assert_eq!(
                        above.map(|up| (up.level, &up.code[..2])),
                        Some((RegionLevel::Province, &row.code[..2]))
                    );
                }
                RegionLevel::District => {
                    assert_eq!(
                        above.map(|up| (up.level, &up.code[..4])),
                        Some((RegionLevel::City, &row.code[..4]))
                    );
                }
            }
        }
    }

    #[test]
    fn exactly_four_cities_have_no_districts() {
        let regions = Regions::get();
        let bare: Vec<_> = regions
            .all()
            .iter()
            .filter(|row| row.level == RegionLevel::City && regions.children(row.code).is_empty())
            .map(|row| (row.code, row.name))
            .collect();
        assert_eq!(
            bare,
            [("441900", "东莞市"), ("442000", "中山市"), ("460400", "儋州市"), ("620200", "嘉峪关市")]
        );
    }

    #[test]
    fn real_addresses_are_accepted() {
        let regions = Regions::get();
        for (province, city, district) in [
            ("110000", "110100", Some("110105")),
            ("440000", "440300", Some("440305")),
            ("440000", "441900", None),
            ("460000", "460400", None),
            ("620000", "620200", None),
            ("410000", "419000", Some("419001")),
            ("500000", "500200", Some("500229")),
        ] {
            assert_eq!(regions.validate(province, city, district), Ok(()), "{province} {city} {district:?}");
        }
        assert_eq!(regions.path("110000", "110100", Some("110105")), "北京市 朝阳区");
        assert_eq!(regions.path("440000", "441900", None), "广东省 东莞市");
    }

    #[test]
    fn faults_name_the_field_and_the_rule() {
        let fault = |province: &str, city: &str, district: Option<&str>| {
            let fault = Regions::get().validate(province, city, district).expect_err("a fault");
            (fault.field(), fault.code())
        };
        for outside in ["710000", "810000", "820000"] {
            assert_eq!(fault(outside, "110100", Some("110105")), ("province_code", "region_not_mainland"));
        }
        assert_eq!(fault("660000", "110100", None), ("province_code", "region_unknown"));
        assert_eq!(fault("", "110100", None), ("province_code", "region_unknown"));
        assert_eq!(fault("中国", "110100", None), ("province_code", "region_unknown"));
        assert_eq!(fault("110100", "110100", None), ("province_code", "region_unknown"));
        assert_eq!(fault("110000", "110199", None), ("city_code", "region_unknown"));
        assert_eq!(fault("110000", "440300", Some("440305")), ("city_code", "region_wrong_parent"));
        assert_eq!(fault("440000", "440300", Some("440103")), ("district_code", "region_wrong_parent"));
        assert_eq!(fault("440000", "440300", Some("440399")), ("district_code", "region_unknown"));
        assert_eq!(fault("440000", "440300", None), ("district_code", "district_required"));
        assert_eq!(fault("440000", "441900", Some("441901")), ("district_code", "district_not_allowed"));
        let fault = RegionFault::NotMainland { code: "810000".to_owned() };
        assert!(fault.message("zh-CN").contains("11–15") && fault.message("en").contains("11–15"));
    }
}
