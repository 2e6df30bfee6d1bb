//! Users, by the admin. Service users of partners' programs do not exist here: see `api_clients`.

use actix_web::{HttpMessage, HttpRequest, get, patch, post, web};
use chrono::{DateTime, Duration, Utc};
use diesel::PgConnection;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::contacts::{checked_email, checked_mobile};
use super::model::{self, Changes, NewUser, StaffRole, UserRow};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{self, Allowed, Caller, Role, op};
use crate::error::{ApiError, ApiResult, FieldError, Place, violated_constraint};
use crate::error_codes as codes;
use crate::kernel::etag::{IfMatch, ensure_version, etag};
use crate::kernel::i18n::{Bilingual, Locale};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{AccountId, UserId};
use crate::kernel::json::{BodyHash, Json, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::pii::{self, Email, Phone, Sensitive};
use crate::kernel::reply::Reply;

/// How long the mail that invites a new user is good.
fn invitation_lifetime() -> Duration {
    Duration::days(3)
}

/// A user. Contacts are masked.
#[derive(Serialize, ToSchema)]
pub struct User {
    id: UserId,
    /// What the user types to log in.
    #[schema(example = "demo-reviewer")]
    login: String,
    display_name: String,
    /// `applicant` for users of an account, else the staff roles.
    roles: Vec<Role>,
    /// The account, for applicants.
    account_id: Option<AccountId>,
    /// Masked.
    #[schema(value_type = Option<String>, example = "r***@example.com")]
    email: Option<Sensitive<Email>>,
    /// When the user proved to read the address.
    email_verified_at: Option<DateTime<Utc>>,
    /// Masked.
    #[schema(value_type = Option<String>, example = "138****8000")]
    mobile: Option<Sensitive<Phone>>,
    /// When the user proved to hold the mobile.
    mobile_verified_at: Option<DateTime<Utc>>,
    /// Language of messages.
    locale: Locale,
    /// A disabled user cannot log in.
    is_disabled: bool,
    disabled_at: Option<DateTime<Utc>>,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            roles: row.roles(),
            id: row.id,
            login: row.login,
            display_name: row.display_name,
            account_id: row.account_id,
            email: row.email,
            email_verified_at: row.email_verified_at,
            mobile: row.mobile,
            mobile_verified_at: row.mobile_verified_at,
            locale: row.locale,
            is_disabled: row.disabled_at.is_some(),
            disabled_at: row.disabled_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A page of users.
#[derive(Serialize, ToSchema)]
pub struct UserPage {
    items: Vec<User>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    has_more: bool,
}

/// A user to be created: of an account, or with staff roles.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "login": "new-reviewer", "display_name": "新审核员", "roles": ["reviewer"], "email": "new-reviewer@example.com" }))]
pub struct UserCreation {
    /// Lower-case letters, digits and `. _ -`; begins with a letter or digit.
    #[schema(min_length = 3, max_length = 64, pattern = "^[a-z0-9][a-z0-9._-]*$")]
    login: String,
    #[schema(min_length = 1, max_length = 100, pattern = r"\S")]
    display_name: String,
    /// Staff roles; empty for a user of an account.
    #[serde(default)]
    #[schema(max_items = 7)]
    roles: Vec<StaffRole>,
    /// The account of an applicant; null for staff.
    #[serde(default)]
    account_id: Option<AccountId>,
    /// Where the invitation goes; the user verifies it by setting a password.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 254, pattern = r"^[^@\s]+@[^@\s]+$")]
    email: Option<Sensitive<Email>>,
    /// Mainland mobile of 11 digits.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = r"^1[3-9][0-9*]{9}$")]
    mobile: Option<Sensitive<Phone>>,
    /// Language of messages; zh-CN when absent.
    #[serde(default)]
    locale: Option<Locale>,
    /// A first password. Without one the user gets a mail to set it, and `email` is required.
    #[serde(default)]
    #[schema(min_length = 10, max_length = 128, format = Password)]
    password: Option<String>,
}

/// What the admin changes on a user. Absent members stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "display_name": "张审核", "roles": ["reviewer", "senior_reviewer"] }))]
pub struct UserPatch {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, pattern = r"\S", nullable = false)]
    display_name: Option<String>,
    /// Replaces the staff roles. Not for users of an account, and never one's own.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 7, nullable = false)]
    roles: Option<Vec<StaffRole>>,
    /// A new address, not verified until the user does so.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 254, pattern = r"^[^@\s]+@[^@\s]+$", nullable = false)]
    email: Option<Sensitive<Email>>,
    /// A new mobile, not verified until the user does so.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = r"^1[3-9][0-9*]{9}$", nullable = false)]
    mobile: Option<Sensitive<Phone>>,
    /// Language of messages.
    #[serde(default)]
    #[schema(nullable = false)]
    locale: Option<Locale>,
}

