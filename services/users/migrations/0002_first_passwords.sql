-- Until when a one-time password is good; nothing once its owner has chosen one of their own.
ALTER TABLE credentials ADD COLUMN one_time_expire_time BIGINT;
