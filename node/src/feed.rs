//! Shopify's product CSV: several rows a product, read one product at a time.

use std::collections::HashMap;
use std::io::Read;

use anyhow::{Context, Result, bail};
use csv::{Reader, ReaderBuilder, StringRecord};
use tradewind::catalog::v1::product::Status;
use tradewind::catalog::v1::{Image, ImportedProduct, Option as Choice, Product, Variant};
use tradewind::money::v1::Money;

/// The columns without which a file is no product feed.
const NEEDED: [&str; 3] = ["Handle", "Title", "Variant Price"];
/// Every product has this option when it has no other; it is no choice.
const NO_OPTION: (&str, &str) = ("Title", "Default Title");

/// A row that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The line of the file, from 1.
    pub(crate) line: u64,
    pub(crate) reason: String,
}

/// A product, the line that it begins in, and the rows of it that were not taken.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) line: u64,
    pub(crate) product: Option<ImportedProduct>,
    pub(crate) refused: Vec<Refusal>,
}

/// Reads products one by one; a row that is broken is left out, and those around it are taken.
pub(crate) struct Feed<R> {
    reader: Reader<R>,
    columns: HashMap<String, usize>,
    currency: String,
    /// The first row of the next product, read already.
    ahead: Option<StringRecord>,
    broken: Vec<Refusal>,
}

impl<R: Read> Feed<R> {
    /// Reads the header. Prices are in `currency`: the feed names none.
    pub(crate) fn new(source: R, currency: &str) -> Result<Self> {
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(source);
        let header = reader.headers().context("the first line cannot be read as CSV")?.clone();
        let columns: HashMap<String, usize> = header
            .iter()
            .enumerate()
            .map(|(position, name)| {
                (name.trim_start_matches('\u{feff}').trim().to_owned(), position)
            })
            .collect();
        for needed in NEEDED {
            if !columns.contains_key(needed) {
                bail!("the first line has no column `{needed}`: this is not Shopify's product CSV");
            }
        }
        let currency = currency.to_owned();
        Ok(Self { reader, columns, currency, ahead: None, broken: Vec::new() })
    }

    /// How far the file was read, in bytes.
    pub(crate) fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The next product with all of its rows.
    pub(crate) fn next(&mut self) -> Option<Entry> {
        let first = match self.ahead.take() {
            Some(first) => first,
            None => self.row()?,
        };
        let handle = self.value(&first, "Handle").to_owned();
        let mut rows = vec![first];
        while let Some(row) = self.row() {
            if self.value(&row, "Handle") != handle {
                self.ahead = Some(row);
                break;
            }
            rows.push(row);
        }
        let line = line_of(&rows[0]);
        let mut refused = std::mem::take(&mut self.broken);
        let product = self.product(&handle, &rows, &mut refused);
        refused.sort_by_key(|refusal| refusal.line);
        Some(Entry { line, product, refused })
    }

