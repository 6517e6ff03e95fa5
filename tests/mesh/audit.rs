//! Who changed what, told to those who may know, wherever the service runs that wrote it down.

use serde_json::json;

use crate::customer::{Person, order};
use crate::sample::product;
use crate::world::{WORLDS, World};

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_reads_who_changed_an_order() {
    for (shape, engine) in WORLDS {
        let world = World::start(shape, engine).await;
        let administrator = Person::merchant(world.gateway).await;
        let variant = product(&administrator, "audited", 5).await;
        let guest = Person::guest(world.gateway).await;
        let placed = guest.post_once("/v1/orders", "one", order(&[(&variant, 1)], "sim_ok")).await;
        let id = placed.text("/order/id");

        let path = format!("/v1/audit/orders?resourceId={id}");
        let told = administrator.get(&path).await;
        let records = told.json["records"].as_array().unwrap();
        let first = records.last().unwrap();
        assert_eq!(first["kind"], "KIND_CREATE", "{shape:?} {told:?}");
        assert_eq!(first["resource"], "tradewind.orders.v1.Order", "{shape:?}");
        assert!(first["actor"].as_str().unwrap().starts_with("gst_"), "{shape:?} {first}");
        assert!(records.iter().all(|record| record["resourceId"] == json!(id)), "{shape:?}");

        let refused = guest.get(&path).await;
        assert_eq!((refused.status, refused.reason()), (403, "PERMISSION_DENIED"), "{shape:?}");
        let unknown = administrator.get("/v1/audit/nothing").await;
        assert_eq!((unknown.status, unknown.reason()), (404, "UNKNOWN_SERVICE"), "{unknown:?}");
        assert!(unknown.json.to_string().contains("service"), "{unknown:?}");
    }
}
