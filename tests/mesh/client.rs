//! The Rust client against a real mesh: as a customer by its own example, and as a service.

use std::collections::HashMap;

use mesh::Code;
use mesh::signing::SigningKey;
use store_testing::Engine;
use tradewind::catalog::v1::reservation::State as Held;
use tradewind::catalog::v1::{
    GetStockRequest, Reservation, ReserveRequest, ReservedLine, SetStockRequest,
};
use tradewind::orders::v1::GetOrderRequest;
use tradewind::orders::v1::order::State;
use tradewind_client::{Client, Identity, Shown, Status};

use crate::customer::Person;
use crate::sample::{product, shop};
use crate::world::{Shape, World};

#[path = "../../clients/rust/examples/buy.rs"]
#[expect(dead_code, reason = "an example has a main function of its own")]
mod buy;

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_client_buys_something() {
    let world = shop().await;

    let order = buy::buy(&format!("http://{}", world.gateway)).await.unwrap();

    assert_eq!(order.state(), State::Confirmed, "{order:?}");
}

fn pricing(world: &World, shown: Shown) -> Client {
    let at = HashMap::from([("catalog", world.place("catalog"))]);
    Client::service(Identity { name: "pricing", shown, at }).unwrap()
}

async fn reserve(client: &Client, variant_id: &str) -> Result<Reservation, Status> {
    let request = ReserveRequest {
        order_id: "ord_of_pricing".into(),
        lines: vec![ReservedLine { variant_id: variant_id.into(), quantity: 2 }],
        expire_time: Some(mesh::clock::timestamp(mesh::Clock::system().now_micros() + 60_000_000)),
    };
    Ok(client.stock().reserve(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_with_a_certificate_of_the_mesh_is_one_of_its_services() {
    let allowed = ["--allow", "pricing=catalog"];
    let world = World::start_with(Shape::Far, Engine::Sqlite, &allowed).await;
    let merchant = Person::merchant(world.gateway).await;
    let variant_id = product(&merchant, "lamp", 7).await;
    let service = pricing(&world, Shown::Certificate(world.certificate_of("pricing").await));

    let held = reserve(&service, &variant_id).await.unwrap();
    let asked = GetStockRequest { variant_id: variant_id.clone() };
    let left = service.stock().get_stock(asked.clone()).await.unwrap().into_inner();
    let elsewhere = service.in_project("bakery").stock().get_stock(asked).await.unwrap_err();
    let nowhere = service.orders().get_order(GetOrderRequest::default()).await.unwrap_err();

    assert_eq!(held.state(), Held::Held);
    assert_eq!((left.on_hand, left.reserved), (7, 2));
    assert_eq!(elsewhere.code(), Code::NotFound);
    assert_eq!(nowhere.code(), Code::Unavailable, "no address of orders was named");
    let set = SetStockRequest { variant_id: variant_id.clone(), on_hand: 9 };
    service.stock().set_stock(set).await.unwrap();
    let records = merchant.get("/v1/audit/catalog").await;
    assert!(records.json.to_string().contains("pricing"), "{records:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_declared_or_shows_nothing_is_refused() {
    let world = World::start(Shape::Far, Engine::Sqlite).await;
    let undeclared = pricing(&world, Shown::Certificate(world.certificate_of("pricing").await));
    let key = world.directory.path().join("mesh.pem");
    std::fs::write(&key, SigningKey::generate_pem().unwrap().as_bytes()).unwrap();
    let without = pricing(&world, Shown::Key(key));

    let undeclared = reserve(&undeclared, "var_1").await.unwrap_err();
    let nobody = Client::connect(&world.place("catalog")).await.unwrap_err();
    let without = reserve(&without, "var_1").await.unwrap_err();

    assert_eq!(undeclared.code(), Code::PermissionDenied);
    assert!(undeclared.message().contains("pricing"), "{undeclared:?}");
    assert!(nobody.to_string().contains("there is no mesh"), "{nobody}");
    assert_eq!(without.code(), Code::Unavailable, "it speaks without TLS");
}
