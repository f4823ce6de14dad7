import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { migrate, schemaVersion } from './schema.ts'

const tables = (database: Database.Database): unknown[] => database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all()

describe('migrations', () => {
  it('reach the same schema from every older version', () => {
    const fresh = new Database(':memory:')
    migrate(fresh, 'fresh')
    for (let version = 0; version <= schemaVersion; version++) {
      const old = new Database(':memory:')
      migrate(old, 'old', version)
      expect(old.pragma('user_version', { simple: true })).toBe(version)
      migrate(old, 'old')
      expect(old.pragma('user_version', { simple: true })).toBe(schemaVersion)
      expect(tables(old)).toEqual(tables(fresh))
    }
  })
})
