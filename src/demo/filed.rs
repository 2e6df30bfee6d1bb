//! Demo subjects and their filed websites: units and persons in several provinces.

use chrono::{DateTime, Days, NaiveDate, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::ids;
use crate::kernel::clock::shanghai_date;
use crate::kernel::pii::{Address, CertificateNumber, Email, Phone, Sensitive};
use crate::schema::{subjects, website_versions, websites};
use crate::websites::content::{JsonList, ResponsiblePerson, WebsiteContent, WebsiteDomain};
use crate::websites::subject::{LegalRepresentative, Subject, SubjectCertificate, SubjectResponsiblePerson};

/// One account with its subject and website. The page of the seed that its filing shows stands in `filings.rs`.
pub(super) struct Site {
    pub subject: &'static str,
    pub person: &'static str,
    website: &'static str,
    domain: &'static str,
    icp: &'static str,
    /// Province, city and district, GB/T 2260.
    region: (&'static str, &'static str, Option<&'static str>),
    is_individual: bool,
}

const fn site(
    subject: &'static str,
    person: &'static str,
    website: &'static str,
    domain: &'static str,
    icp: &'static str,
    region: (&'static str, &'static str, Option<&'static str>),
) -> Site {
    Site { subject, person, website, domain, icp, region, is_individual: false }
}

const fn individual(
    person: &'static str,
    website: &'static str,
    domain: &'static str,
    icp: &'static str,
    region: (&'static str, &'static str, Option<&'static str>),
) -> Site {
    Site { subject: person, person, website, domain, icp, region, is_individual: true }
}

const BEIJING: (&str, &str, Option<&str>) = ("110000", "110100", Some("110105"));
const SHANGHAI: (&str, &str, Option<&str>) = ("310000", "310100", Some("310115"));
const SHENZHEN: (&str, &str, Option<&str>) = ("440000", "440300", Some("440305"));
const DONGGUAN: (&str, &str, Option<&str>) = ("440000", "441900", None);
const HANGZHOU: (&str, &str, Option<&str>) = ("330000", "330100", Some("330106"));
const CHENGDU: (&str, &str, Option<&str>) = ("510000", "510100", Some("510104"));
const JINAN: (&str, &str, Option<&str>) = ("370000", "370100", Some("370102"));

pub(super) static SITES: [Site; 32] = [
    site("北京云上花店有限公司", "张伟", "云上花店", "yunshanghuadian.com", "京ICP备20260001号", BEIJING),
    individual("李娜", "李娜的读书笔记", "linadushu.cn", "京ICP备20260002号", BEIJING),
    site("上海拾光茶业有限公司", "王芳", "拾光茶舍", "shiguangcha.com", "沪ICP备20260003号", SHANGHAI),
    site("深圳远航模型有限公司", "刘洋", "远航模型屋", "yuanhangmoxing.com", "粤ICP备20260004号", SHENZHEN),
    site("东莞木语家具有限公司", "陈静", "木语家具馆", "muyujiaju.com", "粤ICP备20260005号", DONGGUAN),
    site("杭州青禾食品有限公司", "杨帆", "青禾食集", "qingheshiji.com", "浙ICP备20260006号", HANGZHOU),
    site("成都竹里文创有限公司", "赵敏", "竹里文创", "zhuliwenchuang.com", "蜀ICP备20260007号", CHENGDU),
    site("济南泉声乐器有限公司", "黄磊", "泉声乐器行", "quanshengyueqi.com", "鲁ICP备20260008号", JINAN),
    individual("周涛", "周涛的摄影日记", "zhoutaosheying.cn", "沪ICP备20260009号", SHANGHAI),
    site("北京北辰图书有限公司", "吴倩", "北辰书屋", "beichenshuwu.com", "京ICP备20260010号", BEIJING),
    site("上海海风服饰有限公司", "徐刚", "海风服饰", "haifengfushi.com", "沪ICP备20260011号", SHANGHAI),
    site("深圳微光灯饰有限公司", "孙丽", "微光灯饰", "weiguangdengshi.com", "粤ICP备20260012号", SHENZHEN),
    site("杭州山月旅行有限公司", "马超", "山月旅行志", "shanyuelvxing.com", "浙ICP备20260013号", HANGZHOU),
    site("成都锦里绣坊有限公司", "朱琳", "锦里绣坊", "jinlixiufang.com", "蜀ICP备20260014号", CHENGDU),
    site("济南稻香粮油有限公司", "胡军", "稻香粮油", "daoxiangliangyou.com", "鲁ICP备20260015号", JINAN),
    site("北京晨钟钟表有限公司", "郭艳", "晨钟钟表", "chenzhongzb.com", "京ICP备20260016号", BEIJING),
    site("上海浦江印务有限公司", "何斌", "浦江印务", "pujiangyinwu.com", "沪ICP备20260017号", SHANGHAI),
    site("深圳蓝鲸玩具有限公司", "高翔", "蓝鲸玩具城", "lanjingwanju.com", "粤ICP备20260018号", SHENZHEN),
    individual("林雪", "林雪的手账本", "linxueshouzhang.cn", "浙ICP备20260019号", HANGZHOU),
    site("成都雪山户外有限公司", "罗勇", "雪山户外", "xueshanhuwai.com", "蜀ICP备20260020号", CHENGDU),
    site("济南大明眼镜有限公司", "梁静", "大明眼镜", "damingyanjing.com", "鲁ICP备20260021号", JINAN),
    site("北京红叶乐器有限公司", "宋佳", "红叶乐器", "hongyeyueqi.com", "京ICP备20260022号", BEIJING),
    site("上海梧桐咖啡有限公司", "唐宁", "梧桐咖啡馆", "wutongkafei.com", "沪ICP备20260023号", SHANGHAI),
    site("深圳极昼影像有限公司", "韩雪", "极昼影像", "jizhouyingxiang.com", "粤ICP备20260024号", SHENZHEN),
    site("杭州云栖花艺有限公司", "冯源", "云栖花艺", "yunqihuayi.com", "浙ICP备20260025号", HANGZHOU),
    site("成都熊猫礼品有限公司", "董洁", "熊猫礼品屋", "xiongmaolipin.com", "蜀ICP备20260026号", CHENGDU),
    site("北京胡同文化有限公司", "程亮", "胡同影像志", "hutongyingxiang.com", "京ICP备20260027号", BEIJING),
    site("上海外滩画廊有限公司", "曹颖", "外滩画廊", "waitanhualang.com", "沪ICP备20260028号", SHANGHAI),
    site("北京银杏园艺有限公司", "袁野", "银杏园艺", "yinxingyuanyi.com", "京ICP备20260029号", BEIJING),
    site("深圳南海渔具有限公司", "邓超凡", "南海渔具", "nanhaiyuju.com", "粤ICP备20260030号", SHENZHEN),
    site("济南趵突茶具有限公司", "许晴川", "趵突茶具", "baotuchaju.com", "鲁ICP备20260031号", JINAN),
    site("成都青城竹编有限公司", "傅青", "青城竹编", "qingchengzhubian.com", "蜀ICP备20260032号", CHENGDU),
];

/// A resident identity number with the right check digit (GB 11643): area, birth date, serial.
fn identity_number(area: &str, number: u128) -> String {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let body = format!("{area}1985{:02}{:02}{:03}", number % 12 + 1, number % 28 + 1, number + 100);
    let sum: u32 =
        body.chars().zip(WEIGHTS).map(|(digit, weight)| digit.to_digit(10).unwrap_or(0) * weight).sum();
    let check = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'][(sum % 11) as usize];
    format!("{body}{check}")
}

/// A unified social credit code with the right check character (GB 32100).
fn social_credit_code(area: &str, number: u128) -> String {
    const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let body = format!("91{area}MA0{:06}", 100_000 + number);
    let sum: usize =
        body.chars().zip(WEIGHTS).map(|(c, weight)| ALPHABET.find(c).unwrap_or(0) * weight).sum();
    let check = ALPHABET.as_bytes()[(31 - sum % 31) % 31] as char;
    format!("{body}{check}")
}

pub(super) fn person(number: u128, today: NaiveDate) -> ResponsiblePerson {
    let site = &SITES[number as usize - 1];
    let area = site.region.2.unwrap_or("441901");
    ResponsiblePerson {
        name: Some(site.person.to_owned()),
        certificate_type: Some("resident_identity_card".to_owned()),
        certificate_number: Some(Sensitive::<CertificateNumber>::new(identity_number(area, number))),
        certificate_valid_from: today.checked_sub_days(Days::new(2000)),
        certificate_valid_to: today.checked_add_days(Days::new(5000)),
        certificate_long_term: Some(false),
        mobile: Some(Sensitive::<Phone>::new(format!("1391{:07}", 2_000_000 + number))),
        emergency_phone: Some(Sensitive::<Phone>::new(format!("1371{:07}", 3_000_000 + number))),
        office_phone: None,
        email: Some(Sensitive::<Email>::new(format!("contact{number}@example.com"))),
    }
}

pub(super) fn load(conn: &mut PgConnection, now: DateTime<Utc>) -> anyhow::Result<()> {
    let today = shanghai_date(now);
    for (index, site) in SITES.iter().enumerate() {
        let number = index as u128 + 1;
        let area = site.region.2.unwrap_or("441901");
        let person = person(number, today);
        let own_certificate = person.certificate_number.clone();
        let address = format!("示例大街{number}号");
        let subject = Subject {
            id: ids::subject(number),
            account_id: ids::account(number),
            icp_number: site.icp.to_owned(),
            name: site.subject.to_owned(),
            nature: if site.is_individual { "individual" } else { "enterprise" }.to_owned(),
            certificate: SubjectCertificate {
                kind: if site.is_individual { "resident_identity_card" } else { "unified_social_credit" }
                    .to_owned(),
                number: match &own_certificate {
                    Some(own) if site.is_individual => own.clone(),
                    _ => Sensitive::<CertificateNumber>::new(social_credit_code(area, number)),
                },
                address: Sensitive::<Address>::new(address.clone()),
                valid_from: today.checked_sub_days(Days::new(2000)),
                valid_to: site.is_individual.then(|| today.checked_add_days(Days::new(5000))).flatten(),
                long_term: !site.is_individual,
            },
            investor: (!site.is_individual).then(|| site.person.to_owned()),
            legal_representative: if site.is_individual {
                LegalRepresentative::default()
            } else {
                LegalRepresentative {
                    name: Some(site.person.to_owned()),
                    certificate_type: Some("resident_identity_card".to_owned()),
                    certificate_number: own_certificate,
                }
            },
            responsible_person: SubjectResponsiblePerson(person.clone()),
            province_code: site.region.0.to_owned(),
            city_code: site.region.1.to_owned(),
            district_code: site.region.2.map(str::to_owned),
            correspondence_address: Sensitive::<Address>::new(address),
            remark: None,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        diesel::insert_into(subjects::table).values(subject).execute(conn)?;
        let content = WebsiteContent {
            name: Some(site.website.to_owned()),
            home_url: Some(format!("https://www.{}", site.domain)),
            domains: JsonList(vec![
                WebsiteDomain {
                    name: site.domain.to_owned(),
                    unicode_name: Some(site.domain.to_owned()),
                    expires_on: today.checked_add_days(Days::new(700)),
                },
                WebsiteDomain {
                    name: format!("old-{}", site.domain),
                    unicode_name: Some(format!("old-{}", site.domain)),
                    expires_on: today.checked_add_days(Days::new(400)),
                },
            ]),
            service_content: JsonList(vec![
                if site.is_individual { "blog_personal_space" } else { "online_shopping" }.to_owned(),
            ]),
            languages: JsonList(vec!["zh-Hans".to_owned()]),
            pre_approvals: Some(JsonList(Vec::new())),
            responsible_person: person,
            same_as_subject_responsible_person: Some(true),
            remark: None,
        };
        crate::websites::model::insert(conn, ids::content(number), &content)?;
        diesel::insert_into(websites::table)
            .values((
                websites::id.eq(ids::website(number)),
                websites::account_id.eq(ids::account(number)),
                websites::subject_id.eq(ids::subject(number)),
                websites::icp_number.eq(format!("{}-1", site.icp)),
                websites::service_kind.eq("website"),
                websites::access.eq(json!([
                    { "methods": ["cloud_server"], "server_locations": [site.region.0], "ip_ranges": ["203.0.113.10"] }
                ])),
                websites::filed_version.eq(1),
                websites::content_id.eq(ids::content(number)),
                websites::created_at.eq(now),
                websites::updated_at.eq(now),
            ))
            .execute(conn)?;
        diesel::insert_into(website_versions::table)
            .values((
                website_versions::website_id.eq(ids::website(number)),
                website_versions::version_no.eq(1),
                website_versions::content_id.eq(ids::content(number)),
                website_versions::effective_at.eq(now),
            ))
            .execute(conn)?;
    }
    Ok(())
}