/// Filters of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UserQuery {
    /// One role; `applicant` for users of accounts.
    role: Option<Role>,
    /// Users of this account.
    account_id: Option<AccountId>,
    /// Only disabled, or only enabled users.
    is_disabled: Option<bool>,
    /// Beginning of the login.
    q: Option<String>,
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

fn shown(row: UserRow, caller: &Caller) -> ApiResult<Reply> {
    let tag = etag(row.version, caller.view(), caller.locale);
    Ok(Reply::ok(&User::from(row))?.etag(tag))
}

/// Create a user
///
/// Admin. Either an account or staff roles. Without a password the user gets a mail with a link, good for three days.
#[utoipa::path(operation_id = "createUser", tag = "people",
    params(("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses(
        (status = 201, description = "Created.", body = User),
        (status = 409, description = "`duplicate`: the login is taken."),
    ))]
#[post("/v1/users")]
pub async fn create_user(
    app: web::Data<App>,
    caller: Allowed<op::CreateUser>,
    req: HttpRequest,
    idem: Idempotency,
    body: Json<UserCreation>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let body = body.0;
    check_creation(&body)?;
    let password_hash = match &body.password {
        Some(password) => auth::hash_password(SecretString::from(password.clone())).await?,
        None => auth::unusable_hash(),
    };
    // The key's row keeps a hash of the body, and this body may hold a password: a keyed hash cannot be tried offline.
    let body_hash = req.extensions().get::<BodyHash>().map(|hash| hex::encode(&hash.0)).unwrap_or_default();
    req.extensions_mut().insert(BodyHash(pii::keyed_hash("body", &[&body_hash])));
    let is_invited = body.password.is_none();
    let user = NewUser {
        login: body.login,
        display_name: body.display_name.trim().to_owned(),
        password_hash,
        account_id: body.account_id,
        roles: body.roles,
        email: body.email,
        mobile: body.mobile,
        locale: body.locale.unwrap_or(Locale::ZhCn),
    };
    let (key, caller) = (caller.user_id.to_string(), caller.caller);
    idem.run(&app.db, now, &key, |_| Ok(()), move |conn| create(conn, now, &caller, user, is_invited)).await
}

fn create(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    user: NewUser,
    is_invited: bool,
) -> ApiResult<Reply> {
    if let Some(account) = user.account_id
        && !crate::accounts::is_open(conn, account)?
    {
        return Err(ApiError::invalid_field(
            "/account_id",
            "not_found",
            "该账号不存在或已停用",
            "is not an enabled account",
        ));
    }
    let (account_id, roles) = (user.account_id, user.roles.clone());
    let row = model::insert(conn, now, user).map_err(|error| match violated_constraint(&error) {
        Some("users_login_key") => ApiError::taken("/login", "该用户名已被使用。", "The login is taken."),
        _ => error.into(),
    })?;
    let mut deed = Deed::new("user.created", "user", row.id.0)
        .details(json!({ "roles": roles, "is_invited": is_invited }));
    if let Some(account) = account_id {
        deed = deed.account(account);
    }
    audit::record(conn, now, &Actor::from(caller), deed)?;
    if is_invited {
        auth::start_password_reset(conn, now, row.id, invitation_lifetime())?;
    }
    let tag = etag(row.version, caller.view(), caller.locale);
    Ok(Reply::created(format!("/v1/users/{}", row.id), &User::from(row))?.etag(tag))
}

