//! The projects of the mesh: made, each with its administrator, and listed.

use mesh::{Caller, Context, clock, identity};
use store::Tx;
use tradewind::users::v1::{
    CreateProjectResponse, ListProjectsRequest, ListProjectsResponse, Project, User,
};

use crate::accounts::{NewAccount, normalized};
use crate::error::Error;
use crate::password::{self, NewPassword};
use crate::session::micros;
use crate::users::Users;
use crate::{NAME, project, store as sql};

/// How many projects a page has when nothing is said.
const PAGE: i32 = 50;

/// A password that its owner must change, as it is said and as it is kept.
pub(crate) struct OneTime {
    pub(crate) said: String,
    pub(crate) kept: NewPassword,
    /// Microseconds since 1970.
    pub(crate) until: i64,
}

impl Users {
    /// Makes a project and its administrator. A repeat gives the administrator another one-time
    /// password: the first answer may have been lost, and nobody else has used it.
    pub(crate) async fn create_project(
        &self,
        context: &Context,
        id: &str,
        settings: &Project,
        admin_email: &str,
    ) -> Result<CreateProjectResponse, Error> {
        self.begin().await?;
        let asked = project::new(id, settings)?;
        let password = self.one_time_password().await?;
        let context = in_project(context, id);

        let mut tx = self.store.begin_for(&context).await?;
        let (project, admin) = match tx.find::<Project>(id).await? {
            None => self.add_project(&mut tx, asked, admin_email, &password.kept).await?,
            Some(there) if project::is_repeat(&there, &asked) => {
                let admin = self.unused_administrator(&mut tx, admin_email, &password.kept).await?;
                (there, admin.ok_or_else(|| Error::ProjectExists(id.to_owned()))?)
            }
            Some(_) => return Err(Error::ProjectExists(id.to_owned())),
        };
        tx.commit().await?;
        Ok(CreateProjectResponse {
            publishable_key: identity::publishable_key(&project.id),
            project: Some(project),
            admin: Some(admin),
            one_time_password: password.said,
            expire_time: Some(clock::timestamp(password.until)),
        })
    }

    async fn add_project(
        &self,
        tx: &mut Tx,
        project: Project,
        admin_email: &str,
        password: &NewPassword,
    ) -> Result<(Project, User), Error> {
        let id = project.id.clone();
        let project = tx.insert(project).await.map_err(|error| match error {
            // Another caller was first.
            store::Error::AlreadyExists { .. } => Error::ProjectExists(id),
            error => error.into(),
        })?;
        let account = NewAccount::administrator(admin_email);
        let admin = self.add_account(tx, account, password).await?;
        Ok((project, admin))
    }

    /// The account with an address, given another one-time password, if it has never been used.
    pub(crate) async fn unused_administrator(
        &self,
        tx: &mut Tx,
        email: &str,
        password: &NewPassword,
    ) -> Result<Option<User>, Error> {
        let user = tx.select::<User>("email = $2").bind(normalized(email)).lock();
        let Some(user) = user.fetch_optional().await? else { return Ok(None) };
        let renewed = sql::renew_one_time(tx, &user.id, password, self.now()).await?;
        Ok(renewed.then_some(user))
    }

    /// A new one-time password.
    pub(crate) async fn one_time_password(&self) -> Result<OneTime, Error> {
        let said = password::one_time();
        let hash = self.passwords.hash(self.passwords.place()?, said.clone()).await?;
        let until = self.now().saturating_add(micros(self.config.lifetimes.one_time_password));
        Ok(OneTime { said, kept: NewPassword { hash, one_time_until: Some(until) }, until })
    }

    /// A page of the projects of the mesh.
    pub(crate) async fn list_projects(
        &self,
        context: &Context,
        request: ListProjectsRequest,
    ) -> Result<ListProjectsResponse, Error> {
        let ListProjectsRequest { page_size, page_token } = request;
        let size = if page_size == 0 { PAGE } else { page_size };
        let reader = self.store.read(context);
        // One more than the page says whether there is another one.
        let limit = i64::from(size) + 1;
        let mut projects = sql::projects(&reader, &page_token, limit).await?;
        let size = usize::try_from(size).unwrap_or_default();
        let more = projects.len() > size;
        projects.truncate(size);
        let last = projects.last().filter(|_| more);
        let next_page_token = last.map(|last| last.id.clone()).unwrap_or_default();
        Ok(ListProjectsResponse { projects, next_page_token })
    }
}

/// The service itself in another project, on behalf of who asks.
fn in_project(context: &Context, project: &str) -> Context {
    let subject = context.caller.subject().map(Into::into);
    let mut itself = context.as_service(NAME);
    itself.caller = Caller::service(NAME, project, subject);
    itself
}
