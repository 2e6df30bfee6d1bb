//! Rejections: why a filing came back, item by item. Each round is kept with its revision.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::model::Revision;
use crate::audit::Actor;
use crate::kernel::ids::{FilingId, RejectionId, RejectionItemId, RevisionId, UserId};
use crate::schema::{rejection_items, rejections};

crate::text_enum! {
    /// Who rejected.
    pub enum RejectionSource {
        /// The reviewer of the data.
        InitialReview = "initial_review",
        /// The reviewer of the photo.
        PhotoReview = "photo_review",
        /// The bureau.
        Bureau = "bureau",
    }
}

crate::text_enum! {
    /// What an item points at.
    pub enum TargetKind {
        /// A field, by its pointer.
        Field = "field",
        /// A material, by its code.
        Material = "material",
        /// The photo.
        Photo = "photo",
    }
}

/// An item to be recorded. Target, code and texts have been checked by the caller.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// What it points at.
    pub target_kind: TargetKind,
    /// JSON pointer such as `/website/name`, for fields.
    pub pointer: Option<String>,
    /// Code of the material, for materials.
    pub material_code: Option<String>,
    /// Code of the reason.
    pub code: String,
    /// What is wrong here.
    pub reason: String,
    /// What to do; the catalogue's when absent.
    pub suggestion: Option<String>,
}

/// A recorded rejection.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = rejections)]
pub struct Rejection {
    /// Primary key.
    pub id: RejectionId,
    /// The filing.
    pub filing_id: FilingId,
    /// The revision that was refused.
    pub revision_id: RevisionId,
    /// From 1, over all sources.
    pub round: i32,
    /// Who refused.
    pub source: RejectionSource,
    /// Closing words.
    pub note: Option<String>,
    /// The member of staff; none for a gateway.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// One recorded item.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = rejection_items)]
pub struct RejectionItem {
    /// Primary key.
    pub id: RejectionItemId,
    /// The rejection.
    pub rejection_id: RejectionId,
    /// Order.
    pub position: i32,
    /// What it points at.
    pub target_kind: TargetKind,
    /// JSON pointer, for fields.
    pub pointer: Option<String>,
    /// Code of the material, for materials.
    pub material_code: Option<String>,
    /// Code of the reason.
    pub code: String,
    /// What is wrong here.
    pub reason: String,
    /// What to do.
    pub suggestion: Option<String>,
    /// The same code on the same target in the round before.
    pub is_repeated: bool,
    /// The applicant's answer.
    pub applicant_reply: Option<String>,
    /// When it was given.
    pub replied_at: Option<DateTime<Utc>>,
}

impl RejectionItem {
    /// What makes two items the same: target and code.
    pub fn key(&self) -> (TargetKind, Option<&str>, Option<&str>, &str) {
        (self.target_kind, self.pointer.as_deref(), self.material_code.as_deref(), &self.code)
    }
}

/// The latest rejection of a filing with its items, in order.
///
/// # Errors
/// When the database fails.
pub fn latest(
    conn: &mut PgConnection,
    filing: FilingId,
) -> QueryResult<Option<(Rejection, Vec<RejectionItem>)>> {
    let others = diesel::alias!(rejections as others);
    let newest = others
        .filter(others.field(rejections::filing_id).eq(filing))
        .select(diesel::dsl::max(others.field(rejections::round)))
        .single_value();
    let rows: Vec<(Rejection, Option<RejectionItem>)> = rejections::table
        .left_join(rejection_items::table)
        .filter(rejections::filing_id.eq(filing))
        .filter(rejections::round.nullable().eq(newest))
        .order(rejection_items::position)
        .select((Rejection::as_select(), Option::<RejectionItem>::as_select()))
        .load(conn)?;
    let rejection = rows.first().map(|(rejection, _)| rejection.clone());
    let items = rows.into_iter().filter_map(|(_, item)| item).collect();
    Ok(rejection.map(|rejection| (rejection, items)))
}

/// Every rejection of a filing, oldest first, with the items of each.
///
/// # Errors
/// When the database fails.
pub fn all(conn: &mut PgConnection, filing: FilingId) -> QueryResult<Vec<(Rejection, Vec<RejectionItem>)>> {
    let rows: Vec<Rejection> = rejections::table
        .filter(rejections::filing_id.eq(filing))
        .order(rejections::round)
        .select(Rejection::as_select())
        .load(conn)?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let items = items_of(conn, &ids)?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let own = items.iter().filter(|item| item.rejection_id == row.id).cloned().collect();
            (row, own)
        })
        .collect())
}

fn items_of(conn: &mut PgConnection, ids: &[RejectionId]) -> QueryResult<Vec<RejectionItem>> {
    rejection_items::table
        .filter(rejection_items::rejection_id.eq_any(ids))
        .order((rejection_items::rejection_id, rejection_items::position))
        .select(RejectionItem::as_select())
        .load(conn)
}

/// Records a rejection. True when an item repeats the round before: the next task is escalated.
///
/// # Errors
/// When the database fails.
pub fn record(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    actor: &Actor,
    revision: &Revision,
    (source, note, items): (RejectionSource, Option<&str>, &[NewItem]),
) -> QueryResult<RejectionId> {
    let before = latest(conn, revision.filing_id)?;
    let round = before.as_ref().map_or(1, |(rejection, _)| rejection.round + 1);
    let repeated = |item: &NewItem| {
        before.as_ref().is_some_and(|(_, earlier)| {
            earlier.iter().any(|old| {
                old.key()
                    == (
                        item.target_kind,
                        item.pointer.as_deref(),
                        item.material_code.as_deref(),
                        item.code.as_str(),
                    )
            })
        })
    };
    let id = RejectionId::new();
    diesel::insert_into(rejections::table)
        .values((
            rejections::id.eq(id),
            rejections::filing_id.eq(revision.filing_id),
            rejections::revision_id.eq(revision.id),
            rejections::round.eq(round),
            rejections::source.eq(source),
            rejections::note.eq(note),
            rejections::created_by.eq(actor.user_id),
            rejections::created_at.eq(now),
        ))
        .execute(conn)?;
    let rows: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(position, item)| {
            (
                rejection_items::id.eq(RejectionItemId::new()),
                rejection_items::rejection_id.eq(id),
                rejection_items::filing_id.eq(revision.filing_id),
                rejection_items::position.eq(position as i32),
                rejection_items::target_kind.eq(item.target_kind),
                rejection_items::pointer.eq(item.pointer.clone()),
                rejection_items::material_code.eq(item.material_code.clone()),
                rejection_items::code.eq(item.code.clone()),
                rejection_items::reason.eq(item.reason.clone()),
                rejection_items::suggestion.eq(item.suggestion.clone()),
                rejection_items::is_repeated.eq(repeated(item)),
            )
        })
        .collect();
    diesel::insert_into(rejection_items::table).values(rows).execute(conn)?;
    Ok(id)
}

/// Whether the latest rejection repeats the one before it.
///
/// # Errors
/// When the database fails.
pub fn is_escalated(conn: &mut PgConnection, filing: FilingId) -> QueryResult<bool> {
    Ok(latest(conn, filing)?.is_some_and(|(_, items)| items.iter().any(|item| item.is_repeated)))
}
