//! What services have still to do, told and decided upon from whichever process is asked.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use contract::mesh::v1::tasks_service_client::TasksServiceClient;
use contract::mesh::v1::tasks_service_server::TasksService;
use contract::mesh::v1::{
    DiscardTaskRequest, GetTaskRequest, ListTasksRequest, ListTasksResponse, RetryTaskRequest,
    RetryTasksRequest, RetryTasksResponse, Task,
};
use tonic::{Request, Response, Status};

use crate::audit::Elsewhere;
use crate::channel::Outgoing;
use crate::context::{Context, HasContext};
use crate::failure::Refusal;

/// What a service has still to do, in the caller's project.
#[async_trait]
pub trait Tasks: Send + Sync + 'static {
    /// Those that are asked for, oldest first.
    async fn list(
        &self,
        context: &Context,
        asked: &ListTasksRequest,
    ) -> Result<ListTasksResponse, Status>;

    /// One, with its payload.
    async fn get(&self, context: &Context, asked: &GetTaskRequest) -> Result<Task, Status>;

    /// Tries one again that was given up.
    async fn retry(&self, context: &Context, asked: &RetryTaskRequest) -> Result<Task, Status>;

    /// Tries all of a kind again that were given up.
    async fn retry_all(
        &self,
        context: &Context,
        asked: &RetryTasksRequest,
    ) -> Result<RetryTasksResponse, Status>;

    /// Removes one that was given up.
    async fn discard(&self, context: &Context, asked: &DiscardTaskRequest) -> Result<Task, Status>;
}

/// What the services of one process have to do, by the name of the service.
pub(crate) type TasksHere = HashMap<&'static str, Arc<dyn Tasks>>;

/// Answers for the services of this process, and asks the others.
#[derive(Clone)]
pub(crate) struct Operators {
    pub(crate) here: Arc<OnceLock<TasksHere>>,
    pub(crate) elsewhere: Elsewhere,
}

/// Who knows the tasks of a service.
enum Known {
    Here(Arc<dyn Tasks>),
    Elsewhere(Box<TasksServiceClient<Outgoing>>),
}

impl Operators {
    fn of<M>(&self, service: &str, request: &Request<M>) -> Result<Known, Status> {
        if let Some(tasks) = self.here.get().and_then(|here| here.get(service)) {
            return Ok(Known::Here(Arc::clone(tasks)));
        }
        let peer = (self.elsewhere)(service);
        let peer = peer.ok_or_else(|| Refusal::UnknownService(service.to_owned()))?;
        Ok(Known::Elsewhere(Box::new(TasksServiceClient::new(peer.of(request)))))
    }
}

#[async_trait]
impl TasksService for Operators {
    async fn list_tasks(
        &self,
        request: Request<ListTasksRequest>,
    ) -> Result<Response<ListTasksResponse>, Status> {
        match self.of(&request.get_ref().service, &request)? {
            Known::Here(tasks) => {
                Ok(Response::new(tasks.list(request.context(), request.get_ref()).await?))
            }
            Known::Elsewhere(mut client) => client.list_tasks(request.into_inner()).await,
        }
    }

    async fn get_task(&self, request: Request<GetTaskRequest>) -> Result<Response<Task>, Status> {
        match self.of(&request.get_ref().service, &request)? {
            Known::Here(tasks) => {
                Ok(Response::new(tasks.get(request.context(), request.get_ref()).await?))
            }
            Known::Elsewhere(mut client) => client.get_task(request.into_inner()).await,
        }
    }

    async fn retry_task(
        &self,
        request: Request<RetryTaskRequest>,
    ) -> Result<Response<Task>, Status> {
        match self.of(&request.get_ref().service, &request)? {
            Known::Here(tasks) => {
                Ok(Response::new(tasks.retry(request.context(), request.get_ref()).await?))
            }
            Known::Elsewhere(mut client) => client.retry_task(request.into_inner()).await,
        }
    }

    async fn retry_tasks(
        &self,
        request: Request<RetryTasksRequest>,
    ) -> Result<Response<RetryTasksResponse>, Status> {
        match self.of(&request.get_ref().service, &request)? {
            Known::Here(tasks) => {
                Ok(Response::new(tasks.retry_all(request.context(), request.get_ref()).await?))
            }
            Known::Elsewhere(mut client) => client.retry_tasks(request.into_inner()).await,
        }
    }

    async fn discard_task(
        &self,
        request: Request<DiscardTaskRequest>,
    ) -> Result<Response<Task>, Status> {
        match self.of(&request.get_ref().service, &request)? {
            Known::Here(tasks) => {
                Ok(Response::new(tasks.discard(request.context(), request.get_ref()).await?))
            }
            Known::Elsewhere(mut client) => client.discard_task(request.into_inner()).await,
        }
    }
}
