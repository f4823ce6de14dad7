// The tables of the namespace, as numbered migrations. Forward only: an older program refuses a newer database.
//
// inode     one row for each file and directory. The unique index `dentry` (parent_id, name) is the directory: BINARY collation of
//           UTF-8 text is the order of raw bytes, which is the order of every listing. Rows of directories use the t_* columns
//           (subtree totals), rows of files the file columns; the others are NULL (one byte each).
// block     blocks by id, since datanodes report in that order; `block_file` finds those of a file.
// edits     one row for each commit: the JSON of its edit records.
// counter   one row: next ids, last transaction, sums.
// principal owners and groups by number.
// extras    what few inodes have (ACL, extended attributes, ...) as JSON; `kinds` are the flags of the inode, which say so.
import type { Database } from 'better-sqlite3'
import { QuarryError } from '../../common/errors.ts'
import { damaged } from './sqlite-errors.ts'

const migrations: readonly string[] = [
  `
  CREATE TABLE principal (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE inode (
    id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, name TEXT NOT NULL, permission INTEGER NOT NULL,
    owner INTEGER NOT NULL, grp INTEGER NOT NULL, mtime INTEGER NOT NULL, atime INTEGER NOT NULL,
    replication INTEGER, block_size INTEGER, length INTEGER, storage_policy INTEGER, holder TEXT,
    children INTEGER, name_quota INTEGER, space_quota INTEGER, t_files INTEGER, t_directories INTEGER, t_bytes INTEGER, t_space INTEGER
  );
  CREATE UNIQUE INDEX dentry ON inode (parent_id, name);
  CREATE INDEX open_file ON inode (id) WHERE holder IS NOT NULL;
  CREATE TABLE block (
    block_id INTEGER PRIMARY KEY, file_id INTEGER NOT NULL, idx INTEGER NOT NULL, genstamp INTEGER NOT NULL,
    length INTEGER NOT NULL, state INTEGER NOT NULL
  );
  CREATE INDEX block_file ON block (file_id, idx);
  CREATE TABLE edits (first_txid INTEGER PRIMARY KEY, last_txid INTEGER NOT NULL, json TEXT NOT NULL);
  CREATE TABLE counter (
    one INTEGER PRIMARY KEY CHECK (one = 1), next_inode INTEGER NOT NULL, next_block INTEGER NOT NULL, next_genstamp INTEGER NOT NULL,
    last_txid INTEGER NOT NULL, files INTEGER NOT NULL, directories INTEGER NOT NULL, blocks INTEGER NOT NULL
  );
  INSERT INTO counter VALUES (1, 16385, 1073741825, 1001, 0, 0, 0, 0);
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  `,
  // The directory of trees that are deleted but not yet removed (graveyardInodeId), which the first programs did not make. As the
  // first edit would have made it, so that replaying the log gives the same record. The log has edits from here on that the programs
  // before do not know (skipIds).
  `
  INSERT INTO inode (id, parent_id, name, permission, owner, grp, mtime, atime, children, name_quota, space_quota, t_files, t_directories, t_bytes, t_space)
  SELECT 1, 0, 'deleted', 0, coalesce(p.id, r.owner), coalesce(g.id, r.grp), coalesce(json_extract(e.json, '$[0].atMs'), r.mtime), 0, 0, -1, -1, 0, 1, 0, 0
  FROM inode r LEFT JOIN edits e ON e.first_txid = 1
  LEFT JOIN principal p ON p.name = json_extract(e.json, '$[0].edit.owner')
  LEFT JOIN principal g ON g.name = json_extract(e.json, '$[0].edit.group')
  WHERE r.id = 16385 AND NOT EXISTS (SELECT 1 FROM inode WHERE id = 1);
  `,
  // ACLs, extended attributes, storage policies and type quotas (core/extras.ts). The index holds directories with a policy (4) or
  // a type quota (8) only: whether there are any is asked at each start.
  `
  ALTER TABLE inode ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE extras (inode_id INTEGER PRIMARY KEY, kinds INTEGER NOT NULL, json TEXT NOT NULL);
  CREATE INDEX extras_above ON extras (kinds) WHERE kinds >= 4;
  `,
]

export const schemaVersion = migrations.length

/** Brings a database to this program's schema; refuses one that a newer program has written. */
export function migrate(database: Database, path: string, upTo = schemaVersion): void {
  const found = database.pragma('user_version', { simple: true }) as number
  if (found > schemaVersion) {
    throw new QuarryError(
      'VERSION',
      `${path} has schema ${found}, this program knows ${schemaVersion} at most. Start the newer version of Quarry that wrote it.`,
      { found, known: schemaVersion },
    )
  }
  if (found < 0) throw damaged(`it says that its schema is ${found}`)
  for (let version = found; version < upTo; version++) {
    database.transaction(() => {
      database.exec(migrations[version]!)
      database.pragma(`user_version = ${version + 1}`)
    })()
  }
}
