//! A service that consumes an event and says when its effect is kept.

use anyhow::Result;
use contract::mesh::v1::Event;
use mesh::{CancellationToken, Context, Mesh, Service, Status, Subscriptions, async_trait};
use mesh_redis::Redis;
use prost::Message;
use store::{Database, Migration, Tx};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::task::TaskTracker;

use crate::own;

pub(crate) const NAME: &str = "listener";
const MIGRATIONS: &[Migration] = &[Migration::new(
    "0001_effects",
    "CREATE TABLE effects (project TEXT NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (project, number))",
)];

/// The number-th thing that happens.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Happened {
    #[prost(int64, tag = "1")]
    pub(crate) number: i64,
}

impl prost::Name for Happened {
    const NAME: &'static str = "Happened";
    const PACKAGE: &'static str = "bench.v1";
}

/// Who consumes it.
pub(crate) fn subscriptions() -> Subscriptions {
    [(<Happened as prost::Name>::full_name(), vec![NAME])].into()
}

/// The service; the number of each event is told once its effect is committed.
pub(crate) async fn service(
    database: Database,
    mesh: &Mesh,
    told: UnboundedSender<i64>,
) -> Result<Service> {
    let store = own::store(NAME, database, MIGRATIONS, mesh, mesh.bus()).await?;
    let consumer = store.consumer().on(|tx, _, event: Happened| note(tx, event.number));
    let runner = store.runner();
    Ok(Service::new(NAME).consume(Telling { consumer, told }).work(|stop| runner.run(stop)))
}

async fn note(mut tx: Tx, number: i64) -> Result<Tx, Status> {
    let sql = "INSERT INTO effects (project, number) VALUES ($1, $2)";
    tx.query(sql).bind(number).execute().await?;
    Ok(tx)
}

/// A consumer as every service has it, and what is told behind it.
struct Telling {
    consumer: store::Consumer,
    told: UnboundedSender<i64>,
}

#[async_trait]
impl mesh::Consumer for Telling {
    fn types(&self) -> Vec<&'static str> {
        self.consumer.types()
    }

    async fn consume(&self, context: &Context, event: &Event) -> Result<(), Status> {
        self.consumer.consume(context, event).await?;
        if let Ok(Happened { number }) = Happened::decode(event.data.as_slice()) {
            // Whoever measures may have gone.
            let _ = self.told.send(number);
        }
        Ok(())
    }
}

/// Consumes from Redis, and sends the number of each effect to the first that connects, until it is ended.
pub(crate) async fn serve(listener: TcpListener, database: &str, redis: &str) -> Result<()> {
    let (mesh, stop) = (own::mesh(subscriptions())?, CancellationToken::new());
    let (told, mut heard) = unbounded_channel();
    let database = Database::postgres(database, store::DEFAULT_CONNECTIONS);
    mesh.run(vec![service(database, &mesh, told).await?], &stop, &TaskTracker::new())?;
    tokio::spawn(mesh_redis::consume(Redis::open(redis)?, mesh.intake(), stop));
    let (mut connection, _) = listener.accept().await?;
    connection.set_nodelay(true)?;
    while let Some(number) = heard.recv().await {
        connection.write_i64(number).await?;
    }
    Ok(())
}
