//! Queries whose SQL text is always the same, told so to diesel: it then finds the prepared statement by a number instead of
//! writing out the text (several kilobytes for the larger ones) to look for it.
//!
//! Diesel knows this by itself for most queries, but not for those with `eq_any`: a list may be of any length on other databases.
//! On PostgreSQL it is one array parameter.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::OnceLock;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::HasSqlType;

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

/// The text of a large query, written out once and cut at its parameters. Diesel walks the tree of a query for every execution,
/// to collect the parameters and to ask whether the statement may be kept; for the page of a filing that was a sixth of the
/// server's time. A [`WrittenQuery`] has nothing to walk.
#[derive(Debug, Default)]
pub struct WrittenText(OnceLock<Vec<String>>);

impl WrittenText {
    /// No text yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The query with the text of `tree`, which is built for the first execution only; whatever its values are, its text must be
    /// the same. The parameters are then bound anew, each in its place. `Name` as for [`FixedDsl::fixed`].
    pub fn query<Name, Q: Query + QueryFragment<Pg>>(
        &'static self,
        tree: impl FnOnce() -> Q,
    ) -> WrittenQuery<Name, Q::SqlType> {
        let parts = self.0.get_or_init(|| cut(&diesel::debug_query::<Pg, _>(&tree()).to_string()));
        WrittenQuery { parts, binds: Vec::with_capacity(parts.len()), kind: PhantomData }
    }
}

/// What stands before, between and after the parameters.
fn cut(text: &str) -> Vec<String> {
    let text = text.split(" -- binds: ").next().unwrap_or_default();
    let mut parts = text.split('$');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned());
    std::iter::once(first).chain(rest).collect()
}

/// A query whose text is a [`WrittenText`].
pub struct WrittenQuery<Name, ST> {
    parts: &'static [String],
    binds: Vec<Box<dyn Bind>>,
    kind: PhantomData<(Name, ST)>,
}

impl<Name, ST> WrittenQuery<Name, ST> {
    /// Binds the next parameter, in the order of the text.
    pub fn bind<T, V>(mut self, value: V) -> Self
    where
        T: 'static,
        V: ToSql<T, Pg> + 'static,
        Pg: HasSqlType<T>,
    {
        self.binds.push(Box::new(Bound::<T, V>(value, PhantomData)));
        self
    }
}

trait Bind {
    fn push<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()>;
}

struct Bound<T, V>(V, PhantomData<T>);

impl<T, V: ToSql<T, Pg>> Bind for Bound<T, V>
where
    Pg: HasSqlType<T>,
{
    fn push<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<T, V>(&self.0)
    }
}

impl<Name, ST> Query for WrittenQuery<Name, ST> {
    type SqlType = ST;
}

impl<Name: Any, ST> QueryId for WrittenQuery<Name, ST> {
    type QueryId = Name;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<Name, ST> QueryFragment<Pg> for WrittenQuery<Name, ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Some((first, rest)) = self.parts.split_first() else { return Ok(()) };
        if rest.len() != self.binds.len() {
            let fault = format!("{} parameters are bound of {}", self.binds.len(), rest.len());
            return Err(diesel::result::Error::QueryBuilderError(fault.into()));
        }
        out.push_sql(first);
        for (bind, part) in self.binds.iter().zip(rest) {
            bind.push(out.reborrow())?;
            out.push_sql(part);
        }
        Ok(())
    }
}

impl<Name, ST> RunQueryDsl<PgConnection> for WrittenQuery<Name, ST> {}

#[cfg(test)]
mod tests {
    use super::*;
    use diesel::sql_types::{Bool, Integer, Text};

    #[test]
    fn a_written_query_has_the_text_of_its_tree_with_the_parameters_in_their_places() {
        static TEXT: WrittenText = WrittenText::new();
        struct Name;
        let tree = |number: i32, text: &'static str| {
            diesel::select((number.into_sql::<Integer>().eq(12), text.into_sql::<Text>().eq("b")))
        };
        let query = || TEXT.query::<Name, _>(|| tree(1, "a"));
        let bound =
            query().bind::<Integer, _>(1).bind::<Integer, _>(12).bind::<Text, _>("a").bind::<Text, _>("b");
        assert_eq!(
            diesel::debug_query::<Pg, _>(&bound).to_string(),
            diesel::debug_query::<Pg, _>(&tree(1, "a")).to_string()
        );
        let again: WrittenQuery<Name, (Bool, Bool)> = TEXT.query(|| tree(2, "c"));
        assert_eq!(again.parts.len(), 5);
    }
}
