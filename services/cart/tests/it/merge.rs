//! A guest's cart, taken over at login.

use std::sync::Arc;

use harness::Engine;
use mesh::identity::{Claims, TokenKind};
use mesh::signing::SigningKey;
use mesh::trust::{Snapshot, TrustSource};
use mesh::{Code, Context, Status, async_trait};
use tradewind::cart::v1::{Cart, MergeCartRequest};

use crate::shop::{Shop, in_it, refusal};

/// Who signs tokens in these tests.
struct Signer {
    key: SigningKey,
}

#[async_trait]
impl TrustSource for Signer {
    async fn fetch(&self) -> Result<Snapshot, Status> {
        let keys = vec![("key-1".to_owned(), self.key.public().to_owned())];
        Ok(Snapshot { keys, ended_sessions: Vec::new() })
    }
}

impl Signer {
    fn of(shop: &Shop) -> Arc<Self> {
        let key = SigningKey::from_der(&SigningKey::generate().unwrap()).unwrap();
        let signer = Arc::new(Self { key });
        shop.harness.mesh.trust().ask(signer.clone());
        signer
    }

    fn token(&self, shop: &Shop, kind: TokenKind, id: &str, project: &str) -> String {
        let iat = shop.harness.clock.now_micros() / 1_000_000;
        let claims = Claims {
            sub: id.into(),
            project: project.into(),
            kind,
            roles: Vec::new(),
            sid: "ses_1".into(),
            jti: format!("jti_{id}"),
            iat,
            exp: iat + 900,
        };
        self.key.sign(Some("key-1"), &claims).unwrap()
    }
}

async fn merge(shop: &Shop, of: &Context, token: &str) -> Result<Cart, Status> {
    let request = MergeCartRequest { guest_access_token: token.into() };
    shop.cart(of).merge_cart(request).await.map(mesh::Response::into_inner)
}

#[tokio::test]
async fn a_guests_lines_become_the_callers_and_add_up_to_999() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let signer = Signer::of(&shop);
        let (ada, guest) = (shop.harness.as_customer("usr_ada"), shop.harness.as_guest("gst_1"));
        for variant_id in ["var_a", "var_b", "var_c", "var_d"] {
            shop.shelf.sell(variant_id, 1000, None);
        }
        for (who, variant_id, quantity) in
            [(&ada, "var_a", 1), (&ada, "var_b", 990), (&ada, "var_d", 4)].into_iter().chain([
                (&guest, "var_a", 2),
                (&guest, "var_b", 20),
                (&guest, "var_c", 3),
            ])
        {
            shop.add(who, variant_id, quantity).await.unwrap();
        }
        let token = signer.token(&shop, TokenKind::Guest, "gst_1", "default");

        let merged = in_it(&[("var_a", 3), ("var_b", 999), ("var_c", 3), ("var_d", 4)]);
        for _ in 0..2 {
            assert_eq!(merge(&shop, &ada, &token).await.unwrap().lines.len(), 4);
            assert_eq!(shop.quantities(&ada).await, merged);
            assert!(shop.get(&guest).await.lines.is_empty());
        }
        shop.add(&guest, "var_a", 1).await.unwrap();
        assert_eq!(shop.quantities(&guest).await, in_it(&[("var_a", 1)]));
    }
}

#[tokio::test]
async fn only_the_token_of_a_guest_of_the_project_opens_a_cart() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let signer = Signer::of(&shop);
        let (ada, bob) = (shop.harness.as_customer("usr_ada"), shop.harness.as_customer("usr_bob"));
        shop.shelf.sell("var_a", 1000, None);
        shop.add(&bob, "var_a", 1).await.unwrap();
        let token = |kind, id, project| signer.token(&shop, kind, id, project);
        let expired = token(TokenKind::Guest, "gst_old", "default");

        for wrong in [
            token(TokenKind::User, "usr_bob", "default"),
            token(TokenKind::Guest, "usr_bob", "another"),
        ] {
            let refused = refusal(merge(&shop, &ada, &wrong).await);
            assert_eq!(refused, (Code::InvalidArgument, "NOT_A_GUEST".into()));
        }
        shop.harness.clock.advance(std::time::Duration::from_secs(901));
        for wrong in ["usr_bob", expired.as_str()] {
            let refused = refusal(merge(&shop, &ada, wrong).await);
            assert_eq!(refused, (Code::InvalidArgument, "INVALID_GUEST_TOKEN".into()));
        }
        assert!(shop.get(&ada).await.lines.is_empty());
        assert_eq!(shop.quantities(&bob).await, in_it(&[("var_a", 1)]));
    }
}

#[tokio::test]
async fn a_merge_that_does_not_fit_moves_nothing() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let signer = Signer::of(&shop);
        let (ada, guest) = (shop.harness.as_customer("usr_ada"), shop.harness.as_guest("gst_1"));
        for at in 0..251 {
            let (hers, theirs) = (format!("var_a{at}"), format!("var_g{at}"));
            for (who, variant_id) in [(&ada, hers), (&guest, theirs)] {
                shop.shelf.sell(&variant_id, 1000, None);
                shop.add(who, &variant_id, 1).await.unwrap();
            }
        }
        let token = signer.token(&shop, TokenKind::Guest, "gst_1", "default");

        let refused = refusal(merge(&shop, &ada, &token).await);

        assert_eq!(refused, (Code::FailedPrecondition, "CART_FULL".into()));
        assert_eq!(shop.get(&ada).await.lines.len(), 251);
        assert_eq!(shop.get(&guest).await.lines.len(), 251);
    }
}
