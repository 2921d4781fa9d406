/**
 * SQL of many rows, which PostgreSQL and SQLite both take.
 *
 * @module
 */
import type { SqlValue } from "../world/world.ts";

/** The SQL of rows of parameters, numbered on from `from`. */
export function placeholders(
  rows: readonly (readonly SqlValue[])[],
  spell: (parameters: readonly string[]) => string,
  from = 1,
): string {
  let next = from;
  return rows.map((row) => spell(row.map(() => `$${next++}`))).join(", ");
}
