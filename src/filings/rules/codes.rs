//! Every code that a rule may report, in one place: stable name, title, source of the rule.

/// A code of a finding.
#[derive(Debug, PartialEq, Eq)]
pub struct RuleCode {
    /// Stable name.
    pub code: &'static str,
    /// Title in Chinese.
    pub title_zh: &'static str,
    /// Title in English.
    pub title_en: &'static str,
    /// Where the rule comes from.
    pub source: Source,
}

/// Name of a law, a standard or a guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// As it is published.
    pub zh: &'static str,
    /// In English, with the number by which it is found.
    pub en: &'static str,
}

impl Source {
    /// A source with its name in both languages.
    pub const fn new(zh: &'static str, en: &'static str) -> Self {
        Self { zh, en }
    }
}

const GB_11643: Source =
    Source::new("GB 11643-1999 公民身份号码", "GB 11643-1999, citizen identification number");
const GB_32100: Source = Source::new(
    "GB 32100-2015 法人和其他组织统一社会信用代码编码规则",
    "GB 32100-2015, unified social credit identifier",
);
const GB_2260: Source =
    Source::new("GB/T 2260 中华人民共和国行政区划代码", "GB/T 2260, codes of administrative divisions");
const MIIT: Source = Source::new(
    "《非经营性互联网信息服务备案管理办法》（信息产业部令第33号）",
    "Measures for filing non-commercial Internet information services (MII order 33)",
);
const PRE_APPROVAL: Source = Source::new(
    "《互联网信息服务管理办法》（国务院令第292号）第五条",
    "Measures on Internet information services (State Council order 292), article 5",
);
const DOMAINS: Source = Source::new(
    "《互联网域名管理办法》（工业和信息化部令第43号）",
    "Measures on Internet domain names (MIIT order 43)",
);
const GUIDE: Source = Source::new("接入服务商备案指南", "Filing guide of the access provider");
const NUMBERING: Source =
    Source::new("电信网编号计划（2017年版）", "Numbering plan of the telecommunications network (2017)");
const IDNA: Source =
    Source::new("RFC 5890–5895 (IDNA), Public Suffix List", "RFC 5890–5895 (IDNA), Public Suffix List");

macro_rules! rule_codes {
    ($($name:ident = $code:literal, $zh:literal, $en:literal, $source:expr;)+) => {
        $(
            #[doc = $en]
            pub static $name: RuleCode = RuleCode { code: $code, title_zh: $zh, title_en: $en, source: $source };
        )+
        /// Every code.
        pub static ALL: &[&RuleCode] = &[$(&$name,)+];
    };
}

