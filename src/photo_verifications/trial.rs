//! Handler: look at a photo before it is sent. Nothing is stored, and whether it was used before is not said: that would
//! tell whose photo is on file.

use std::num::NonZeroU32;
use std::time::Duration as StdDuration;

use actix_web::{HttpRequest, http::header, post, web};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::{IntoParams, ToSchema};

use super::body::{PhotoFinding, PhotoType};
use super::precheck::{self, Context};
use super::settings;
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue::{self, PictureBytes};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::kernel::clock::shanghai_date;
use crate::kernel::ids::UserId;
use crate::kernel::json::{self, Query};
use crate::kernel::reply::Reply;

/// Largest photo, in bytes: that of an upload.
const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Trials of one user in a minute.
const PER_MINUTE: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
/// Longest wait for the one place at which pictures are looked at.
const MAX_WAIT: StdDuration = StdDuration::from_secs(10);
/// A picture takes up to 200 MiB while it is looked at: one at a time, beside the worker's.
static LOOKING: Semaphore = Semaphore::const_new(1);

/// Counts trials by user, in this process.
pub struct TrialLimit(DefaultKeyedRateLimiter<UserId>);

impl Default for TrialLimit {
    fn default() -> Self {
        Self(DefaultKeyedRateLimiter::keyed(Quota::per_minute(PER_MINUTE)))
    }
}

impl TrialLimit {
    fn check(&self, user: UserId) -> ApiResult<()> {
        if self.0.len() > 10_000 {
            self.0.retain_recent();
        }
        self.0.check_key(&user).map_err(|wait| {
            let seconds = wait.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
            ApiError::new(&codes::TOO_MANY_REQUESTS).retry_after(seconds)
        })
    }
}

/// Which backdrop is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PhotoCheckQuery {
    /// GB/T 2260 code of the subject's province; the general backdrop when absent.
    #[param(example = "110000", max_length = 6, nullable = false)]
    province_code: Option<String>,
}

/// What the check would say.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhotoCheck {
    /// Nothing blocks: the photo would go to a reviewer.
    pub is_acceptable: bool,
    /// Width in pixels, upright; null when the file cannot be opened.
    #[schema(example = 1200)]
    pub width: Option<u32>,
    /// Height in pixels, upright; null when the file cannot be opened.
    #[schema(example = 1600)]
    pub height: Option<u32>,
    /// What was found; empty for a good photo.
    pub findings: Vec<PhotoFinding>,
}

/// Check a photo before sending it
///
/// Everybody who is signed in, at any time, up to 20 times a minute. The body is the picture itself, JPEG or PNG, up to
/// 10 MiB. The answer is what the check of a submitted photo would say, but for `PHOTO_REUSED`: it is never told whose photos
/// are on file. Nothing is stored.
#[utoipa::path(operation_id = "checkPhoto", tag = "photo verifications", params(PhotoCheckQuery),
    request_body(description = "The picture.", content(
        (PictureBytes = "image/jpeg"),
        (PictureBytes = "image/png"),
    )),
    responses(
        (status = 200, description = "What was found.", body = PhotoCheck),
        (status = 413, description = "`body_too_large`"),
        (status = 415, description = "`unsupported_media_type`"),
    ))]
#[post("/v1/photo-guide/check")]
pub async fn check_photo(
    app: web::Data<App>,
    caller: Allowed<op::CheckPhoto>,
    req: HttpRequest,
    query: Query<PhotoCheckQuery>,
    payload: web::Payload,
) -> ApiResult<Reply> {
    app.photo_trials.check(caller.user_id)?;
    json::at_most(6, "province_code", query.0.province_code.as_deref())?;
    let content_type = picture_type(&req)?;
    let bytes = match payload.to_bytes_limited(MAX_BYTES).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => {
            return Err(ApiError::new(&codes::INVALID_PARAMETER)
                .detail("请求正文未能完整读取。", format!("The body could not be read: {error}.")));
        }
        Err(_) => {
            return Err(ApiError::new(&codes::BODY_TOO_LARGE).detail(
                format!("照片上限为 {MAX_BYTES} 字节。"),
                format!("The limit is {MAX_BYTES} bytes."),
            ));
        }
    };
    let today = shanghai_date(app.clock.now());
    let province = query.0.province_code.unwrap_or_default();
    let (profile, switches) = app
        .db
        .run(move |conn| {
            Ok((catalogue::backdrop_profile(conn, &province, today)?, settings::switches(conn)?))
        })
        .await?;
    let busy = || ApiError::new(&codes::UNAVAILABLE).retry_after(5);
    let permit = tokio::time::timeout(MAX_WAIT, LOOKING.acquire()).await.map_err(|_| busy())?;
    let _permit = permit.map_err(ApiError::internal)?;
    let (size, findings) = tokio::task::spawn_blocking(move || {
        let context = Context {
            today,
            reviewed_on: None,
            switches: &switches,
            is_used_exactly: false,
            used_fingerprints: &[],
        };
        match precheck::examine(&bytes, content_type.as_str(), &profile) {
            Ok(seen) => (Some((seen.width, seen.height)), precheck::judge(&seen, &context)),
            Err(unreadable) => (None, vec![unreadable]),
        }
    })
    .await
    .map_err(ApiError::internal)?;
    let locale = caller.locale;
    Reply::ok(&PhotoCheck {
        is_acceptable: !precheck::is_blocked(&findings),
        width: size.map(|(width, _)| width),
        height: size.map(|(_, height)| height),
        findings: findings.into_iter().map(|finding| PhotoFinding::of(finding, locale)).collect(),
    })
}

fn picture_type(req: &HttpRequest) -> ApiResult<PhotoType> {
    let value = req.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.split(';').next()?.trim().to_ascii_lowercase().parse().ok()).ok_or_else(
        || {
            ApiError::new(&codes::UNSUPPORTED_MEDIA_TYPE)
                .detail("请发送 image/jpeg 或 image/png。", "Send image/jpeg or image/png.")
        },
    )
}
