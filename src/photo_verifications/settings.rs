//! What each finding of the check does: sends the photo back, warns the reviewer, or is not looked for. The program ships
//! with a mode for each; the admin's choice is a row, with who chose it and when.

use std::collections::HashMap;

use actix_web::{get, put, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::precheck::{PrecheckMode, Switches};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, op};
use crate::catalogue::data;
use crate::error::{ApiError, ApiResult};
use crate::kernel::etag::{content_version, etag};
use crate::kernel::i18n::Locale;
use crate::kernel::ids::UserId;
use crate::kernel::json::{Json, Path};
use crate::kernel::reply::Reply;
use crate::schema::{photo_precheck_settings as table, users};

struct Chosen {
    mode: PrecheckMode,
    changed_by: UserId,
    changed_by_name: String,
    changed_at: DateTime<Utc>,
}

fn chosen(conn: &mut PgConnection) -> QueryResult<HashMap<String, Chosen>> {
    let rows: Vec<(String, PrecheckMode, UserId, String, DateTime<Utc>)> = table::table
        .inner_join(users::table)
        .select((table::code, table::mode, users::id, users::display_name, table::changed_at))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(code, mode, changed_by, changed_by_name, changed_at)| {
            (code, Chosen { mode, changed_by, changed_by_name, changed_at })
        })
        .collect())
}

/// What each finding does now.
///
/// # Errors
/// When the database fails.
pub(super) fn switches(conn: &mut PgConnection) -> QueryResult<Switches> {
    let rows: Vec<(String, PrecheckMode)> = table::table.select((table::code, table::mode)).load(conn)?;
    let mut switches = Switches::default();
    for (code, mode) in rows {
        switches.set(&code, mode);
    }
    Ok(switches)
}

/// What a finding of the photo check does.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhotoPrecheckSetting {
    /// Code of the finding.
    #[schema(example = "PHOTO_BLURRED")]
    pub code: String,
    /// What the finding says, in the language of the request.
    #[schema(example = "照片模糊")]
    pub label: String,
    /// What it does now.
    pub mode: PrecheckMode,
    /// What it does unless an admin chooses something else.
    pub default_mode: PrecheckMode,
    /// Who chose; null for the default.
    pub changed_by: Option<UserId>,
    /// Name of who chose.
    pub changed_by_name: Option<String>,
    /// When it was chosen; null for the default.
    pub changed_at: Option<DateTime<Utc>>,
}

/// The findings that have a switch; always one page. `PHOTO_UNREADABLE` has none: what cannot be opened cannot be reviewed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhotoPrecheckSettingPage {
    /// One row for each finding.
    pub items: Vec<PhotoPrecheckSetting>,
    /// Always null: the list is whole.
    pub next_cursor: Option<String>,
    /// Always false.
    pub has_more: bool,
}

/// What a finding shall do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "mode": "warn" }))]
pub struct PhotoPrecheckSettingInput {
    /// `block`: the photo must be taken again. `warn`: the reviewer sees it. `off`: nobody is told.
    pub mode: PrecheckMode,
}

fn row(code: &str, chosen: Option<&Chosen>, locale: Locale) -> PhotoPrecheckSetting {
    let default_mode = Switches::default_of(code);
    PhotoPrecheckSetting {
        code: code.to_owned(),
        label: data::rejection_reason(code)
            .map_or_else(|| code.to_owned(), |reason| reason.title.get(locale.as_str()).to_owned()),
        mode: chosen.map_or(default_mode, |chosen| chosen.mode),
        default_mode,
        changed_by: chosen.map(|chosen| chosen.changed_by),
        changed_by_name: chosen.map(|chosen| chosen.changed_by_name.clone()),
        changed_at: chosen.map(|chosen| chosen.changed_at),
    }
}

/// List what each finding of the photo check does
///
/// The admin. One row for each finding that has a switch, with who changed it and when.
#[utoipa::path(operation_id = "listPhotoPrecheckSettings", tag = "oversight",
    responses((status = 200, description = "Every switch.", body = PhotoPrecheckSettingPage)))]
#[get("/v1/admin/photo-precheck-settings")]
pub async fn list_photo_precheck_settings(
    app: web::Data<App>,
    caller: Allowed<op::ListPhotoPrecheckSettings>,
) -> ApiResult<Reply> {
    let chosen = app.db.run(|conn| Ok(chosen(conn)?)).await?;
    let items = Switches::CODES.iter().map(|code| row(code, chosen.get(*code), caller.locale)).collect();
    let body = PhotoPrecheckSettingPage { items, next_cursor: None, has_more: false };
    Ok(Reply::ok(&body)?.etag(etag(content_version(&body)?, caller.view(), caller.locale)))
}

/// Choose what a finding of the photo check does
///
/// The admin. It counts for every check that ends from now on; photos that were checked before keep their findings. Written
/// to the audit trail with the mode before.
#[utoipa::path(operation_id = "putPhotoPrecheckSetting", tag = "oversight",
    params(("code" = String, Path, description = "Code of the finding.", example = "PHOTO_BLURRED")),
    request_body = PhotoPrecheckSettingInput,
    responses((status = 200, description = "The switch as stored.", body = PhotoPrecheckSetting)))]
#[put("/v1/admin/photo-precheck-settings/{code}")]
pub async fn put_photo_precheck_setting(
    app: web::Data<App>,
    caller: Allowed<op::PutPhotoPrecheckSetting>,
    code: Path<String>,
    body: Json<PhotoPrecheckSettingInput>,
) -> ApiResult<Reply> {
    let (now, caller, mode) = (app.clock.now(), caller.caller.clone(), body.0.mode);
    let Some(code) = Switches::CODES.iter().copied().find(|known| *known == code.0) else {
        return Err(ApiError::not_found());
    };
    app.db
        .transaction(move |conn| {
            let before = table::table.find(code).for_update().select(table::mode).first(conn).optional()?;
            let before: PrecheckMode = before.unwrap_or_else(|| Switches::default_of(code));
            let columns =
                (table::mode.eq(mode), table::changed_by.eq(caller.user_id), table::changed_at.eq(now));
            diesel::insert_into(table::table)
                .values((table::code.eq(code), columns))
                .on_conflict(table::code)
                .do_update()
                .set(columns)
                .execute(conn)?;
            let deed = Deed::new("photo_precheck.setting_changed", "photo_precheck_setting", None)
                .details(json!({ "code": code, "mode": mode, "previous": before }));
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            Reply::ok(&row(code, chosen(conn)?.get(code), caller.locale))
        })
        .await
}
