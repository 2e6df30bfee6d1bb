//! One line per public error code: name, status, title and default detail in both languages.
//! Codes are stable and may grow; `/problems/{code}` shows each, with the longer texts of `pages.toml`.

mod pages;

use crate::kernel::i18n::Locale;
pub use pages::Text;

/// A public error code.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// Stable name, snake_case.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    title_zh: &'static str,
    title_en: &'static str,
    detail_zh: &'static str,
    detail_en: &'static str,
}

impl ErrorCode {
    /// Short name of the problem; the same for every occurrence.
    pub fn title(&self, locale: Locale) -> &'static str {
        locale.pick(self.title_zh, self.title_en)
    }

    /// What it means and what to do, when the occurrence has nothing more exact to say.
    pub fn detail(&self, locale: Locale) -> &'static str {
        locale.pick(self.detail_zh, self.detail_en)
    }
}

macro_rules! error_codes {
    ($($name:ident $code:literal $status:literal $zh:literal $en:literal $dzh:literal $den:literal)+) => {
        $(
            #[doc = concat!("`", $code, "`, ", stringify!($status), ": ", $den)]
            pub static $name: ErrorCode = ErrorCode {
                code: $code, status: $status, title_zh: $zh, title_en: $en, detail_zh: $dzh, detail_en: $den,
            };
        )+
        /// Every code, in the order of the statuses.
        pub static ALL: &[&ErrorCode] = &[$(&$name,)+];
    };
}

