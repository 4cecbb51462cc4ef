-- +goose Up
SET LOCAL lock_timeout = '5s';
CREATE TABLE avap_garbage (
    digest bytea  PRIMARY KEY,
    since  bigint NOT NULL
);
CREATE TABLE avap_sweeps (
    revision bigint PRIMARY KEY,
    first    bigint NOT NULL,
    last     bigint NOT NULL
);

-- +goose Down
SET LOCAL lock_timeout = '5s';
DROP TABLE avap_sweeps;
DROP TABLE avap_garbage;
