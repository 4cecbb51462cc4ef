-- +goose Up
CREATE TABLE avap_state (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    compatible INTEGER NOT NULL
);
INSERT INTO avap_state VALUES (1, 1);
CREATE TABLE avap_chains (
    name TEXT    NOT NULL PRIMARY KEY,
    key  BLOB    NOT NULL,
    last INTEGER NOT NULL,
    hash BLOB    NOT NULL
);
CREATE TABLE avap_blocks (
    chain      TEXT    NOT NULL,
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    from_time  INTEGER NOT NULL,
    until_time INTEGER NOT NULL,
    records    BLOB    NOT NULL,
    PRIMARY KEY (chain, first)
);
CREATE INDEX avap_blocks_time ON avap_blocks (chain, until_time, first);
CREATE TABLE avap_marks (
    chain    TEXT    NOT NULL,
    sequence INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    document BLOB    NOT NULL,
    PRIMARY KEY (chain, kind, sequence)
);

-- +goose Down
DROP TABLE avap_marks;
DROP TABLE avap_blocks;
DROP TABLE avap_chains;
DROP TABLE avap_state;
