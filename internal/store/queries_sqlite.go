package store

// All SQL of the SQLite store, migrations apart.
const (
	sqliteSchema = `SELECT coalesce(max(version_id), 0) FROM avap_migrations WHERE is_applied`

	sqliteAlone  = `PRAGMA journal_mode = DELETE`
	sqliteLogged = `PRAGMA journal_mode = WAL`

	sqliteHasSchema = `SELECT count(*) FROM sqlite_master WHERE name = 'avap_migrations'`

	sqliteCompatible = `SELECT compatible, origin, records FROM avap_state`

	sqliteSummary = `SELECT epoch, revision, records, digest FROM avap_state`

	sqliteOrigin = `SELECT origin FROM avap_state`

	sqliteSetState = `UPDATE avap_state SET epoch = ?, origin = ?, revision = ?, records = ?, digest = ?`

	// A page ends with the last record of the revision that the limit falls
	// into. The state comes with every row, so that both are of one moment.
	sqliteChanges = `
		SELECT s.epoch, s.revision, s.records, s.digest, r.kind, r.name, r.revision, r.deleted, r.document
		FROM avap_state s LEFT JOIN avap_records r ON r.revision > ?1 AND r.revision <= coalesce(
			(SELECT revision FROM avap_records WHERE revision > ?1 ORDER BY revision LIMIT 1 OFFSET ?2 - 1), s.revision)
		ORDER BY r.revision, r.kind, r.name`

	sqliteVersion = `SELECT revision, deleted, hash FROM avap_records WHERE kind = ? AND name = ?`

	sqlitePut = `
		INSERT INTO avap_records (kind, name, revision, deleted, hash, document) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (kind, name) DO UPDATE SET revision = excluded.revision, deleted = excluded.deleted,
			hash = excluded.hash, document = excluded.document`

	sqliteForget = `DELETE FROM avap_records`

	sqliteArtifact = `SELECT bytes FROM avap_artifacts WHERE digest = ?`

	// What is there already is written again only if it was damaged.
	sqliteKeepArtifact = `
		INSERT INTO avap_artifacts (digest, bytes) VALUES (?, ?)
		ON CONFLICT (digest) DO UPDATE SET bytes = excluded.bytes WHERE bytes <> excluded.bytes`

	sqliteLastSweep = `SELECT coalesce(max(last), 0) FROM avap_sweeps`

	sqliteMarkGarbage = `
		INSERT INTO avap_garbage (digest, since)
		SELECT digest, ?2 FROM avap_artifacts WHERE digest NOT IN (SELECT unhex(value) FROM json_each(?1))
		ON CONFLICT DO NOTHING`

	sqliteUnmarkGarbage = `
		DELETE FROM avap_garbage
		WHERE digest IN (SELECT unhex(value) FROM json_each(?1)) OR digest NOT IN (SELECT digest FROM avap_artifacts)`

	// What is named is not among the garbage in this transaction.
	sqliteOldGarbage = `SELECT digest, length(bytes) FROM avap_garbage JOIN avap_artifacts USING (digest) WHERE since <= ? ORDER BY digest`

	sqliteForgetArtifact = `DELETE FROM avap_artifacts WHERE digest = ?`

	sqliteForgetGarbage = `DELETE FROM avap_garbage WHERE digest = ?`

	sqliteAddSweep = `
		INSERT INTO avap_sweeps (revision, first, last) VALUES (?1, ?2, ?2)
		ON CONFLICT (revision) DO UPDATE SET last = max(last, excluded.last)`

	// The revision that the store had reached at a time, as far as is known.
	sqliteOldSweep = `SELECT coalesce(max(revision), -1) FROM avap_sweeps WHERE first <= ? AND revision <= ?`

	sqliteForgetSweeps = `DELETE FROM avap_sweeps WHERE revision < ? OR revision > ?`

	sqliteTombstones = `SELECT hash FROM avap_records WHERE deleted AND revision <= ?`

	sqliteBury = `DELETE FROM avap_records WHERE deleted AND revision <= ?`

	sqliteMissing = `SELECT value FROM json_each(?) WHERE unhex(value) NOT IN (SELECT digest FROM avap_artifacts)`

	// A journal, which has a file of its own.
	sqliteJournalCompatible = `SELECT compatible FROM avap_state`

	sqliteHead = `SELECT last, hash FROM avap_chains WHERE name = ?`

	sqliteSetHead = `
		INSERT INTO avap_chains (name, key, last, hash) VALUES (?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET last = excluded.last, hash = excluded.hash`

	sqliteAddBlock = `INSERT INTO avap_blocks (chain, first, last, from_time, until_time, records) VALUES (?, ?, ?, ?, ?, ?)`

	sqliteAddMark = `INSERT OR REPLACE INTO avap_marks (chain, sequence, kind, document) VALUES (?, ?, ?, ?)`

	sqliteChains = `SELECT name, key, last, hash FROM avap_chains ORDER BY name`

	// Times do not go back within a chain, so that their order is the other one. Of
	// the blocks that end behind a time only the first can begin before it; the index
	// has where they end, and no block behind that one is looked at.
	sqliteBlocks = `
		SELECT first, last, from_time, until_time, records FROM avap_blocks
		WHERE chain = ?1 AND last > ?2 AND first < ?3 AND until_time >= ?4 AND from_time <= ?5 AND until_time <= coalesce(
			(SELECT until_time FROM avap_blocks WHERE chain = ?1 AND until_time > ?5 ORDER BY until_time LIMIT 1), ?5)
		ORDER BY until_time, first LIMIT ?6`

	sqliteBlocksDescending = `
		SELECT first, last, from_time, until_time, records FROM avap_blocks
		WHERE chain = ?1 AND last > ?2 AND first < ?3 AND until_time >= ?4 AND from_time <= ?5 AND until_time <= coalesce(
			(SELECT until_time FROM avap_blocks WHERE chain = ?1 AND until_time > ?5 ORDER BY until_time LIMIT 1), ?5)
		ORDER BY until_time DESC, first DESC LIMIT ?6`

	sqliteMarks = `
		SELECT sequence, kind, document FROM avap_marks
		WHERE chain = ? AND kind = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?`

	sqliteMarksDescending = `
		SELECT sequence, kind, document FROM avap_marks
		WHERE chain = ? AND kind = ? AND sequence > ? AND sequence <= ? ORDER BY sequence DESC LIMIT ?`

	sqliteCutBlocks = `
		DELETE FROM avap_blocks WHERE chain = ?1 AND first IN
			(SELECT first FROM avap_blocks WHERE chain = ?1 AND last <= ?2 ORDER BY first LIMIT ?3)`

	sqliteCutMarks = `DELETE FROM avap_marks WHERE chain = ? AND sequence < ?`
)
