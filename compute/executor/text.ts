// Texts and names of SQL, quoted as DuckDB reads them. Apart from engine.ts, so that nobody loads DuckDB for them.

export const sqlText = (text: string): string => `'${text.replaceAll("'", "''")}'`

export const sqlName = (name: string): string => `"${name.replaceAll('"', '""')}"`
