//! Lists of resources: filtered, ordered, in pages (AIP-132, AIP-158, AIP-160).
//!
//! Pages follow the order's columns with the id last, so that a page begins after the row where the
//! one before ended, whatever was written in between.

mod filter;
mod order;
mod token;

use std::marker::PhantomData;

use contract::{Resource, Value};
use mesh::Context;

use crate::error::Error;
use crate::rows::Scope;
use crate::statement::{Draft, Statement};
use crate::table;
use order::Key;

const MOST_ITEMS: u16 = 1000;
const USUAL_ITEMS: u16 = 50;

/// What a List request asks for; its fields have the same names.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// At most so many; 0 means 50, more than 1000 means 1000.
    pub page_size: i32,
    /// Where the page before ended.
    pub page_token: String,
    /// Such as `status = ACTIVE AND (price.minor >= 500 OR NOT title:"Shi")`.
    pub filter: String,
    /// Such as `create_time desc, title`.
    pub order_by: String,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<R> {
    /// In the order that was asked for.
    pub items: Vec<R>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

impl<R> Default for Page<R> {
    fn default() -> Self {
        Self { items: Vec::new(), next_page_token: String::new() }
    }
}

/// A list, ready to be read.
pub(crate) struct Plan<R> {
    pub(crate) statement: Statement,
    size: u16,
    keys: Vec<Key>,
    check: u64,
    of: PhantomData<R>,
}

/// How many items a request asks for.
pub(crate) fn page_size(asked: i32) -> Result<u16, Error> {
    match u16::try_from(asked) {
        Ok(0) => Ok(USUAL_ITEMS),
        Ok(size) => Ok(size.min(MOST_ITEMS)),
        Err(_) if asked > 0 => Ok(MOST_ITEMS),
        Err(_) => Err(Error::InvalidList {
            field: "page_size",
            reason: "INVALID_PAGE_SIZE",
            problem: "it must not be negative".into(),
        }),
    }
}

/// The statement of a list; none when the caller reaches no row.
pub(crate) fn plan<R: Resource + 'static>(
    context: &Context,
    list: &List,
) -> Result<Option<Plan<R>>, Error> {
    let size = page_size(list.page_size)?;
    let keys = order::parse(&list.order_by, R::COLUMNS)?;
    let check = token::check(&[R::NAME, &list.filter, &list.order_by]);
    let project = Value::Text(Some(context.caller.project().to_owned()));
    let mut sql = Draft::new(&table::of::<R>().select, vec![project]);
    match (Scope::of::<R>(context), R::OWNER) {
        (Scope::Nothing, _) => return Ok(None),
        (Scope::Owner(owner), Some(column)) => {
            sql.push(format!(" AND \"{column}\" = "));
            sql.bind(Value::Text(Some(owner)));
        }
        (Scope::Owner(_) | Scope::Project, _) => {}
    }
    if let Some(filter) = filter::parse(&list.filter, R::COLUMNS)? {
        sql.push(" AND ");
        filter.render(&mut sql);
    }
    if !list.page_token.is_empty() {
        let after = token::read(&list.page_token, check, &keys, R::COLUMNS)?;
        sql.push(" AND ");
        order::render_after(&keys, R::COLUMNS, &after, &mut sql);
    }
    order::render(&keys, R::COLUMNS, &mut sql);
    sql.push(" LIMIT ");
    sql.bind(Value::Integer(Some(i64::from(size) + 1)));
    Ok(Some(Plan { statement: sql.finish(), size, keys, check, of: PhantomData }))
}

impl<R: Resource> Plan<R> {
    /// The page of the rows that were read: one more than it holds, when there is another.
    pub(crate) fn page(self, mut items: Vec<R>) -> Result<Page<R>, Error> {
        let more = items.len() > usize::from(self.size);
        items.truncate(self.size.into());
        let next_page_token = match items.last().filter(|_| more) {
            Some(last) => {
                let mut values = Vec::new();
                last.write(&mut values);
                token::write(self.check, &self.keys, &values)?
            }
            None => String::new(),
        };
        Ok(Page { items, next_page_token })
    }
}
