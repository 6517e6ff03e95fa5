//! `UsersService`, answered.

use std::sync::Arc;

use contract::google::api::HttpBody;
use mesh::{HasContext, Request, Response, Status, async_trait};
use serde_json::json;
use store::List;
use tradewind::users::v1::users_service_server::UsersService;
use tradewind::users::v1::{
    ChangePasswordRequest, CreateProjectRequest, CreateProjectResponse, GetKeysRequest,
    GetMeRequest, GetProjectRequest, GetTrustRequest, ListProjectsRequest, ListProjectsResponse,
    ListUsersRequest, ListUsersResponse, LogInRequest, LogOutRequest, Project,
    RefreshSessionRequest, RegisterRequest, SetUserRolesRequest, StartGuestSessionRequest, Tokens,
    Trust, UpdateProjectRequest, User,
};

use crate::accounts::NewAccount;
use crate::login::Login;
use crate::users::Users;
use crate::{project, roles};

/// The media type of a JSON Web Key Set.
const JWK_SET: &str = "application/jwk-set+json";

/// Answers for users.
pub(crate) struct Rpc {
    pub(crate) users: Arc<Users>,
}

#[async_trait]
impl UsersService for Rpc {
    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<Tokens>, Status> {
        let context = request.context().clone();
        let RegisterRequest { email, password, display_name } = request.into_inner();
        let roles = vec![roles::CUSTOMER.into()];
        let account = NewAccount { email, display_name, roles };
        Ok(Response::new(self.users.register(&context, account, password).await?))
    }

    async fn log_in(&self, request: Request<LogInRequest>) -> Result<Response<Tokens>, Status> {
        let context = request.context().clone();
        let LogInRequest { email, password } = request.into_inner();
        Ok(Response::new(self.users.log_in(&context, Login { email, password }).await?))
    }

    async fn change_password(
        &self,
        request: Request<ChangePasswordRequest>,
    ) -> Result<Response<Tokens>, Status> {
        let context = request.context().clone();
        let ChangePasswordRequest { email, current_password, new_password } = request.into_inner();
        let login = Login { email, password: current_password };
        Ok(Response::new(self.users.change_password(&context, login, new_password).await?))
    }

    async fn start_guest_session(
        &self,
        request: Request<StartGuestSessionRequest>,
    ) -> Result<Response<Tokens>, Status> {
        Ok(Response::new(self.users.start_guest(request.context()).await?))
    }

    async fn refresh_session(
        &self,
        request: Request<RefreshSessionRequest>,
    ) -> Result<Response<Tokens>, Status> {
        let token = &request.get_ref().refresh_token;
        Ok(Response::new(self.users.refresh(request.context(), token).await?))
    }

    async fn log_out(&self, request: Request<LogOutRequest>) -> Result<Response<()>, Status> {
        let everywhere = request.get_ref().everywhere;
        Ok(Response::new(self.users.log_out(request.context(), everywhere).await?))
    }

    async fn get_me(&self, request: Request<GetMeRequest>) -> Result<Response<User>, Status> {
        Ok(Response::new(self.users.me(&request).await?))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        let reader = self.users.store.read(&request);
        let ListUsersRequest { page_size, page_token, filter } = request.into_inner();
        let order_by = "create_time desc".into();
        let page = reader.list(&List { page_size, page_token, filter, order_by }).await?;
        Ok(Response::new(ListUsersResponse {
            users: page.items,
            next_page_token: page.next_page_token,
        }))
    }

    async fn set_user_roles(
        &self,
        request: Request<SetUserRolesRequest>,
    ) -> Result<Response<User>, Status> {
        let context = request.context().clone();
        let SetUserRolesRequest { id, roles } = request.into_inner();
        Ok(Response::new(self.users.set_roles(&context, &id, roles).await?))
    }

    async fn create_project(
        &self,
        request: Request<CreateProjectRequest>,
    ) -> Result<Response<CreateProjectResponse>, Status> {
        let context = request.context().clone();
        let CreateProjectRequest { project_id, project, admin_email } = request.into_inner();
        let project = project.unwrap_or_default();
        let made = self.users.create_project(&context, &project_id, &project, &admin_email).await?;
        Ok(Response::new(made))
    }

    async fn list_projects(
        &self,
        request: Request<ListProjectsRequest>,
    ) -> Result<Response<ListProjectsResponse>, Status> {
        let context = request.context().clone();
        Ok(Response::new(self.users.list_projects(&context, request.into_inner()).await?))
    }

    async fn get_project(
        &self,
        request: Request<GetProjectRequest>,
    ) -> Result<Response<Project>, Status> {
        Ok(Response::new(self.users.project(&request).await?))
    }

    async fn update_project(
        &self,
        request: Request<UpdateProjectRequest>,
    ) -> Result<Response<Project>, Status> {
        let context = request.context().clone();
        let mut tx = self.users.store.begin(&request).await?;
        let project = request.into_inner().project.unwrap_or_default();

        let was: Project = tx.get(context.caller.project()).await?;
        let project = tx.update(&project::changed(&was, project)?).await?;
        Ok(tx.answer(project).await?)
    }

    async fn get_keys(
        &self,
        _request: Request<GetKeysRequest>,
    ) -> Result<Response<HttpBody>, Status> {
        self.users.begin().await?;
        let keys = self.users.keys.published().await?;
        let keys: Vec<_> = keys
            .iter()
            .map(|key| {
                json!({
                    "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
                    "kid": key.kid, "x": key.x,
                })
            })
            .collect();
        let data = json!({ "keys": keys }).to_string().into_bytes();
        Ok(Response::new(HttpBody { content_type: JWK_SET.into(), data }))
    }

    async fn get_trust(
        &self,
        request: Request<GetTrustRequest>,
    ) -> Result<Response<Trust>, Status> {
        self.users.begin().await?;
        let keys = self.users.keys.published().await?;
        let ended_session_ids = self.users.ended_sessions(&request).await?;
        Ok(Response::new(Trust { keys, ended_session_ids }))
    }
}