rule_codes! {
    MISSING = "missing", "必填项未填写", "A mandatory field is empty", MIIT;
    CODE_UNKNOWN = "code_unknown", "取值不在可选范围内", "A value is not in its dictionary", MIIT;
    CODE_REPEATED = "code_repeated", "选项重复", "A value appears twice", GUIDE;
    FIELD_NOT_EDITABLE = "field_not_editable", "本类变更不能修改该字段", "This kind of filing may not change the field", GUIDE;
    NAME_TOO_FEW_CHINESE = "website_name_too_few_chinese", "网站名称汉字过少", "The website's name has too few Chinese characters", GUIDE;
    NAME_ONLY_DIGITS = "website_name_only_digits", "网站名称为纯数字", "The website's name is only digits", GUIDE;
    NAME_IS_DOMAIN = "website_name_is_domain", "网站名称为域名", "The website's name is a domain", GUIDE;
    NAME_BANNED_WORD = "website_name_banned_word", "网站名称含有禁用词", "The website's name has a banned word", GUIDE;
    NAME_BANNED_PREFIX = "website_name_banned_prefix", "网站名称以禁用词开头", "The website's name begins with a banned word", GUIDE;
    HOME_URL_INVALID = "home_url_invalid", "首页网址格式不正确", "The home page is not a web address", MIIT;
    HOME_URL_OTHER_DOMAIN = "home_url_other_domain", "首页网址不属于本网站域名", "The home page is not on one of the domains", MIIT;
    DOMAIN_INVALID = "domain_invalid", "域名格式不正确", "Not a valid domain", IDNA;
    DOMAIN_HAS_SCHEME = "domain_has_scheme", "域名包含协议或路径", "The domain has a scheme or path", IDNA;
    DOMAIN_NOT_LOWER_CASE = "domain_not_lower_case", "域名含有大写字母", "The domain is not in lower case", IDNA;
    DOMAIN_SUFFIX_UNKNOWN = "domain_suffix_unknown", "域名后缀不存在", "The domain's suffix does not exist", IDNA;
    DOMAIN_NOT_REGISTRABLE = "domain_not_registrable", "不是可注册的主域名", "Not a registrable domain", IDNA;
    DOMAIN_REPEATED = "domain_repeated", "域名重复", "A domain appears twice", GUIDE;
    DOMAIN_ADDED = "domain_added", "网站变更不能新增域名", "A website change cannot add a domain", MIIT;
    DOMAIN_EXPIRED = "domain_expired", "域名已过期", "The domain has expired", DOMAINS;
    SERVICE_CONTENT_TOO_MANY = "service_content_too_many", "服务内容过多", "Too many kinds of service content", GUIDE;
    SERVICE_CONTENT_NOT_FOR_INDIVIDUAL = "service_content_not_for_individual", "个人网站不能选择该服务内容", "Not open to an individual", GUIDE;
    PRE_APPROVAL_INCOMPLETE = "pre_approval_incomplete", "前置审批信息不完整", "The pre-approval is incomplete", PRE_APPROVAL;
    PRE_APPROVAL_EXPIRED = "pre_approval_expired", "前置审批已过期", "The pre-approval has expired", PRE_APPROVAL;
    PRE_APPROVAL_REPEATED = "pre_approval_repeated", "前置审批重复", "A pre-approval appears twice", PRE_APPROVAL;
    IDENTITY_NUMBER_FORMAT = "identity_number_format", "身份证号码格式不正确", "The identity number has the wrong form", GB_11643;
    IDENTITY_NUMBER_PROVINCE = "identity_number_province", "身份证号码地区码不存在", "The identity number names no known province", GB_11643;
    IDENTITY_NUMBER_BIRTH_DATE = "identity_number_birth_date", "身份证号码出生日期不正确", "The identity number has no real birth date", GB_11643;
    IDENTITY_NUMBER_CHECKSUM = "identity_number_checksum", "身份证号码校验位不正确", "The identity number's check character is wrong", GB_11643;
    PERSON_UNDER_AGE = "person_under_age", "负责人未满 18 周岁", "The person is under 18", MIIT;
    CERTIFICATE_NUMBER_FORMAT = "certificate_number_format", "证件号码格式不正确", "The certificate number has the wrong form", GUIDE;
    SOCIAL_CREDIT_CODE_FORMAT = "social_credit_code_format", "统一社会信用代码格式不正确", "The social credit code has the wrong form", GB_32100;
    SOCIAL_CREDIT_CODE_CHECKSUM = "social_credit_code_checksum", "统一社会信用代码校验位不正确", "The social credit code's check character is wrong", GB_32100;
    CERTIFICATE_END_MISSING = "certificate_end_missing", "未填写证件有效期", "The certificate's end is missing", GUIDE;
    CERTIFICATE_END_AMBIGUOUS = "certificate_end_ambiguous", "证件有效期矛盾", "The certificate cannot have an end and be valid for ever", GUIDE;
    CERTIFICATE_PERIOD_REVERSED = "certificate_period_reversed", "证件有效期起止颠倒", "The certificate ends before it begins", GUIDE;
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid", "证件尚未生效", "The certificate is not valid yet", GUIDE;
    CERTIFICATE_EXPIRED = "certificate_expired", "证件已过期", "The certificate has expired", GUIDE;
    CERTIFICATE_EXPIRES_SOON = "certificate_expires_soon", "证件有效期不足 3 个月", "The certificate is valid for less than three months", GUIDE;
    MOBILE_FORMAT = "mobile_format", "手机号码格式不正确", "Not a mainland mobile number", NUMBERING;
    MOBILE_VIRTUAL_OPERATOR = "mobile_virtual_operator", "虚拟运营商号段", "A number of a virtual operator", NUMBERING;
    MOBILE_USED_BY_OTHER_SUBJECT = "mobile_used_by_other_subject", "手机号码已被其他主体使用", "The mobile serves another subject", GUIDE;
    PHONE_FORMAT = "phone_format", "电话号码格式不正确", "Not a phone number", NUMBERING;
    EMERGENCY_PHONE_SAME = "emergency_phone_same", "应急联系电话与手机号码相同", "The emergency phone is the mobile", GUIDE;
    EMAIL_FORMAT = "email_format", "电子邮箱格式不正确", "Not an e-mail address", GUIDE;
    EMAIL_USED_BY_OTHER = "email_used_by_other", "电子邮箱已被他人使用", "The e-mail address serves another person", GUIDE;
    PERSON_DIFFERS_FROM_SUBJECT = "person_differs_from_subject", "与主体负责人信息不一致", "Differs from the subject's responsible person", GUIDE;
    PERSON_IS_SUBJECT_PERSON = "person_is_subject_person", "与主体负责人为同一人", "Is the subject's responsible person", GUIDE;
    CONTACT_DIFFERS_FOR_SAME_PERSON = "contact_differs_for_same_person", "同一人的联系方式不一致", "One person with two contacts", GUIDE;
    CONTACT_OF_OTHER_PERSON = "contact_of_other_person", "不同负责人使用相同的联系方式", "Two persons with one contact", GUIDE;
    ICP_NUMBER_FORMAT = "icp_number_format", "备案号格式不正确", "Not an ICP number", MIIT;
    AREA_UNKNOWN = "area_unknown", "行政区划代码不正确", "Not a code of a Chinese area", GB_2260;
    AREA_NOT_MAINLAND = "area_not_mainland", "不在中国大陆境内", "Not in mainland China", MIIT;
}

/// The code with a name.
pub fn find(code: &str) -> Option<&'static RuleCode> {
    ALL.iter().find(|known| known.code == code).copied()
}