/// What the schema cannot say: account or roles, mail or password, well-formed contacts.
fn check_creation(body: &UserCreation) -> ApiResult<()> {
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, code: &str, zh: &str, en: &str| {
        faults.push(FieldError::new(Place::Pointer(pointer.to_owned()), code, Bilingual::new(zh, en)));
    };
    match (body.account_id.is_some(), body.roles.is_empty()) {
        (true, false) => fault(
            "/roles",
            "account_or_roles",
            "账号用户不能有员工角色",
            "must be empty for a user of an account",
        ),
        (false, true) => fault(
            "/roles",
            "account_or_roles",
            "须有 account_id 或至少一个角色",
            "needs a role, unless there is an account_id",
        ),
        _ => {}
    }
    if body.password.is_none() && body.email.is_none() {
        fault(
            "/email",
            "required",
            "未设初始密码时须填写邮箱",
            "is required without a password: the invitation goes there",
        );
    }
    if !body.email.as_ref().is_none_or(checked_email) {
        fault("/email", "invalid_format", "邮箱格式不正确", "is not an e-mail address");
    }
    if !body.mobile.as_ref().is_none_or(checked_mobile) {
        fault("/mobile", "invalid_format", "手机号格式不正确", "is not a mainland mobile");
    }
    if !faults.is_empty() {
        return Err(ApiError::invalid(faults));
    }
    match &body.password {
        Some(password) => auth::check_password_rule("/password", &body.login, password),
        None => Ok(()),
    }
}

/// List users
///
/// Admin. Newest first.
#[utoipa::path(operation_id = "listUsers", tag = "people", params(UserQuery),
    responses((status = 200, description = "A page of users.", body = UserPage)))]
#[get("/v1/users")]
pub async fn list_users(
    app: web::Data<App>,
    _caller: Allowed<op::ListUsers>,
    query: Query<UserQuery>,
) -> ApiResult<Reply> {
    let Query(query) = query;
    let filter = model::Filter {
        role: query.role,
        account_id: query.account_id,
        is_disabled: query.is_disabled,
        login_prefix: query.q.map(|q| q.trim().to_lowercase()),
    };
    let binding = format!("users {filter:?}");
    let after = page::decode(query.cursor.as_deref(), &binding)?;
    let limit = query.limit;
    let rows = app.db.run(move |conn| Ok(model::list(conn, &filter, after, limit)?)).await?;
    let page =
        Page::cut(rows, limit, &binding, |row| Position { at: row.created_at, id: row.id.0 }).map(User::from);
    let body = UserPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}

/// Read a user
///
/// Admin. Contacts are masked.
#[utoipa::path(operation_id = "getUser", tag = "people",
    params(("id" = UserId, Path, description = "The user.", example = "0193a000-0000-7000-8000-000000011003")),
    responses((status = 200, description = "The user.", body = User)))]
#[get("/v1/users/{id}")]
pub async fn get_user(
    app: web::Data<App>,
    caller: Allowed<op::GetUser>,
    id: Path<UserId>,
) -> ApiResult<Reply> {
    let id = id.0;
    let row = app.db.run(move |conn| Ok(model::find(conn, id)?)).await?;
    shown(row.filter(UserRow::is_person).ok_or_else(ApiError::not_found)?, &caller)
}

/// Change a user
///
/// Admin. Nobody changes their own roles. A contact set here is not verified; mails with reset links sent before stop working
/// when the address changes.
#[utoipa::path(operation_id = "updateUser", tag = "people",
    params(("id" = UserId, Path, description = "The user.", example = "0193a000-0000-7000-8000-000000011003"),
        ("If-Match" = String, Header, description = "The ETag that you saw, or `*`.", example = "*")),
    responses(
        (status = 200, description = "The changed user.", body = User),
        (status = 428, description = "`precondition_required`"),
    ))]
