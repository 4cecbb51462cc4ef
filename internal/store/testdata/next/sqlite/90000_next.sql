-- +goose Up
ALTER TABLE avap_state ADD COLUMN next_note TEXT;
ALTER TABLE avap_records ADD COLUMN next_at TEXT;
ALTER TABLE avap_records ADD COLUMN next_weight INTEGER NOT NULL DEFAULT 0;
ALTER TABLE avap_artifacts ADD COLUMN next_used INTEGER;
CREATE TABLE avap_next (id INTEGER PRIMARY KEY);

-- +goose Down
DROP TABLE avap_next;
