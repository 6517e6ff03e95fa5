//! The SQL of users that resources do not give.
//!
//! Statements of one project compare it with `$1`. Four kinds reach over all projects, by design:
//! signing keys have no project, ended sessions are told to processes that serve them all, sweeps
//! remove what has expired anywhere, and who manages the mesh sees its projects.

use contract::Resource;
use store::{Error, Reader, Row, Tx};
use tradewind::users::v1::{Key, Project};

use crate::login_failures::Count;
use crate::password::NewPassword;

/// The generation of the first signing key.
pub(crate) const FIRST_GENERATION: i64 = 1;

/// What is kept of an account's password.
#[derive(Debug)]
pub(crate) struct Credential {
    /// Whose it is.
    pub(crate) user_id: String,
    /// Argon2id in PHC form.
    pub(crate) hash: String,
    /// Until when it is good, where it is a one-time password.
    pub(crate) one_time_until: Option<i64>,
}

/// Who has an address, and what is kept of their password.
pub(crate) async fn credential(reader: &Reader, email: &str) -> Result<Option<Credential>, Error> {
    let row = reader
        .query(
            "SELECT credentials.user_id AS user_id, credentials.password_hash AS password_hash, \
             credentials.one_time_expire_time AS one_time_expire_time \
             FROM users JOIN credentials ON credentials.project = users.project \
             AND credentials.user_id = users.id \
             WHERE users.project = $1 AND users.email = $2",
        )
        .bind(email)
        .fetch_optional()
        .await?;
    row.map(|row| {
        Ok(Credential {
            user_id: row.get("user_id")?,
            hash: row.get("password_hash")?,
            one_time_until: row.get("one_time_expire_time")?,
        })
    })
    .transpose()
}

