package store

// All SQL of the SQLite store, migrations apart.
const (
	sqliteSchema = `SELECT coalesce(max(version_id), 0) FROM avap_migrations WHERE is_applied`

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

	sqliteMissing = `SELECT value FROM json_each(?) WHERE unhex(value) NOT IN (SELECT digest FROM avap_artifacts)`
)
