/** What the lists of journal entries have in common. */
import { printable } from "../tlog/malformed.ts";
import { wrapped } from "./width.ts";
import type { Settings } from "../monitor/settings.ts";
import {
  type About,
  cutNotice,
  nothingFound,
  refuseUnknownLog,
  select,
  type Selection,
} from "./selection.ts";
import { type Column, type Row, Table } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** How the entries of a journal are listed. */
export interface Listing<T> {
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly folder: string;
  readonly selection: Selection;
  /** The configuration of the monitor, if it was read. */
  readonly settings: Settings | undefined;
  /** What the entries are called, in the plural. */
  readonly what: string;
  readonly about: (entry: T) => About;
  readonly columns: readonly Column[];
  /** For a person at a terminal. */
  readonly row: (entry: T) => Row;
  /** For a pipe: one line, whole. */
  readonly line: (entry: T) => string;
  /** For a person at a terminal, below the table. */
  readonly hint?: string;
  /** With `--json`. */
  readonly jsonLine: (entry: T) => string;
}

/**
 * Lists entries of a journal: as a table on a terminal, else a line each.
 * @throws UsageError for a log that nobody knows; whatever `entries` throws
 */
export async function listEntries<T>(
  entries: AsyncIterable<T>,
  listing: Listing<T>,
): Promise<void> {
  const { terminal, json, folder, selection, settings, what, about } = listing;
  const isTable = !json && terminal.columns !== undefined;
  const table = isTable ? new Table(listing.columns, terminal) : undefined;
  const text = json ? listing.jsonLine : listing.line;
  const pass = (part: readonly T[]): void => {
    for (const line of table?.lines(part.map(listing.row)) ?? part.map(text)) terminal.out(line);
  };
  const found = await select(entries, { selection, about, pass });
  const configured = settings?.logs.map(({ log: { origin, vkey } }) => ({
    ...{ origin, vkey: vkey.text },
  }));
  refuseUnknownLog(found, { selection, configured, folder });
  const cut = cutNotice(found);
  if (cut !== undefined) terminal.err(cut);
  if (isTable && found.selected > 0 && listing.hint !== undefined) {
    const lines = wrapped(printable(listing.hint), { width: terminal.columns ?? Infinity });
    for (const line of lines) terminal.out(terminal.paint("dim", line));
  }
  if (found.selected === 0 && !json) terminal.out(nothingFound(found, { selection, what, folder }));
}

/** A time of RFC 3339 to the second, for a table. */
export function shortTime(at: string): string {
  return at.replace(/\.\d+Z$/, "Z");
}