/// Keeps what is kept of a new account's password.
pub(crate) async fn keep_password(
    tx: &mut Tx,
    user_id: &str,
    password: &NewPassword,
    now: i64,
) -> Result<(), Error> {
    tx.query(
        "INSERT INTO credentials \
         (project, user_id, password_hash, one_time_expire_time, update_time) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(user_id)
    .bind(password.hash.as_str())
    .bind(password.one_time_until)
    .bind(now)
    .execute()
    .await
    .map(|_| ())
}

/// Puts a password in the place of another one, unless that one has changed; whether it did.
pub(crate) async fn change_password(
    tx: &mut Tx,
    user_id: &str,
    was: &str,
    shall: &NewPassword,
    now: i64,
) -> Result<bool, Error> {
    let changed = tx
        .query(
            "UPDATE credentials \
             SET password_hash = $4, one_time_expire_time = $5, update_time = $6 \
             WHERE project = $1 AND user_id = $2 AND password_hash = $3",
        )
        .bind(user_id)
        .bind(was)
        .bind(shall.hash.as_str())
        .bind(shall.one_time_until)
        .bind(now)
        .execute()
        .await?;
    Ok(changed == 1)
}

/// Puts a one-time password in the place of one that was not used; whether there was such a one.
pub(crate) async fn renew_one_time(
    tx: &mut Tx,
    user_id: &str,
    shall: &NewPassword,
    now: i64,
) -> Result<bool, Error> {
    let renewed = tx
        .query(
            "UPDATE credentials \
             SET password_hash = $3, one_time_expire_time = $4, update_time = $5 \
             WHERE project = $1 AND user_id = $2 AND one_time_expire_time IS NOT NULL",
        )
        .bind(user_id)
        .bind(shall.hash.as_str())
        .bind(shall.one_time_until)
        .bind(now)
        .execute()
        .await?;
    Ok(renewed == 1)
}

/// The failures of a subject, held against other writers even when there were none.
pub(crate) async fn lock_failures(tx: &mut Tx, subject: &str) -> Result<Count, Error> {
    // A write that changes nothing: a SELECT cannot hold a row that is not there yet.
    let row = tx
        .query(
            "INSERT INTO login_failures (project, subject, failures, blocked_time, forget_time) \
             VALUES ($1, $2, 0, 0, 0) \
             ON CONFLICT (project, subject) DO UPDATE SET failures = login_failures.failures \
             RETURNING failures, blocked_time, forget_time",
        )
        .bind(subject)
        .fetch_one()
        .await?;
    count(&row)
}

/// The failures of a subject.
pub(crate) async fn failures(tx: &mut Tx, subject: &str) -> Result<Count, Error> {
    let row = tx
        .query(
            "SELECT failures, blocked_time, forget_time FROM login_failures \
             WHERE project = $1 AND subject = $2",
        )
        .bind(subject)
        .fetch_optional()
        .await?;
    row.as_ref().map_or(Ok(Count::default()), count)
}

/// Writes the failures of a subject whose row is held.
pub(crate) async fn write_failures(tx: &mut Tx, subject: &str, count: Count) -> Result<(), Error> {
    tx.query(
        "UPDATE login_failures SET failures = $3, blocked_time = $4, forget_time = $5 \
         WHERE project = $1 AND subject = $2",
    )
    .bind(subject)
    .bind(count.failures)
    .bind(count.blocked_time)
    .bind(count.forget_time)
    .execute()
    .await
    .map(|_| ())
}

/// Forgets the failures of a subject.
pub(crate) async fn forget_failures(tx: &mut Tx, subject: &str) -> Result<(), Error> {
    tx.query("DELETE FROM login_failures WHERE project = $1 AND subject = $2")
        .bind(subject)
        .execute()
        .await
        .map(|_| ())
}

fn count(row: &Row) -> Result<Count, Error> {
    Ok(Count {
        failures: row.get("failures")?,
        blocked_time: row.get("blocked_time")?,
        forget_time: row.get("forget_time")?,
    })
}

/// Keeps the newest refresh token of a session.
pub(crate) async fn keep_refresh_token(
    tx: &mut Tx,
    hash: Vec<u8>,
    session_id: &str,
    now: i64,
) -> Result<(), Error> {
    tx.query(
        "INSERT INTO refresh_tokens (project, hash, session_id, create_time) \
         VALUES ($1, $2, $3, $4)",
    )
    .bind(hash)
    .bind(session_id)
    .bind(now)
    .execute()
    .await
    .map(|_| ())
}

/// Spends a refresh token: the session that it belongs to, for one caller only.
pub(crate) async fn spend_refresh_token(
    tx: &mut Tx,
    hash: &[u8],
    now: i64,
) -> Result<Option<String>, Error> {
    let row = tx
        .query(
            "UPDATE refresh_tokens SET spent_time = $3 \
             WHERE project = $1 AND hash = $2 AND spent_time IS NULL RETURNING session_id",
        )
        .bind(hash)
        .bind(now)
        .fetch_optional()
        .await?;
    row.map(|row| row.get("session_id")).transpose()
}

/// The session that a refresh token belongs to, whether it is spent or not.
pub(crate) async fn session_of_refresh_token(
    tx: &mut Tx,
    hash: &[u8],
) -> Result<Option<String>, Error> {
    let row = tx
        .query("SELECT session_id FROM refresh_tokens WHERE project = $1 AND hash = $2")
        .bind(hash)
        .fetch_optional()
        .await?;
    row.map(|row| row.get("session_id")).transpose()
}

/// Ends every session of a user or guest; their ids.
pub(crate) async fn end_sessions(
    tx: &mut Tx,
    user_id: &str,
    etag: &str,
    now: i64,
) -> Result<Vec<String>, Error> {
    // One statement, however many there are; what makes them end is in the audit log.
    let rows = tx
        .query(
            "UPDATE sessions SET end_time = $3, update_time = $3, etag = $4 \
             WHERE project = $1 AND user_id = $2 AND end_time IS NULL RETURNING id",
        )
        .bind(user_id)
        .bind(now)
        .bind(etag)
        .fetch_all()
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// The sessions of all projects that ended after a time.
pub(crate) async fn ended_sessions(reader: &Reader, after: i64) -> Result<Vec<String>, Error> {
    let rows = reader
        .unscoped("SELECT id FROM sessions WHERE end_time > $1 ORDER BY id")
        .bind(after)
        .fetch_all()
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// The projects of the mesh whose ids come after one, by id.
pub(crate) async fn projects(
    reader: &Reader,
    after: &str,
    limit: i64,
) -> Result<Vec<Project>, Error> {
    let columns: Vec<_> = Project::COLUMNS.iter().map(|column| column.name).collect();
    let sql =
        format!("SELECT {} FROM projects WHERE id > $1 ORDER BY id LIMIT $2", columns.join(", "));
    let rows = reader.unscoped(sql).bind(after).bind(limit).fetch_all().await?;
    rows.iter().map(Row::resource).collect()
}

/// A signing key as it is kept.
#[derive(Debug)]
pub(crate) struct KeptKey {
    /// What tokens name it by.
    pub(crate) kid: String,
    /// PKCS#8 DER.
    pub(crate) der: Vec<u8>,
    /// When it signs no more.
    pub(crate) retire_time: i64,
}

/// The oldest key that has not retired: the one that signs.
pub(crate) async fn signing_key(reader: &Reader, now: i64) -> Result<Option<KeptKey>, Error> {
    let row = reader
        .unscoped(
            "SELECT kid, der, retire_time FROM signing_keys \
             WHERE retire_time > $1 ORDER BY generation LIMIT 1",
        )
        .bind(now)
        .fetch_optional()
        .await?;
    row.map(|row| {
        Ok(KeptKey {
            kid: row.get("kid")?,
            der: row.get("der")?,
            retire_time: row.get("retire_time")?,
        })
    })
    .transpose()
}

/// The generation and the retirement of the newest key.
pub(crate) async fn newest_key(reader: &Reader) -> Result<Option<(i64, i64)>, Error> {
    let row = reader
        .unscoped(
            "SELECT generation, retire_time FROM signing_keys \
             WHERE generation >= $1 ORDER BY generation DESC LIMIT 1",
        )
        .bind(FIRST_GENERATION)
        .fetch_optional()
        .await?;
    row.map(|row| Ok((row.get("generation")?, row.get("retire_time")?))).transpose()
}

/// Keeps a key, unless another replica was first to make its generation; whether it is kept.
pub(crate) async fn keep_key(
    tx: &mut Tx,
    generation: i64,
    key: &KeptKey,
    public: &str,
    now: i64,
) -> Result<bool, Error> {
    let kept = tx
        .unscoped(
            "INSERT INTO signing_keys (generation, kid, der, x, retire_time, create_time) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(generation)
        .bind(&key.kid)
        .bind(key.der.as_slice())
        .bind(public)
        .bind(key.retire_time)
        .bind(now)
        .execute()
        .await?;
    Ok(kept == 1)
}

/// The public halves of keys that retired after a time or have not yet, the oldest first.
pub(crate) async fn public_keys(reader: &Reader, after: i64) -> Result<Vec<Key>, Error> {
    let rows = reader
        .unscoped("SELECT kid, x FROM signing_keys WHERE retire_time > $1 ORDER BY generation")
        .bind(after)
        .fetch_all()
        .await?;
    rows.iter().map(|row| Ok(Key { kid: row.get("kid")?, x: row.get("x")? })).collect()
}

/// When what is kept no longer matters, in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Refresh tokens that were made before can no longer be used, by thieves neither.
    pub(crate) refresh_tokens: i64,
    /// Sessions that expired before have no good access token.
    pub(crate) sessions: i64,
    /// Keys that retired before have signed no token that is still good.
    pub(crate) keys: i64,
    /// Counts of failures are forgotten.
    pub(crate) failures: i64,
}

/// Removes what no longer matters, in all projects, so many rows of each table; how many it were.
pub(crate) async fn sweep(tx: &mut Tx, limits: Limits, most: i64) -> Result<u64, Error> {
    let mut removed = 0;
    for (sql, before) in [
        (
            "DELETE FROM refresh_tokens WHERE (project, hash) IN (SELECT project, hash \
             FROM refresh_tokens WHERE create_time <= $1 ORDER BY create_time LIMIT $2)",
            limits.refresh_tokens,
        ),
        (
            "DELETE FROM sessions WHERE (project, id) IN (SELECT project, id FROM sessions \
             WHERE expire_time <= $1 ORDER BY expire_time LIMIT $2)",
            limits.sessions,
        ),
        (
            "DELETE FROM signing_keys WHERE generation IN (SELECT generation FROM signing_keys \
             WHERE retire_time <= $1 ORDER BY retire_time LIMIT $2)",
            limits.keys,
        ),
        (
            "DELETE FROM login_failures WHERE (project, subject) IN (SELECT project, subject \
             FROM login_failures WHERE forget_time <= $1 ORDER BY forget_time LIMIT $2)",
            limits.failures,
        ),
    ] {
        removed += tx.unscoped(sql).bind(before).bind(most).execute().await?;
    }
    Ok(removed)
}
