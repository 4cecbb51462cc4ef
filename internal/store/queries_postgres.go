package store

// All SQL of the PostgreSQL store, migrations apart.
const (
	postgresSchema = `SELECT compatible, (SELECT max(version_id) FROM avap_migrations WHERE is_applied) FROM avap_state`

	// A session acknowledges nothing that is not durable, and notices soon
	// that its client is gone, where the server knows how. When it began tells
	// it from another that gets its process number.
	postgresSession = `
		SELECT backend_start,
			(SELECT set_config(name, 'on', false) FROM pg_settings WHERE name = 'synchronous_commit' AND setting = 'off'),
			(SELECT set_config(name, '1000', false) FROM pg_settings WHERE name = 'client_connection_check_interval')
		FROM pg_stat_activity WHERE pid = pg_backend_pid()`

	postgresMigrationLock   = `SELECT pg_advisory_lock($1)`
	postgresMigrationUnlock = `SELECT pg_advisory_unlock($1)`

	// What a rebuilding leaves that is broken off in its turn is of no use.
	postgresBrokenIndexes = `
		SELECT CASE WHEN c.relname ~ '_ccnew[0-9]*$' THEN 'DROP INDEX CONCURRENTLY IF EXISTS ' ELSE 'REINDEX INDEX CONCURRENTLY ' END || c.oid::regclass
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
		WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace AND t.relname LIKE 'avap\_%'
		ORDER BY c.relname ~ '_ccnew[0-9]*$' DESC, c.relname`

	postgresSummary = `SELECT epoch, revision, records, digest FROM avap_state`

	// Writers wait for each other here, so that commits end in the order of
	// their revisions.
	postgresLock = `SELECT epoch, revision, records, digest FROM avap_state FOR UPDATE`

	postgresSetState = `UPDATE avap_state SET revision = $1, records = $2, digest = $3`

	// See sqliteChanges.
	postgresChanges = `
		SELECT s.epoch, s.revision, s.records, s.digest, r.kind, r.name, r.revision, r.deleted, r.document
		FROM avap_state s LEFT JOIN avap_records r ON r.revision > $1 AND r.revision <= coalesce(
			(SELECT revision FROM avap_records WHERE revision > $1 ORDER BY revision LIMIT 1 OFFSET $2 - 1), s.revision)
		ORDER BY r.revision, r.kind, r.name`

	postgresVersions = `
		SELECT r.kind, r.name, r.revision, r.deleted, r.hash
		FROM unnest($1::text[], $2::text[]) AS p (kind, name) JOIN avap_records r ON r.kind = p.kind AND r.name = p.name`

	// The documents come as one value, which travels as it is: a list of them
	// would be written as text while others wait for the lock.
	postgresPut = `
		INSERT INTO avap_records (kind, name, revision, deleted, hash, document)
		SELECT kind, name, $3, deleted, hash, substring($8::bytea FROM first FOR length)
		FROM unnest($1::text[], $2::text[], $4::bool[], $5::bytea[], $6::int[], $7::int[]) AS p (kind, name, deleted, hash, first, length)
		ON CONFLICT (kind, name) DO UPDATE SET revision = excluded.revision, deleted = excluded.deleted,
			hash = excluded.hash, document = excluded.document`

	postgresArtifact = `SELECT bytes FROM avap_artifacts WHERE digest = $1`

	// What is there already is written again only if it was damaged.
	postgresKeepArtifact = `
		INSERT INTO avap_artifacts (digest, bytes) VALUES ($1, $2)
		ON CONFLICT (digest) DO UPDATE SET bytes = excluded.bytes WHERE avap_artifacts.bytes <> excluded.bytes`

	postgresKeepKey = `INSERT INTO avap_commits (key, revision) VALUES ($1, $2)`

	postgresForgetKeys = `DELETE FROM avap_commits WHERE revision <= $1`

	postgresFindKey = `SELECT revision FROM avap_commits WHERE key = $1`

	// A session that waits for a client who has given it up holds the lock for
	// nothing.
	postgresEnd = `
		SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE pid = $1 AND backend_start = $2 AND usename = current_user AND wait_event_type = 'Client'`

	postgresLockTimeout = `SET LOCAL lock_timeout = '500ms'`

	postgresSweepLock = `SELECT pg_try_advisory_xact_lock($1::int, hashtext(current_schema())), coalesce((SELECT max(last) FROM avap_sweeps), 0)`

	postgresMarkGarbage = `
		INSERT INTO avap_garbage (digest, since)
		SELECT a.digest, $2 FROM avap_artifacts a WHERE NOT EXISTS (SELECT FROM unnest($1::bytea[]) AS n (digest) WHERE n.digest = a.digest)
		ON CONFLICT DO NOTHING`

	postgresUnmarkGarbage = `
		DELETE FROM avap_garbage g
		WHERE EXISTS (SELECT FROM unnest($1::bytea[]) AS n (digest) WHERE n.digest = g.digest)
			OR NOT EXISTS (SELECT FROM avap_artifacts a WHERE a.digest = g.digest)`

	// What is named is not among the garbage in this transaction.
	postgresOldGarbage = `
		SELECT a.digest, octet_length(a.bytes) FROM avap_artifacts a JOIN avap_garbage g USING (digest)
		WHERE g.since <= $1 ORDER BY a.digest LIMIT $2 FOR UPDATE OF a SKIP LOCKED`

	postgresForgetArtifacts = `DELETE FROM avap_artifacts WHERE digest = ANY ($1)`

	postgresForgetGarbage = `DELETE FROM avap_garbage WHERE digest = ANY ($1)`

	postgresAddSweep = `
		INSERT INTO avap_sweeps (revision, first, last) VALUES ($1, $2, $2)
		ON CONFLICT (revision) DO UPDATE SET last = greatest(avap_sweeps.last, excluded.last)`

	// The revision that the store had reached at a time, as far as is known.
	postgresOldSweep = `SELECT coalesce(max(revision), -1) FROM avap_sweeps WHERE first <= $1 AND revision <= $2`

	postgresForgetSweeps = `DELETE FROM avap_sweeps WHERE revision < $1 OR revision > $2`

	postgresBury = `
		DELETE FROM avap_records WHERE deleted AND revision <= $1
			AND (SELECT count(*) FROM avap_records WHERE deleted AND revision <= $1) >= $2
		RETURNING hash`

	postgresListen = `LISTEN avap_changes`

	postgresNotify = `SELECT pg_notify('avap_changes', '')`

	// A row is there to lock before there is a head.
	postgresAddChain = `INSERT INTO avap_chains (name, key, last, hash) VALUES ($1, $2, 0, $3) ON CONFLICT (name) DO NOTHING`

	postgresHead = `SELECT last, hash FROM avap_chains WHERE name = $1 FOR UPDATE`

	postgresSetHead = `UPDATE avap_chains SET last = $2, hash = $3 WHERE name = $1`

	// The records come as one value, as the documents of postgresPut.
	postgresAddBlocks = `
		INSERT INTO avap_blocks (chain, first, last, from_time, until_time, records)
		SELECT $1, first, last, from_time, until_time, substring($8::bytea FROM position FOR length)
		FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], $7::int[])
			AS b (first, last, from_time, until_time, position, length)`

	postgresAddMark = `
		INSERT INTO avap_marks (chain, sequence, kind, document) VALUES ($1, $2, $3, $4)
		ON CONFLICT (chain, kind, sequence) DO UPDATE SET document = excluded.document`

	postgresChains = `SELECT name, key, last, hash FROM avap_chains ORDER BY name`

	// See sqliteBlocks.
	postgresBlocks = `
		SELECT first, last, from_time, until_time, records FROM avap_blocks
		WHERE chain = $1 AND last > $2 AND first < $3 AND until_time >= $4 AND from_time <= $5 AND until_time <= coalesce(
			(SELECT until_time FROM avap_blocks WHERE chain = $1 AND until_time > $5 ORDER BY until_time LIMIT 1), $5)
		ORDER BY until_time, first LIMIT $6`

	postgresBlocksDescending = `
		SELECT first, last, from_time, until_time, records FROM avap_blocks
		WHERE chain = $1 AND last > $2 AND first < $3 AND until_time >= $4 AND from_time <= $5 AND until_time <= coalesce(
			(SELECT until_time FROM avap_blocks WHERE chain = $1 AND until_time > $5 ORDER BY until_time LIMIT 1), $5)
		ORDER BY until_time DESC, first DESC LIMIT $6`

	postgresMarks = `
		SELECT sequence, kind, document FROM avap_marks
		WHERE chain = $1 AND kind = $2 AND sequence > $3 AND sequence <= $4 ORDER BY sequence LIMIT $5`

	postgresMarksDescending = `
		SELECT sequence, kind, document FROM avap_marks
		WHERE chain = $1 AND kind = $2 AND sequence > $3 AND sequence <= $4 ORDER BY sequence DESC LIMIT $5`

	postgresCutBlocks = `
		DELETE FROM avap_blocks WHERE chain = $1 AND first IN
			(SELECT first FROM avap_blocks WHERE chain = $1 AND last <= $2 ORDER BY first LIMIT $3)`

	postgresCutMarks = `DELETE FROM avap_marks WHERE chain = $1 AND sequence < $2`
)
