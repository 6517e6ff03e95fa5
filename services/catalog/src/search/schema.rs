//! What the index holds of a product.

use mesh::clock::micros;
use tantivy::schema::{
    Field, INDEXED, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{
    AsciiFoldingFilter, LowerCaser, RemoveLongFilter, SimpleTokenizer, TextAnalyzer,
};
use tantivy::{TantivyDocument, Term};
use tradewind::catalog::v1::Product;

use super::text;

/// Grows when the fields, the words or their meaning change; an older index is built anew.
pub(super) const VERSION: u32 = 1;
/// What text is made of: lower-case words without accents.
pub(super) const WORDS: &str = "words";
/// The longest word; longer ones are data, not words.
const LONGEST_WORD: usize = 40;

/// What found products can be narrowed by, each a field of the index.
pub(super) const FACETS: [&str; 4] = ["vendor", "product_type", "tag", "category"];
/// The field that prices are ordered by.
pub(super) const PRICE: &str = "price";
/// The field that products are ordered by, newest first.
pub(super) const CREATED: &str = "created";

/// The fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    /// Project and id: what a document is replaced by.
    pub(super) key: Field,
    pub(super) project: Field,
    pub(super) id: Field,
    pub(super) title: Field,
    /// Vendor, type, tags and option values.
    pub(super) names: Field,
    pub(super) description: Field,
    /// Handle, SKUs and barcodes.
    pub(super) codes: Field,
    pub(super) vendor: Field,
    pub(super) product_type: Field,
    pub(super) tag: Field,
    pub(super) category: Field,
    /// The lowest price of a variant.
    pub(super) price: Field,
    pub(super) created: Field,
    pub(super) in_stock: Field,
}

/// The schema, with its fields.
pub(super) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let number = || NumericOptions::default().set_indexed().set_fast();
    let fields = Fields {
        key: schema.add_text_field("key", exact()),
        project: schema.add_text_field("project", exact()),
        id: schema.add_text_field("id", TextOptions::default().set_stored()),
        title: schema.add_text_field("title", words()),
        names: schema.add_text_field("names", words()),
        description: schema.add_text_field("description", words()),
        codes: schema.add_text_field("codes", words()),
        vendor: schema.add_text_field("vendor", exact().set_fast("raw")),
        product_type: schema.add_text_field("product_type", exact().set_fast("raw")),
        tag: schema.add_text_field("tag", exact().set_fast("raw")),
        category: schema.add_text_field("category", exact().set_fast("raw")),
        price: schema.add_i64_field(PRICE, number()),
        created: schema.add_i64_field(CREATED, number()),
        in_stock: schema.add_bool_field("in_stock", INDEXED),
    };
    (schema.build(), fields)
}

/// What makes words of a text.
pub(super) fn analyzer() -> TextAnalyzer {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(LONGEST_WORD))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .build()
}

/// The words of a text, as the index has them.
pub(super) fn words_of(text: &str) -> Vec<String> {
    let mut analyzer = analyzer();
    let mut words = Vec::new();
    analyzer.token_stream(text).process(&mut |token| words.push(token.text.clone()));
    words
}

fn exact() -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::Basic);
    TextOptions::default().set_indexing_options(indexing)
}

fn words() -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(WORDS)
        .set_index_option(IndexRecordOption::WithFreqs);
    TextOptions::default().set_indexing_options(indexing)
}

impl Fields {
    /// What the document of a product is replaced by.
    pub(super) fn key(&self, project: &str, id: &str) -> Term {
        Term::from_field_text(self.key, &key(project, id))
    }

    /// The document of a product.
    pub(super) fn document(
        &self,
        project: &str,
        product: &Product,
        in_stock: bool,
    ) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_text(self.key, key(project, &product.id));
        document.add_text(self.project, project);
        document.add_text(self.id, &product.id);
        document.add_text(self.title, &product.title);
        document.add_text(self.description, text::plain(&product.description));
        for name in names(product) {
            document.add_text(self.names, name);
        }
        for code in codes(product) {
            document.add_text(self.codes, code);
        }
        let once = [(self.vendor, &product.vendor), (self.product_type, &product.product_type)];
        for (field, value) in once.into_iter().filter(|(_, value)| !value.is_empty()) {
            document.add_text(field, value);
        }
        let tags = product.tags.iter().map(|tag| (self.tag, tag));
        let categories = product.category_ids.iter().map(|id| (self.category, id));
        for (field, value) in tags.chain(categories) {
            document.add_text(field, value);
        }
        let prices = product.variants.iter().filter_map(|variant| variant.price.as_ref());
        if let Some(lowest) = prices.map(|price| price.minor).min() {
            document.add_i64(self.price, lowest);
        }
        document.add_i64(self.created, product.create_time.as_ref().map_or(0, micros));
        document.add_bool(self.in_stock, in_stock);
        document
    }
}

fn key(project: &str, id: &str) -> String {
    format!("{project}/{id}")
}

/// What a product is called besides its title.
pub(super) fn names(product: &Product) -> impl Iterator<Item = &str> {
    let options = product.options.iter().flat_map(|option| &option.values);
    let names = [&product.vendor, &product.product_type].into_iter().chain(&product.tags);
    names.chain(options).map(String::as_str)
}

fn codes(product: &Product) -> impl Iterator<Item = &str> {
    let of_variants = product.variants.iter().flat_map(|variant| [&variant.sku, &variant.barcode]);
    let codes = std::iter::once(&product.handle).chain(of_variants);
    codes.map(String::as_str).filter(|code| !code.is_empty())
}
