/**
 * `hearsay store status`: what is in the store, and who shares it.
 *
 * @module
 */
import { CURRENT_SCHEMA, expectSchema, schemaOf } from "../store/shared_schema.ts";
import { sitesOf } from "../store/shared_sites.ts";
import { leasesNow, tableRows, TABLES } from "../store/shared_tables.ts";
import type { SiteRow } from "../store/shared_types.ts";
import { printable, printableJson } from "../tlog/malformed.ts";
import { timeAt } from "../world/time.ts";
import { EXIT, type ExitCode } from "./command.ts";
import { counted } from "./repairs.ts";
import { span } from "./spans.ts";
import type { StoreTools } from "./store.ts";
import { type Column, type Row, Table } from "./table.ts";

const COLUMNS: readonly Column[] = [
  { title: "SITE", narrow: "cut" },
  { title: "STATE" },
  { title: "SEEN", align: "right" },
  { title: "TURNS", align: "right" },
  { title: "ENTRIES", align: "right" },
  { title: "SOFTWARE", narrow: "leave out" },
];

/** Prints it. @throws StoreRefused, WorldError */
export async function storeStatus(tools: StoreTools): Promise<ExitCode> {
  const { db, world: { clock }, terminal, store, json } = tools;
  await expectSchema(db);
  const { version, minReader } = (await schemaOf(db))!;
  const [rows, leases, tables] = [await sitesOf(db), await leasesNow(db), await tableRows(db)];
  const now = clock.monotonic();
  const sites = rows.filter((row) => !("damaged" in row)) as SiteRow[];
  const damaged = [...rows, ...leases].flatMap((row) => "damaged" in row ? [row.damaged] : []);
  const seenAt = ({ seenAgoMs }: SiteRow): string => timeAt(clock, now - seenAgoMs);
  if (json) {
    const told = {
      ...{ url: store.url, schema: version, minReader, known: CURRENT_SCHEMA },
      sites: sites.map((site) => ({
        ...{ name: site.name, vkey: site.vkey, software: site.software, isAlive: site.alive },
        ...{ seenAt: seenAt(site), held: site.leases, publishedSeq: site.published.seq },
      })),
      leases: leases.flatMap((lease) => "damaged" in lease ? [] : lease),
      ...{ rows: tables, damaged },
    };
    terminal.out(printableJson(JSON.stringify(told)));
    return EXIT.ok;
  }
  const alive = sites.filter((site) => site.alive).length;
  terminal.out(printable(`the store ${store.url}: schema ${version}`));
  terminal.out(`${counted(sites.length, "site")}, ${alive} alive; turns taken: ${leases.length}`);
  if (sites.length > 0) {
    const of = (site: SiteRow): Row => ({
      cells: [
        ...[site.name, site.alive ? "alive" : "! away"],
        ...[`${span(seenAt(site), timeAt(clock, now))} ago`, `${site.leases}`],
        ...[`${site.published.seq}`, site.software],
      ],
    });
    for (const line of new Table(COLUMNS, terminal).lines(sites.map(of))) terminal.out(line);
  }
  const sizes = TABLES.map((name) => `${name} ${tables[name] ?? "(too many to count)"}`);
  terminal.out(`rows: ${sizes.join(", ")}`);
  for (const text of damaged) terminal.err(printable(`a row is damaged, and left out: ${text}`));
  return EXIT.ok;
}