#[patch("/v1/users/{id}")]
pub async fn update_user(
    app: web::Data<App>,
    caller: Allowed<op::UpdateUser>,
    id: Path<UserId>,
    if_match: IfMatch,
    body: Json<UserPatch>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let expected = if_match.required()?;
    let (id, body, caller) = (id.0, body.0, caller.caller);
    if body.email.as_ref().is_some_and(|email| !checked_email(email)) {
        return Err(ApiError::invalid(vec![FieldError::pointer("/email", "invalid_format")]));
    }
    if body.mobile.as_ref().is_some_and(|mobile| !checked_mobile(mobile)) {
        return Err(ApiError::invalid(vec![FieldError::pointer("/mobile", "invalid_format")]));
    }
    if id == caller.user_id && body.roles.is_some() {
        return Err(ApiError::new(&codes::FORBIDDEN)
            .detail("不能修改自己的角色。", "Nobody changes their own roles."));
    }
    let viewer = caller.clone();
    let row = app
        .db
        .transaction(move |conn| {
            let before = model::lock(conn, id)?.filter(UserRow::is_person).ok_or_else(ApiError::not_found)?;
            ensure_version(expected, before.version)?;
            if before.account_id.is_some() && body.roles.is_some() {
                return Err(ApiError::invalid_field(
                    "/roles",
                    "account_or_roles",
                    "账号用户不能有员工角色",
                    "is not for a user of an account",
                ));
            }
            let mut changed = Vec::new();
            let mut note = |is_there: bool, name: &'static str| {
                if is_there {
                    changed.push(name);
                }
            };
            note(body.display_name.is_some(), "display_name");
            note(body.roles.is_some(), "roles");
            note(body.email.is_some(), "email");
            note(body.mobile.is_some(), "mobile");
            note(body.locale.is_some(), "locale");
            let deed = Deed::new("user.updated", "user", id.0)
                .details(json!({ "changed": changed, "roles": body.roles, "roles_before": before.roles() }));
            if body.email.is_some() {
                auth::end_password_resets(conn, now, id)?;
            }
            let changes = Changes {
                display_name: body.display_name.map(|name| name.trim().to_owned()),
                locale: body.locale,
                roles: body.roles,
                email: body.email,
                mobile: body.mobile,
            };
            let row = model::update(conn, now, id, changes)?;
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            Ok(row)
        })
        .await?;
    app.sessions.forget_user(id);
    shown(row, &viewer)
}

/// Disable a user
///
/// Admin, not oneself. The user's sessions end within ten seconds. A disabled user stays as they are.
#[utoipa::path(operation_id = "disableUser", tag = "people",
    params(("id" = UserId, Path, description = "The user.", example = "0193a000-0000-7000-8000-000000011011"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses((status = 200, description = "The disabled user.", body = User)))]
#[post("/v1/users/{id}/disable")]
pub async fn disable_user(
    app: web::Data<App>,
    caller: Allowed<op::DisableUser>,
    id: Path<UserId>,
    idem: Idempotency,
) -> ApiResult<Reply> {
    set_disabled(&app, caller.caller, id.0, idem, true).await
}

/// Enable a user
///
/// Admin, not oneself. The user can log in again with the password so far.
#[utoipa::path(operation_id = "enableUser", tag = "people",
    params(("id" = UserId, Path, description = "The user.", example = "0193a000-0000-7000-8000-000000011011"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses((status = 200, description = "The enabled user.", body = User)))]
#[post("/v1/users/{id}/enable")]
pub async fn enable_user(
    app: web::Data<App>,
    caller: Allowed<op::EnableUser>,
    id: Path<UserId>,
    idem: Idempotency,
) -> ApiResult<Reply> {
    set_disabled(&app, caller.caller, id.0, idem, false).await
}

async fn set_disabled(
    app: &App,
    caller: Caller,
    id: UserId,
    idem: Idempotency,
    disable: bool,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    if id == caller.user_id {
        return Err(ApiError::new(&codes::FORBIDDEN)
            .detail("不能对自己执行此操作。", "Nobody does this to themselves."));
    }
    let key = caller.user_id.to_string();
    let work = move |conn: &mut PgConnection| {
        let before = model::lock(conn, id)?.filter(UserRow::is_person).ok_or_else(ApiError::not_found)?;
        if before.disabled_at.is_some() == disable {
            return shown(before, &caller);
        }
        let row = model::set_disabled(conn, now, id, disable.then_some(now))?;
        if disable {
            auth::revoke_sessions(conn, now, id, None)?;
            auth::end_password_resets(conn, now, id)?;
        }
        let action = if disable { "user.disabled" } else { "user.enabled" };
        audit::record(conn, now, &Actor::from(&caller), Deed::new(action, "user", id.0))?;
        shown(row, &caller)
    };
    let reply = idem.run(&app.db, now, &key, |_| Ok(()), work).await?;
    app.sessions.forget_user(id);
    Ok(reply)
}
