-- +goose Up
SET LOCAL lock_timeout = '5s';
CREATE TABLE avap_state (
    id         integer PRIMARY KEY CHECK (id = 1),
    epoch      text    NOT NULL,
    revision   bigint  NOT NULL,
    records    bigint  NOT NULL,
    digest     bytea   NOT NULL,
    compatible bigint  NOT NULL
);
INSERT INTO avap_state VALUES (1, replace(gen_random_uuid()::text, '-', ''), 0, 0, decode(repeat('00', 32), 'hex'), 1);
CREATE TABLE avap_records (
    kind     text    COLLATE "C" NOT NULL,
    name     text    COLLATE "C" NOT NULL,
    revision bigint  NOT NULL,
    deleted  boolean NOT NULL,
    hash     bytea   NOT NULL,
    document bytea   NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE INDEX avap_records_revision ON avap_records (revision, kind, name);
CREATE TABLE avap_artifacts (
    digest bytea PRIMARY KEY,
    bytes  bytea NOT NULL
);
-- Modules are fetched whole, and soon: compressing them costs more than it saves.
ALTER TABLE avap_artifacts ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TABLE avap_commits (
    key      bytea  PRIMARY KEY,
    revision bigint NOT NULL
);

-- +goose Down
SET LOCAL lock_timeout = '5s';
DROP TABLE avap_commits;
DROP TABLE avap_artifacts;
DROP TABLE avap_records;
DROP TABLE avap_state;