error_codes! {
    MALFORMED_JSON "malformed_json" 400 "JSON 无法解析" "Malformed JSON" "请求正文不是有效的 JSON。" "The request body is not valid JSON."
    INVALID_PARAMETER "invalid_parameter" 400 "参数无效" "Invalid parameter" "路径或查询参数无法识别。" "A path or query parameter could not be read."
    INVALID_HEADER "invalid_header" 400 "请求头无效" "Invalid header" "请求头的值无法识别。" "A request header could not be read."
    INVALID_CURSOR "invalid_cursor" 400 "游标无效" "Invalid cursor" "游标不属于此筛选和排序，请从第一页重新开始。" "The cursor does not belong to this filter and sort; start from the first page."
    INVALID_GRANT "invalid_grant" 400 "授权无效" "Invalid grant" "用户名、密码或令牌不正确。" "The user name, password or token is not right."
    INVALID_SCOPE "invalid_scope" 400 "权限范围无效" "Scope not valid" "所请求的 scope 未授予此客户端。" "A scope that you asked for is not granted to this client."
    UNSUPPORTED_GRANT_TYPE "unsupported_grant_type" 400 "不支持的授权类型" "Unsupported grant type" "此服务不支持该授权类型。" "This service does not offer that grant type."
    UNAUTHENTICATED "unauthenticated" 401 "未登录" "Not authenticated" "请先登录，并在 Authorization 头中携带访问令牌。" "Log in first and send the access token in the Authorization header."
    TOKEN_EXPIRED "token_expired" 401 "令牌已过期" "Token expired" "访问令牌已过期，请刷新。" "The access token has expired; refresh it."
    INVALID_CREDENTIALS "invalid_credentials" 401 "登录失败" "Log-in failed" "用户名或密码不正确。" "The user name or password is not right."
    INVALID_REFRESH_TOKEN "invalid_refresh_token" 401 "刷新令牌无效" "Refresh token not valid" "刷新令牌未知、已使用或已过期，请重新登录。" "The refresh token is not known, was used or has expired; log in again."
    INVALID_CLIENT "invalid_client" 401 "客户端无效" "Client not valid" "客户端标识或密钥不正确。" "The client id or secret is not right."
    FORBIDDEN "forbidden" 403 "无权操作" "Not allowed" "您的角色不能执行此操作。" "Your role may not do this."
    INSUFFICIENT_SCOPE "insufficient_scope" 403 "令牌权限不足" "Token has not this scope" "令牌不含 required_scope 所示的权限，请申请该 scope，或请管理员授予。" "The token lacks required_scope; ask for it in the token request, or have the admin grant it."
    ADDRESS_NOT_ALLOWED "address_not_allowed" 403 "来源地址不被允许" "Address not allowed" "此客户端只能从其许可的网络地址调用。" "This client may call only from the addresses that are listed for it."
    CLIENT_PAUSED "client_paused" 403 "客户端已暂停" "Client paused" "此客户端或其合作伙伴已被暂停，请联系管理员。" "This client or its partner is paused; ask the admin."
    SEPARATION_OF_DUTIES "separation_of_duties" 403 "须由他人处理" "Somebody else must do this" "您与该订单有关（本人账号，或曾创建、编辑、提交），须由其他同事处理。" "You are involved in this filing (own account, or created, edited or submitted it); a colleague must handle it."
    ESCALATED "escalated" 403 "须由高级审核员处理" "A senior reviewer must do this" "该任务重复了上一轮的驳回原因，由高级审核员处理。" "This task repeats a reason of the round before; a senior reviewer handles it."
    REVEAL_NOT_ALLOWED "reveal_not_allowed" 403 "不能查看明文" "Clear text not allowed" "仅所有者、持有任务的审核员或处理中提交的管局专员可以查看。" "Only the owner, the reviewer holding the task or the operator of a live submission may see it."
    NOT_FOUND "not_found" 404 "未找到" "Not found" "该资源不存在，或不属于您。" "It does not exist, or it is not yours."
    CALENDAR_NOT_LOADED "calendar_not_loaded" 404 "日历尚未加载" "Calendar not loaded" "该年份的工作日历尚未加载。" "The working-day calendar of this year is not loaded."
    ROUTE_NOT_FOUND "route_not_found" 404 "没有此地址" "No such address" "此地址不存在，请查看 /openapi.json。" "There is nothing at this address; see /openapi.json."
    METHOD_NOT_ALLOWED "method_not_allowed" 405 "方法不允许" "Method not allowed" "此地址不支持该方法，请查看 Allow 头。" "This address does not take that method; see the Allow header."
    NOT_ACCEPTABLE "not_acceptable" 406 "无法提供该格式" "Not acceptable" "此地址不提供所请求的格式。" "This address does not offer the format asked for."
    INVALID_TRANSITION "invalid_transition" 409 "当前状态不允许此操作" "Not possible in this status" "请查看 current_status 和 allowed_actions。" "See current_status and allowed_actions."
    LIVE_FILING_EXISTS "live_filing_exists" 409 "已有进行中的订单" "A live filing exists" "同一主体同时只能有一个进行中的备案订单。" "A subject can have one live filing at a time."
    CLAIMED_BY_ANOTHER "claimed_by_another" 409 "已被他人领取" "Claimed by another" "该任务已由他人领取。" "Somebody else holds this task."
    NOT_CLAIMED "not_claimed" 409 "尚未领取" "Not claimed" "请先领取该任务。" "Claim the task first."
    ASSIGNED_TO_ANOTHER "assigned_to_another" 409 "已指派给他人" "Assigned to another" "该任务已指派给其他审核员。" "This task is assigned to another reviewer."
    NOTHING_TO_CLAIM "nothing_to_claim" 409 "没有可领取的任务" "Nothing to claim" "当前没有可由您领取的任务。" "There is no task that you could claim now."
    DUPLICATE "duplicate" 409 "已存在" "Already exists" "相同的记录已存在。" "The same record exists already."
    ENDPOINT_DISABLED "endpoint_disabled" 409 "端点已停用" "Endpoint disabled" "该 Webhook 端点已停用，请先启用。" "This webhook endpoint is disabled; enable it first."
    LIMIT_REACHED "limit_reached" 409 "已达数量上限" "Limit reached" "数量已达上限，请先删除不再使用的。" "There are as many as allowed; remove one that is no longer used."
    CONFLICT "conflict" 409 "冲突" "Conflict" "与其他人的修改冲突，请重新读取后再试。" "Somebody changed this at the same time; read again and retry."
    OPEN_SHIPMENT_EXISTS "open_shipment_exists" 409 "已有进行中的幕布邮寄" "An open shipment exists" "同一订单同时只能有一个进行中的幕布邮寄。" "A filing can have one open backdrop shipment at a time."
    LIVE_ATTEMPT_EXISTS "live_attempt_exists" 409 "已有进行中的拍照核验" "A live attempt exists" "已有一次拍照核验正在进行。" "A photo verification is already under way."
    BASE_VERSION_OUTDATED "base_version_outdated" 409 "备案数据已更新" "Filed data have changed" "该网站的备案数据在此期间已更新。" "The website's filed data changed in the meantime."
    CONTRADICTION "contradiction" 409 "与先前的结果矛盾" "Contradicts what was recorded" "同一外部编号已记录了不同的内容。" "Another content is recorded under the same external reference."
    UNCONFIRMED "unconfirmed" 409 "结果未确认" "Outcome unconfirmed" "上一次提交没有回执，须先查询管局记录。" "The last attempt ended without a reply; ask the bureau's record first."
    LATE_EVENT "late_event" 409 "结果到达过晚" "Came too late" "该提交已离开此步骤；内容已记录并报警，但不生效。" "The submission has left this step; what you sent is recorded and raises an alarm, but changes nothing."
    PACKAGE_TOO_LARGE "package_too_large" 409 "数据包过大" "Package too large" "数据包超过管局允许的 50 MB。" "The package is over the 50 MB that the bureau takes."
    BUREAU_PAUSED "bureau_paused" 409 "管局暂停受理" "Bureau paused" "该管局当前暂停受理，恢复后按顺序提交。" "This bureau takes nothing at present; the queue goes on in order when it resumes."
    UPLOAD_MISSING "upload_missing" 409 "文件尚未上传" "File not uploaded yet" "存储中没有该文件，请先按 upload 上传。" "The storage has no such file; upload it first as `upload` says."
    UPLOAD_EXPIRED "upload_expired" 409 "上传已过期" "Upload expired" "上传地址已过期，请重新创建。" "The upload address has expired; create a new one."
    UPLOAD_REFUSED "upload_refused" 409 "上传的文件与声明不符" "File is not the one declared" "大小、校验和或内容与声明不符（见 reason），请重新上传。" "Its size, checksum or content is not what was declared (see reason); upload it again."
    TOO_MANY_ATTACHMENTS "too_many_attachments" 409 "备案资料过多" "Too many attachments" "每种材料最多 20 个文件，每个订单最多 50 个文件。" "A filing takes at most 20 files for a purpose and 50 in all."
    VERIFICATION_NOT_PENDING "verification_not_pending" 409 "没有待验证的联系方式" "No verification under way" "没有进行中的验证，或已过期、错误次数过多，请重新修改联系方式。" "None is under way, or it has expired or had too many wrong tries; change the contact again."
    IDEMPOTENCY_IN_FLIGHT "idempotency_in_flight" 409 "相同请求正在处理" "Same request in flight" "带有相同 Idempotency-Key 的请求正在处理，请稍后重试。" "A request with this Idempotency-Key is being worked on; retry shortly."
    PRECONDITION_FAILED "precondition_failed" 412 "版本已过时" "Version is stale" "资源已被修改，请重新读取后再提交。" "The resource has changed; read it again before you send."
    BODY_TOO_LARGE "body_too_large" 413 "请求正文过大" "Body too large" "请求正文超过上限。" "The request body is over the limit."
    UNSUPPORTED_MEDIA_TYPE "unsupported_media_type" 415 "不支持的内容类型" "Unsupported media type" "请以 application/json 发送。" "Send application/json."
    VALIDATION_FAILED "validation_failed" 422 "内容有误" "Content is not valid" "请查看 errors 中的每一项。" "See each entry of errors."
    CHECK_FAILED "check_failed" 422 "存在未解决的问题" "Problems remain" "提交前须解决 errors 中的每一项。" "Solve each entry of errors before submitting."
    IDEMPOTENCY_MISMATCH "idempotency_key_reused" 422 "幂等键已用于其他内容" "Idempotency key reused" "此 Idempotency-Key 已用于不同的请求正文。" "This Idempotency-Key was used with another body."
    PRECONDITION_REQUIRED "precondition_required" 428 "须提供 If-Match" "If-Match required" "请在 If-Match 中发送您所看到的 ETag。" "Send the ETag that you saw in If-Match."
    TOO_MANY_REQUESTS "too_many_requests" 429 "请求过于频繁" "Too many requests" "请在 Retry-After 秒后重试。" "Try again after Retry-After seconds."
    INTERNAL "internal" 500 "内部错误" "Internal error" "我们已记录此错误。请附上 request_id 联系支持。" "We have recorded the fault. Quote request_id to support."
    UNAVAILABLE "unavailable" 503 "暂时不可用" "Temporarily unavailable" "数据库或存储暂时不可用，请稍后重试。" "Database or storage is not available just now; retry shortly."
}

