//! Why the catalog did not do what it was asked.

use std::fmt::Write;

use mesh::{Code, Detail, Failure, Status};

/// The most lines that a refusal names one by one; longer headers hang some clients.
const MOST_NAMED: usize = 100;

/// A line that asks for more than there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Short {
    /// The variant.
    pub(crate) variant_id: String,
    /// How many were asked for.
    pub(crate) asked: i64,
    /// How many there are.
    pub(crate) available: i64,
}

/// Why a catalog call did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The product cannot be as it was given.
    #[error("{field}: {problem}")]
    InvalidProduct {
        /// Such as `product.variants[2].option_values`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no such product, or the caller may not see it.
    #[error("product {0} does not exist")]
    ProductNotFound(String),
    /// Another call made one of the imported products meanwhile.
    #[error("another call has made one of these products at the same time; import them again")]
    ImportConflict,
    /// There is no such category.
    #[error("category {0} does not exist")]
    CategoryNotFound(String),
    /// The parent of a category is none.
    #[error("category.parent_id: there is no category {0}")]
    UnknownParent(String),
    /// A category would be part of itself.
    #[error("category.parent_id: category {0} would be part of itself")]
    CategoryCycle(String),
    /// A category cannot be deleted with what stands in it.
    #[error(
        "category {id} still has {children} categories and {products} products; move them first"
    )]
    CategoryNotEmpty {
        /// The category.
        id: String,
        /// How many categories are right below it.
        children: i64,
        /// How many products stand in it.
        products: i64,
    },
    /// There is no such variant.
    #[error("variant {0} does not exist")]
    VariantNotFound(String),
    /// The stock of a variant is not counted.
    #[error("the stock of variant {0} is not counted; set it to begin")]
    NotCounted(String),
    /// There cannot be fewer than orders hold.
    #[error("orders hold {reserved} of variant {variant_id}; there cannot be fewer")]
    BelowReserved {
        /// The variant.
        variant_id: String,
        /// How many are held.
        reserved: i64,
    },
    /// Two lines of a reservation are of one variant.
    #[error("variant {0} is in two lines; add them up")]
    RepeatedLine(String),
    /// Variants that are not sold.
    #[error("{}", not_sold(.0))]
    NotSold(Vec<String>),
    /// Variants of which there are too few.
    #[error("{}", out_of_stock(.0))]
    OutOfStock(Vec<Short>),
    /// The stock changed while it was looked at.
    #[error("the stock changed at the same moment; try again")]
    StockContended,
    /// The order holds something else.
    #[error("order {0} holds other lines already")]
    ReservationExists(String),
    /// What was held was given back.
    #[error("what order {0} held was given back")]
    ReservationReleased(String),
    /// A page token is not one.
    #[error("page_token: it is not a `next_page_token` of this list")]
    InvalidPageToken,
    /// The search index.
    #[error("search is not available at the moment")]
    Search(#[from] tantivy::TantivyError),
    /// The search index could not be opened.
    #[error("search is not available")]
    NoSearch,
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Failure for Error {
    const DOMAIN: &'static str = "catalog.tradewind";

    fn verdict(&self) -> (Code, &'static str) {
        match self {
            Self::InvalidProduct { .. } => (Code::InvalidArgument, "INVALID_PRODUCT"),
            Self::ProductNotFound(_) => (Code::NotFound, "PRODUCT_NOT_FOUND"),
            Self::ImportConflict => (Code::Aborted, "IMPORT_CONFLICT"),
            Self::CategoryNotFound(_) => (Code::NotFound, "CATEGORY_NOT_FOUND"),
            Self::UnknownParent(_) => (Code::InvalidArgument, "UNKNOWN_PARENT"),
            Self::CategoryCycle(_) => (Code::InvalidArgument, "CATEGORY_CYCLE"),
            Self::CategoryNotEmpty { .. } => (Code::FailedPrecondition, "CATEGORY_NOT_EMPTY"),
            Self::VariantNotFound(_) => (Code::NotFound, "VARIANT_NOT_FOUND"),
            Self::NotCounted(_) => (Code::NotFound, "STOCK_NOT_COUNTED"),
            Self::BelowReserved { .. } => (Code::FailedPrecondition, "STOCK_BELOW_RESERVED"),
            Self::RepeatedLine(_) => (Code::InvalidArgument, "REPEATED_LINE"),
            Self::NotSold(_) => (Code::FailedPrecondition, "VARIANT_NOT_SOLD"),
            Self::OutOfStock(_) => (Code::FailedPrecondition, "OUT_OF_STOCK"),
            Self::StockContended => (Code::Aborted, "STOCK_CONTENDED"),
            Self::ReservationExists(_) => (Code::FailedPrecondition, "RESERVATION_EXISTS"),
            Self::ReservationReleased(_) => (Code::FailedPrecondition, "RESERVATION_RELEASED"),
            Self::InvalidPageToken => (Code::InvalidArgument, "INVALID_PAGE_TOKEN"),
            Self::Search(_) => (Code::Internal, "SEARCH"),
            Self::NoSearch => (Code::Unavailable, "SEARCH_UNAVAILABLE"),
            Self::Store(error) => error.verdict(),
        }
    }

    fn detail(&self) -> Detail {
        match self {
            Self::InvalidProduct { field, problem } => fields(field, problem.clone()),
            Self::UnknownParent(_) | Self::CategoryCycle(_) => {
                fields("category.parent_id", self.to_string())
            }
            Self::RepeatedLine(_) => fields("lines", self.to_string()),
            Self::InvalidPageToken => fields("page_token", self.to_string()),
            Self::ProductNotFound(id)
            | Self::CategoryNotFound(id)
            | Self::VariantNotFound(id)
            | Self::NotCounted(id)
            | Self::ReservationExists(id)
            | Self::ReservationReleased(id) => metadata([("id", id.clone())]),
            Self::CategoryNotEmpty { id, children, products } => metadata([
                ("id", id.clone()),
                ("children", children.to_string()),
                ("products", products.to_string()),
            ]),
            Self::BelowReserved { variant_id, reserved } => {
                metadata([("id", variant_id.clone()), ("reserved", reserved.to_string())])
            }
            Self::NotSold(ids) => Detail {
                preconditions: ids.iter().take(MOST_NAMED).map(not_sold_condition).collect(),
                ..Detail::default()
            },
            Self::OutOfStock(short) => Detail {
                metadata: available(short),
                preconditions: short.iter().take(MOST_NAMED).map(short_condition).collect(),
                ..Detail::default()
            },
            Self::ImportConflict | Self::StockContended | Self::Search(_) | Self::NoSearch => {
                Detail::default()
            }
            Self::Store(error) => error.detail(),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            // A replay is the store's answer, not a failure.
            Error::Store(error) => error.into(),
            error => mesh::status(error),
        }
    }
}

fn fields(field: &str, problem: String) -> Detail {
    Detail { fields: vec![(field.into(), problem)], ..Detail::default() }
}

fn metadata<const N: usize>(metadata: [(&str, String); N]) -> Detail {
    let metadata = metadata.into_iter().map(|(name, value)| (name.into(), value)).collect();
    Detail { metadata, ..Detail::default() }
}

/// How many are available, by variant.
fn available(short: &[Short]) -> Vec<(String, String)> {
    let named = short.iter().take(MOST_NAMED);
    named.map(|short| (short.variant_id.clone(), short.available.to_string())).collect()
}

fn short_condition(short: &Short) -> (String, String, String) {
    let description = format!("{} available, {} asked for", short.available, short.asked);
    ("OUT_OF_STOCK".into(), short.variant_id.clone(), description)
}

#[expect(clippy::ptr_arg, reason = "it maps the ids as they are kept")]
fn not_sold_condition(id: &String) -> (String, String, String) {
    ("VARIANT_NOT_SOLD".into(), id.clone(), "it is not sold".into())
}

fn not_sold(ids: &[String]) -> String {
    match ids {
        [id] => format!("variant {id} is not sold"),
        ids => format!("{} of the variants are not sold", ids.len()),
    }
}

fn out_of_stock(short: &[Short]) -> String {
    let mut sentence = String::from("there are too few");
    for (at, Short { variant_id, asked, available }) in short.iter().take(5).enumerate() {
        let join = if at == 0 { ":" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(sentence, "{join} {available} of {variant_id}, not {asked}");
    }
    if short.len() > 5 {
        let _ = write!(sentence, ", and {} more", short.len() - 5);
    }
    sentence
}
