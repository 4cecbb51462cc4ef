-- +goose Up
CREATE TABLE avap_state (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    epoch      TEXT    NOT NULL,
    origin     TEXT    NOT NULL CHECK (origin IN ('none', 'own', 'copy')),
    revision   INTEGER NOT NULL,
    records    INTEGER NOT NULL,
    digest     BLOB    NOT NULL,
    compatible INTEGER NOT NULL
);
INSERT INTO avap_state VALUES (1, lower(hex(randomblob(16))), 'none', 0, 0, zeroblob(32), 1);
CREATE TABLE avap_records (
    kind     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    deleted  INTEGER NOT NULL,
    hash     BLOB    NOT NULL,
    document BLOB    NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE INDEX avap_records_revision ON avap_records (revision, kind, name);
CREATE TABLE avap_artifacts (
    digest BLOB NOT NULL PRIMARY KEY,
    bytes  BLOB NOT NULL
);

-- +goose Down
DROP TABLE avap_artifacts;
DROP TABLE avap_records;
DROP TABLE avap_state;
