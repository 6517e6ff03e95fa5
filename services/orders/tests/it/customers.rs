//! What orders ask of carts and users, in memory: lines, an account's address, the project's settings.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use contract::google::api::HttpBody;
use mesh::{HasContext, Request, Response, Status, async_trait};
use tradewind::cart::v1::cart_service_server::CartService;
use tradewind::cart::v1::{self as cart, CartLine};

use tradewind::money::v1::Money;
use tradewind::users::v1::users_service_server::UsersService;
use tradewind::users::v1::{self as users, Project, User};

use crate::breaks::not_here;

/// Carts and accounts in memory. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Customers {
    carts: Arc<Mutex<HashMap<String, Vec<CartLine>>>>,
}

impl Customers {
    /// Puts these into a customer's cart, and takes out what was there.
    pub(crate) fn fill(&self, customer_id: &str, lines: &[(&str, i64)]) {
        let lines = lines.iter().map(|(variant_id, quantity)| CartLine {
            customer_id: customer_id.into(),
            variant_id: (*variant_id).into(),
            quantity: *quantity,
            ..CartLine::default()
        });
        self.carts.lock().unwrap().insert(customer_id.into(), lines.collect());
    }
}

macro_rules! cart {
    ($($rpc:ident($request:ident) -> $answer:ty;)*) => {
        #[async_trait]
        impl CartService for Customers {
            async fn list_lines(
                &self,
                request: Request<cart::ListLinesRequest>,
            ) -> Result<Response<cart::ListLinesResponse>, Status> {
                let carts = self.carts.lock().unwrap();
                let lines = carts.get(&request.get_ref().customer_id).cloned().unwrap_or_default();
                Ok(Response::new(cart::ListLinesResponse { lines }))
            }

            $(async fn $rpc(
                &self,
                _: Request<cart::$request>,
            ) -> Result<Response<$answer>, Status> {
                not_here()
            })*
        }
    };
}

cart! {
    get_cart(GetCartRequest) -> cart::Cart;
    add_line(AddLineRequest) -> CartLine;
    set_quantity(SetQuantityRequest) -> CartLine;
    remove_line(RemoveLineRequest) -> ();
    clear_cart(ClearCartRequest) -> ();
    merge_cart(MergeCartRequest) -> cart::Cart;
}

macro_rules! users {
    ($($rpc:ident($request:ident) -> $answer:ty;)*) => {
        #[async_trait]
        impl UsersService for Customers {
            async fn get_me(
                &self,
                request: Request<users::GetMeRequest>,
            ) -> Result<Response<User>, Status> {
                let id = request.context().caller.subject().unwrap_or_default().to_owned();
                let email = format!("{id}@example.com");
                Ok(Response::new(User { id, email, ..User::default() }))
            }

            async fn get_project(
                &self,
                _: Request<users::GetProjectRequest>,
            ) -> Result<Response<Project>, Status> {
                Ok(Response::new(Project {
                    currency_code: "EUR".into(),
                    shipping_rate: Some(Money::new(490, "EUR")),
                    tax_basis_points: 1900,
                    tax_inclusive: false,
                    ..Project::default()
                }))
            }

            $(async fn $rpc(
                &self,
                _: Request<users::$request>,
            ) -> Result<Response<$answer>, Status> {
                not_here()
            })*
        }
    };
}

users! {
    register(RegisterRequest) -> users::Tokens;
    log_in(LogInRequest) -> users::Tokens;
    start_guest_session(StartGuestSessionRequest) -> users::Tokens;
    refresh_session(RefreshSessionRequest) -> users::Tokens;
    log_out(LogOutRequest) -> ();
    change_password(ChangePasswordRequest) -> users::Tokens;
    create_project(CreateProjectRequest) -> users::CreateProjectResponse;
    list_projects(ListProjectsRequest) -> users::ListProjectsResponse;
    list_users(ListUsersRequest) -> users::ListUsersResponse;
    set_user_roles(SetUserRolesRequest) -> User;
    update_project(UpdateProjectRequest) -> Project;
    get_keys(GetKeysRequest) -> HttpBody;
    get_trust(GetTrustRequest) -> users::Trust;
}
