-- +goose Up
CREATE TABLE avap_garbage (
    digest BLOB    NOT NULL PRIMARY KEY,
    since  INTEGER NOT NULL
);
CREATE TABLE avap_sweeps (
    revision INTEGER PRIMARY KEY,
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL
);

-- +goose Down
DROP TABLE avap_sweeps;
DROP TABLE avap_garbage;
