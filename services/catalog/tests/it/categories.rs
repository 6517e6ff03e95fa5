//! Categories: their tree, and what keeps them.

use harness::Engine;
use mesh::{Code, Status};
use tradewind::catalog::v1::{
    Category, CreateCategoryRequest, DeleteCategoryRequest, ListCategoriesRequest, Product,
    UpdateCategoryRequest,
};

use crate::shop::{Shop, simple, verdict};

async fn create(shop: &Shop, slug: &str, parent_id: &str) -> Result<Category, Status> {
    let category = Category {
        slug: slug.into(),
        title: slug.into(),
        parent_id: parent_id.into(),
        ..Category::default()
    };
    let request = CreateCategoryRequest { category: Some(category) };
    Ok(shop.merchant().create_category(request).await?.into_inner())
}

async fn delete(shop: &Shop, id: &str) -> Result<(), Status> {
    let request = DeleteCategoryRequest { id: id.into() };
    shop.merchant().delete_category(request).await.map(|_| ())
}

#[tokio::test]
async fn categories_are_listed_with_their_branches_and_never_turn_in_a_circle() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let clothes = create(&shop, "clothes", "").await.unwrap();
        let art = create(&shop, "art", "").await.unwrap();
        let shirts = create(&shop, "shirts", &clothes.id).await.unwrap();

        let listed = shop.anyone().list_categories(ListCategoriesRequest {}).await.unwrap();
        let below = Category { parent_id: shirts.id.clone(), ..clothes };
        let request = UpdateCategoryRequest { category: Some(below) };
        let refused = verdict(shop.merchant().update_category(request).await);
        let moved = Category { parent_id: art.id.clone(), ..shirts };
        let request = UpdateCategoryRequest { category: Some(moved) };
        let moved = shop.merchant().update_category(request).await.unwrap().into_inner();

        let slugs: Vec<_> =
            listed.into_inner().categories.into_iter().map(|category| category.slug).collect();
        assert_eq!(slugs, ["art", "clothes", "shirts"]);
        assert_eq!(refused, (Code::InvalidArgument, "CATEGORY_CYCLE".into()));
        assert_eq!(moved.parent_id, art.id);
        let orphan = verdict(create(&shop, "orphan", "cat_none").await);
        assert_eq!(orphan, (Code::InvalidArgument, "UNKNOWN_PARENT".into()));
        let twin = verdict(create(&shop, "art", "").await);
        assert_eq!(twin, (Code::AlreadyExists, "CATEGORY_ALREADY_EXISTS".into()));
    }
}

#[tokio::test]
async fn a_category_is_deleted_when_nothing_is_in_it() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let clothes = create(&shop, "clothes", "").await.unwrap();
        let shirts = create(&shop, "shirts", &clothes.id).await.unwrap();
        let product = Product { category_ids: vec![shirts.id.clone()], ..simple("shirt") };
        let product = shop.create(product).await;

        let with_child = verdict(delete(&shop, &clothes.id).await);
        let with_product = verdict(delete(&shop, &shirts.id).await);
        let moved = Product { category_ids: Vec::new(), ..product };
        let request = tradewind::catalog::v1::UpdateProductRequest { product: Some(moved) };
        shop.merchant().update_product(request).await.unwrap();

        let not_empty = (Code::FailedPrecondition, "CATEGORY_NOT_EMPTY".to_owned());
        assert_eq!(with_child, not_empty);
        assert_eq!(with_product, not_empty);
        delete(&shop, &shirts.id).await.unwrap();
        delete(&shop, &clothes.id).await.unwrap();
    }
}