/// The code with this name.
pub fn find(code: &str) -> Option<&'static ErrorCode> {
    ALL.iter().copied().find(|known| known.code == code)
}

/// Codes of single fields in `errors[]`, with their texts in Chinese and English. Rules of a filing bring their own.
pub const FIELD_CODES: [(&str, &str, &str); 12] = [
    ("required", "必填", "is required"),
    ("unknown_field", "未知字段", "is not a known field"),
    ("wrong_type", "类型不正确", "has the wrong type"),
    ("too_long", "过长", "is too long"),
    ("too_short", "过短", "is too short"),
    ("out_of_range", "超出范围", "is out of range"),
    ("too_many_items", "条目过多", "has too many items"),
    ("too_few_items", "条目过少", "has too few items"),
    ("duplicate_items", "条目重复", "has repeated items"),
    ("not_in_list", "不在允许的取值内", "is not one of the allowed values"),
    (
        "masked_value",
        "不能提交带 * 的脱敏值",
        "is a masked value; send the clear text or leave the field out",
    ),
    ("invalid_format", "格式不正确", "has the wrong format"),
];

/// The texts of a field's code.
pub fn field_text(code: &str) -> (&'static str, &'static str) {
    let known = FIELD_CODES.iter().find(|(known, ..)| *known == code);
    known.map_or(("格式不正确", "has the wrong format"), |known| (known.1, known.2))
}
