//! Queries whose SQL text is always the same, told so to diesel: it then finds the prepared statement by a number instead of
//! writing out the text (several kilobytes for the larger ones) to look for it.
//!
//! Diesel knows this by itself for most queries, but not for those with `eq_any`: a list may be of any length on other databases.
//! On PostgreSQL it is one array parameter.

use std::any::Any;
use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

/// A query that is known by the type `Name`.
#[derive(Debug, Clone, Copy)]
pub struct FixedQuery<Name, Q> {
    query: Q,
    name: PhantomData<Name>,
}

/// Turns queries into [`FixedQuery`]s.
pub trait FixedDsl: Sized {
    /// The same query under a name. `Name` is a type made for this one place: two queries of one name would be taken for the same
    /// statement, and so would one whose text depends on its values. Not for queries with literal SQL, which are never kept.
    fn fixed<Name: Any>(self) -> FixedQuery<Name, Self> {
        FixedQuery { query: self, name: PhantomData }
    }
}

impl<Q: Query> FixedDsl for Q {}

impl<Name, Q: Query> Query for FixedQuery<Name, Q> {
    type SqlType = Q::SqlType;
}

impl<Name: Any, Q> QueryId for FixedQuery<Name, Q> {
    type QueryId = Name;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<Name, Q: QueryFragment<Pg>> QueryFragment<Pg> for FixedQuery<Name, Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.query.walk_ast(out)
    }
}

impl<Name, Q> RunQueryDsl<PgConnection> for FixedQuery<Name, Q> {}
