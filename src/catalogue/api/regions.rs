//! Administrative divisions (GB/T 2260), level by level.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue::regions::{Region as Division, RegionLevel, Regions};
use crate::error::ApiResult;
use crate::kernel::json::{Query, invalid_parameter};
use crate::kernel::reply::Reply;

crate::text_enum! {
    /// Level of a division.
    pub enum Level {
        /// 省级
        Province = "province",
        /// 地级
        City = "city",
        /// 县级
        District = "district",
    }
}

/// Which divisions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RegionQuery {
    /// Code of the division above; the provinces when absent.
    #[serde(default)]
    #[param(example = "110000", nullable = false)]
    parent: Option<String>,
}

/// An administrative division.
#[derive(Debug, Serialize, ToSchema)]
pub struct Region {
    /// Six digits.
    #[schema(example = "110100")]
    pub code: String,
    /// Official Chinese name.
    #[schema(example = "市辖区")]
    pub name: String,
    /// Its level.
    pub level: Level,
    /// Code of the division above; null for a province.
    pub parent_code: Option<String>,
    /// Whether there are divisions below. A city without any takes no `district_code` in addresses.
    pub has_children: bool,
    /// False for Taiwan, Hong Kong and Macao: subjects and shipments do not lie there.
    pub is_mainland: bool,
}

/// The divisions directly below one; always one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegionPage {
    /// The divisions, by code.
    pub items: Vec<Region>,
    /// Always null: the list is whole.
    pub next_cursor: Option<String>,
    /// Always false.
    pub has_more: bool,
}

fn view(division: &Division) -> Region {
    let regions = Regions::get();
    Region {
        code: division.code.to_owned(),
        name: division.name.to_owned(),
        level: match division.level {
            RegionLevel::Province => Level::Province,
            RegionLevel::City => Level::City,
            RegionLevel::District => Level::District,
        },
        parent_code: division.parent.map(str::to_owned),
        has_children: !regions.children(division.code).is_empty(),
        is_mainland: !matches!(division.code.get(..2), Some("71" | "81" | "82")),
    }
}

/// List administrative divisions
///
/// Everybody who is signed in. The provinces, or what lies directly below `parent`; for address forms.
#[utoipa::path(operation_id = "listRegions", tag = "catalogue", params(RegionQuery),
    responses((status = 200, description = "The divisions.", body = RegionPage)))]
#[get("/v1/regions")]
pub async fn list_regions(
    _app: web::Data<App>,
    _caller: Allowed<op::ListRegions>,
    query: Query<RegionQuery>,
) -> ApiResult<Reply> {
    let regions = Regions::get();
    let items = match query.0.parent {
        None => regions.provinces().map(view).collect(),
        Some(parent) => {
            if regions.find(&parent).is_none() {
                return Err(invalid_parameter("parent", "region_unknown", "is not a code of GB/T 2260"));
            }
            regions.children(&parent).into_iter().map(view).collect()
        }
    };
    Reply::ok(&RegionPage { items, next_cursor: None, has_more: false })
}
