-- +goose Up
SET LOCAL lock_timeout = '5s';
ALTER TABLE avap_state ADD COLUMN next_note text;
ALTER TABLE avap_records ADD COLUMN next_at timestamptz, ADD COLUMN next_weight bigint NOT NULL DEFAULT 0;
ALTER TABLE avap_artifacts ADD COLUMN next_used bigint;
ALTER TABLE avap_commits ADD COLUMN next_by text;
CREATE TABLE avap_next (id bigint PRIMARY KEY);

-- +goose Down
SET LOCAL lock_timeout = '5s';
DROP TABLE avap_next;
