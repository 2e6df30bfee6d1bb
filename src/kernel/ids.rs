//! Typed identifiers: a review's id cannot be passed where a filing's is wanted. UUIDv7, so that rows of one time lie together.

use std::cell::RefCell;
use std::collections::HashMap;

use uuid::Uuid;

thread_local! {
    static FIXED: RefCell<HashMap<&'static str, Uuid>> = RefCell::new(HashMap::new());
}

/// The next id of a type on this thread: a new UUIDv7, unless one was prepared.
pub fn next(kind: &'static str) -> Uuid {
    FIXED.with_borrow_mut(|fixed| fixed.remove(kind)).unwrap_or_else(Uuid::now_v7)
}

/// Prepares the next id of a type on this thread: the demo data have fixed ids, made by the same code as all others.
pub fn prepare(kind: &'static str, id: Uuid) {
    FIXED.with_borrow_mut(|fixed| fixed.insert(kind, id));
}

/// Declares a typed id over a UUIDv7 column.
#[macro_export]
macro_rules! id_types {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
            diesel::expression::AsExpression, diesel::deserialize::FromSqlRow,
        )]
        #[diesel(sql_type = diesel::sql_types::Uuid)]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// A new id.
            #[allow(clippy::new_without_default, reason = "an id is never a default value")]
            pub fn new() -> Self {
                Self($crate::kernel::ids::next(stringify!($name)))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                uuid::Uuid::parse_str(text).map(Self)
            }
        }

        impl diesel::serialize::ToSql<diesel::sql_types::Uuid, diesel::pg::Pg> for $name {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>,
            ) -> diesel::serialize::Result {
                diesel::serialize::ToSql::<diesel::sql_types::Uuid, diesel::pg::Pg>::to_sql(&self.0, out)
            }
        }

        impl diesel::deserialize::FromSql<diesel::sql_types::Uuid, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                <uuid::Uuid as diesel::deserialize::FromSql<diesel::sql_types::Uuid, diesel::pg::Pg>>::from_sql(bytes)
                    .map(Self)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Uuid)))
                    .into()
            }
        }

        // To a client an id is a plain UUID: the document inlines this component.
        impl utoipa::ToSchema for $name {}
    )+};
}

id_types! {
    /// A customer's account.
    AccountId;
    /// A partner: a company that acts for its customers.
    PartnerId;
    /// A partner's program. Its service user has the same id.
    ApiClientId;
    /// A secret of a partner's program.
    ApiClientSecretId;
    /// A person who can log in, or the service user of a partner's program.
    UserId;
    /// A log-in session: the family of refresh tokens.
    SessionId;
    /// 主体: who runs websites.
    SubjectId;
    /// A filed website.
    WebsiteId;
    /// One row of website content.
    ContentId;
    /// 备案订单: one request to change filed data.
    FilingId;
    /// Many filings ordered in one request.
    FilingBatchId;
    /// What one submission of a filing contained.
    RevisionId;
    /// An uploaded material.
    AttachmentId;
    /// A rejection of a filing.
    RejectionId;
    /// One item of a rejection.
    RejectionItemId;
    /// A review task.
    ReviewId;
    /// An attempt at the photo verification.
    PhotoVerificationId;
    /// A backdrop's journey by courier.
    ShipmentId;
    /// A hand-over to the bureau.
    SubmissionId;
    /// A result of a bureau that could not be applied.
    BureauResultId;
    /// A background job.
    JobId;
    /// A timeline event.
    EventId;
    /// A notification to one user over one channel.
    NotificationId;
    /// An audit row.
    AuditEventId;
    /// A version of the terms or of the consent.
    TermsId;
    /// An address that a partner's events go to.
    WebhookEndpointId;
    /// One event on its way to one endpoint.
    WebhookDeliveryId;
    /// One try of a delivery.
    WebhookAttemptId;
    /// An internal note on a filing.
    NoteId;
}