    /// The next row that is CSV and names a handle.
    fn row(&mut self) -> Option<StringRecord> {
        loop {
            let mut row = StringRecord::new();
            match self.reader.read_record(&mut row) {
                Ok(false) => return None,
                Ok(true) if self.value(&row, "Handle").is_empty() => {
                    if row.iter().any(|value| !value.is_empty()) {
                        self.broken.push(refusal(&row, "it has no Handle"));
                    }
                }
                Ok(true) => return Some(row),
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    let fatal = matches!(error.kind(), csv::ErrorKind::Io(_));
                    self.broken.push(Refusal { line, reason: error.to_string() });
                    if fatal {
                        return None;
                    }
                }
            }
        }
    }

    fn value<'r>(&self, row: &'r StringRecord, column: &str) -> &'r str {
        self.columns.get(column).and_then(|position| row.get(*position)).unwrap_or_default().trim()
    }

    fn product(
        &self,
        handle: &str,
        rows: &[StringRecord],
        refused: &mut Vec<Refusal>,
    ) -> Option<ImportedProduct> {
        let first = &rows[0];
        if self.value(first, "Title").is_empty() {
            refused.push(refusal(first, &format!("the first row of `{handle}` has no Title")));
            return None;
        }
        let names = self.option_names(first);
        let mut product = Product {
            handle: handle.to_owned(),
            title: self.value(first, "Title").to_owned(),
            description: self.value(first, "Body (HTML)").to_owned(),
            vendor: self.value(first, "Vendor").to_owned(),
            product_type: self.value(first, "Type").to_owned(),
            tags: words(self.value(first, "Tags")),
            options: names
                .iter()
                .map(|name| Choice { name: name.clone(), values: Vec::new() })
                .collect(),
            ..Product::default()
        };
        let published = !self.value(first, "Published").eq_ignore_ascii_case("false");
        product.set_status(if published { Status::Active } else { Status::Draft });
        let mut stock = Vec::new();
        for row in rows {
            self.add_image(row, &mut product);
            if self.value(row, "Variant Price").is_empty() {
                // A row may bring a picture alone.
                if self.value(row, "Image Src").is_empty() {
                    refused.push(refusal(row, "it has neither a Variant Price nor an Image Src"));
                }
                continue;
            }
            match self.variant(row, &names) {
                Ok((variant, on_hand)) => {
                    for (option, value) in product.options.iter_mut().zip(&variant.option_values) {
                        if !option.values.contains(value) {
                            option.values.push(value.clone());
                        }
                    }
                    product.variants.push(variant);
                    stock.push(on_hand);
                }
                Err(error) => refused.push(refusal(row, &format!("{error:#}"))),
            }
        }
        if product.variants.is_empty() {
            refused.push(refusal(first, &format!("no variant of `{handle}` could be taken")));
            return None;
        }
        // Stock is counted for a whole product or not at all, as its first row says.
        let counted = stock.iter().all(Option::is_some);
        let on_hand = if counted { stock.into_iter().flatten().collect() } else { Vec::new() };
        Some(ImportedProduct { product: Some(product), on_hand })
    }

    fn option_names(&self, row: &StringRecord) -> Vec<String> {
        let names: Vec<_> = (1..=3)
            .map(|number| self.value(row, &format!("Option{number} Name")).to_owned())
            .take_while(|name| !name.is_empty())
            .collect();
        let only = (names.first().map_or("", String::as_str), self.value(row, "Option1 Value"));
        if names.len() == 1 && only == NO_OPTION { Vec::new() } else { names }
    }

    /// A variant, and how many there are of it where its stock is counted.
    fn variant(&self, row: &StringRecord, names: &[String]) -> Result<(Variant, Option<i64>)> {
        let price = self.money(row, "Variant Price")?;
        let option_values = (1..=names.len())
            .map(|number| {
                let column = format!("Option{number} Value");
                let value = self.value(row, &column);
                if value.is_empty() {
                    bail!("{column} is empty")
                }
                Ok(value.to_owned())
            })
            .collect::<Result<_>>()?;
        let compared = self.value(row, "Variant Compare At Price");
        let grams = self.value(row, "Variant Grams");
        let counted = !self.value(row, "Variant Inventory Tracker").is_empty();
        let on_hand = counted.then(|| self.quantity(row)).transpose()?;
        let variant = Variant {
            option_values,
            sku: self.value(row, "Variant SKU").to_owned(),
            price: Some(price),
            compare_at_price: (!compared.is_empty())
                .then(|| self.money(row, "Variant Compare At Price"))
                .transpose()?,
            weight_grams: if grams.is_empty() {
                0
            } else {
                grams.parse().with_context(|| format!("Variant Grams `{grams}` is not a number"))?
            },
            barcode: self.value(row, "Variant Barcode").to_owned(),
            requires_shipping: self
                .value(row, "Variant Requires Shipping")
                .eq_ignore_ascii_case("true"),
            taxable: !self.value(row, "Variant Taxable").eq_ignore_ascii_case("false"),
            ..Variant::default()
        };
        Ok((variant, on_hand))
    }

    fn quantity(&self, row: &StringRecord) -> Result<i64> {
        let text = self.value(row, "Variant Inventory Qty");
        let number: i64 = text
            .parse()
            .with_context(|| format!("Variant Inventory Qty `{text}` is not a whole number"))?;
        // Shopify lets stock go below zero; what is not there is not there.
        Ok(number.max(0))
    }

    fn money(&self, row: &StringRecord, column: &str) -> Result<Money> {
        let money = Money::from_decimal(self.value(row, column), &self.currency)
            .with_context(|| column.to_owned())?;
        if money.minor < 0 {
            bail!("{column} is below zero");
        }
        Ok(money)
    }

    fn add_image(&self, row: &StringRecord, product: &mut Product) {
        let url = self.value(row, "Image Src");
        if !url.is_empty() {
            let alt_text = self.value(row, "Image Alt Text").to_owned();
            product.images.push(Image { url: url.to_owned(), alt_text });
        }
    }
}

fn line_of(row: &StringRecord) -> u64 {
    row.position().map_or(0, csv::Position::line)
}

fn refusal(row: &StringRecord, reason: &str) -> Refusal {
    Refusal { line: line_of(row), reason: reason.to_owned() }
}

/// Words between commas.
fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Handle,Title,Option1 Name,Option1 Value,Variant Price,Variant Inventory Tracker,Variant Inventory Qty,Image Src\n";

    fn read(rows: &str) -> Vec<Entry> {
        let text = format!("{HEADER}{rows}");
        let mut feed = Feed::new(text.as_bytes(), "EUR").unwrap();
        std::iter::from_fn(|| feed.next()).collect()
    }

    #[test]
    fn rows_of_one_handle_are_one_product() {
        let entries = read(
            "top,Top,Size,S,60,shopify,3,https://x/a.jpg\n\
             top,,,M,60.50,shopify,4,\n\
             top,,,,,,,https://x/b.jpg\n\
             hat,Hat,Title,Default Title,10,,,\n",
        );

        let top = entries[0].product.as_ref().unwrap();
        let product = top.product.as_ref().unwrap();
        assert_eq!(product.options[0].values, ["S", "M"]);
        assert_eq!(product.variants[1].price, Some(Money::new(6050, "EUR")));
        assert_eq!(product.images.len(), 2);
        assert_eq!(top.on_hand, [3, 4]);
        let hat = entries[1].product.as_ref().unwrap();
        assert!(hat.product.as_ref().unwrap().options.is_empty());
        assert!(hat.on_hand.is_empty(), "stock that no tracker counts is not counted");
    }

    #[test]
    fn a_broken_row_leaves_the_rows_around_it_alone() {
        let entries = read(
            "top,Top,Size,S,sixty,,,\n\
             top,,,M,60,,,\n\
             ,,,,5,,,\n\
             hat,Hat,Title,Default Title,10,,,\n",
        );

        assert_eq!(
            entries[0].product.as_ref().unwrap().product.as_ref().unwrap().variants.len(),
            1
        );
        assert_eq!(entries[0].refused[0].line, 2);
        assert!(entries[0].refused[0].reason.contains("sixty"), "{:?}", entries[0].refused);
        assert_eq!(entries[0].refused[1].line, 4);
        assert!(entries[1].product.is_some());
    }

    #[test]
    fn a_file_that_is_no_feed_is_refused_with_what_it_lacks() {
        let error = Feed::new("a,b\n1,2\n".as_bytes(), "EUR").err().unwrap();

        assert!(error.to_string().contains("Handle"), "{error}");
    }
}
