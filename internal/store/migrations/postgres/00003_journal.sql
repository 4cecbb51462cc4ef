-- +goose Up
SET LOCAL lock_timeout = '5s';
CREATE TABLE avap_chains (
    name text   COLLATE "C" PRIMARY KEY,
    key  bytea  NOT NULL,
    last bigint NOT NULL,
    hash bytea  NOT NULL
);
CREATE TABLE avap_blocks (
    chain      text   COLLATE "C" NOT NULL,
    first      bigint NOT NULL,
    last       bigint NOT NULL,
    from_time  bigint NOT NULL,
    until_time bigint NOT NULL,
    records    bytea  NOT NULL,
    PRIMARY KEY (chain, first)
);
CREATE INDEX avap_blocks_time ON avap_blocks (chain, until_time, first);
CREATE TABLE avap_marks (
    chain    text   COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    kind     text   COLLATE "C" NOT NULL,
    document bytea  NOT NULL,
    PRIMARY KEY (chain, kind, sequence)
);

-- +goose Down
SET LOCAL lock_timeout = '5s';
DROP TABLE avap_marks;
DROP TABLE avap_blocks;
DROP TABLE avap_chains;
