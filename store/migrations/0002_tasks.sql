-- Tasks by priority, and the schedules that start some of them.

-- 0 before 1 before 2: for somebody who waits, as usual, in bulk. Who knows no priorities writes as usual.
ALTER TABLE store_tasks ADD COLUMN priority BIGINT NOT NULL DEFAULT 1;
-- 1 while somebody has it; its lease may have ended since.
ALTER TABLE store_tasks ADD COLUMN held BIGINT NOT NULL DEFAULT 0;

-- What is due next of one kind and priority, however much else there is.
CREATE INDEX store_tasks_lanes ON store_tasks (kind, priority, due_time) WHERE dead = 0;
DROP INDEX store_tasks_due;
-- What waits for a person.
CREATE INDEX store_tasks_dead ON store_tasks (project, id) WHERE dead = 1;

-- What is done at certain times, by one replica each time.
CREATE TABLE store_schedules (
    name TEXT NOT NULL PRIMARY KEY,
    -- A cron expression with its time zone, or a period.
    plan TEXT NOT NULL,
    -- When it fires next. Whoever moves it starts the task of that firing, in the same transaction.
    due_time BIGINT NOT NULL
);
