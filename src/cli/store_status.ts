/**
 * `hearsay store status`: what is in the store, and who shares it.
 *
 * @module
 */
import { CURRENT_SCHEMA, expectSchema, schemaOf } from "../store/shared_schema.ts";
import { sitesOf } from "../store/shared_sites.ts";
import { type CaseNow, casesNow, leasesNow, tableRows, TABLES } from "../store/shared_tables.ts";
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

/** Most cases that are listed. */
const MAX_LISTED = 20;

/** Prints it. @throws StoreRefused, WorldError */
export async function storeStatus(tools: StoreTools): Promise<ExitCode> {
  const { db, world: { clock }, terminal, store, json } = tools;
  await expectSchema(db);
  const { version, minReader } = (await schemaOf(db))!;
  const [rows, leases, tables] = [await sitesOf(db), await leasesNow(db), await tableRows(db)];
  const cases = await casesNow(db);
  const now = clock.monotonic();
  const sites = rows.filter((row) => !("damaged" in row)) as SiteRow[];
  const known = cases.filter((row) => !("damaged" in row)) as CaseNow[];
  const damaged = [...rows, ...leases, ...cases].flatMap((row) =>
    "damaged" in row ? [row.damaged] : []
  );
  const seenAt = ({ seenAgoMs }: SiteRow): string => timeAt(clock, now - seenAgoMs);
  if (json) {
    const told = {
      ...{ url: store.url, schema: version, minReader, known: CURRENT_SCHEMA },
      sites: sites.map((site) => ({
        ...{ name: site.name, vkey: site.vkey, software: site.software, isAlive: site.alive },
        isStopped: site.stopped,
        ...{ seenAt: seenAt(site), held: site.leases, publishedSeq: site.published.seq },
      })),
      leases: leases.flatMap((lease) => "damaged" in lease ? [] : lease),
      ...{ cases: known, rows: tables, damaged },
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
        ...[site.name, site.alive ? "alive" : site.stopped ? "stopped" : "! away"],
        ...[`${span(seenAt(site), timeAt(clock, now))} ago`, `${site.leases}`],
        ...[`${site.published.seq}`, site.software],
      ],
    });
    for (const line of new Table(COLUMNS, terminal).lines(sites.map(of))) terminal.out(line);
  }
  for (const line of casesInWords(known)) terminal.out(printable(line));
  const sizes = TABLES.map((name) => `${name} ${tables[name] ?? "(too many to count)"}`);
  terminal.out(`rows: ${sizes.join(", ")}`);
  for (const text of damaged) terminal.err(printable(`a row is damaged, and left out: ${text}`));
  return EXIT.ok;
}

/** How many cases there are, and those that a site which should have recorded them has not. */
function casesInWords(cases: readonly CaseNow[]): string[] {
  const late = cases.filter(({ lacking }) => lacking > 0);
  const lines = late.slice(0, MAX_LISTED).map(({ evidenceId, sites, lacking }) =>
    `! case ${evidenceId}: recorded by ${counted(sites, "site")}, and not yet by ${lacking}`
  );
  if (cases.length === 0) return ["no case is recorded"];
  return [
    `${counted(cases.length, "case")} recorded, ` +
    (late.length === 0
      ? "each by every site that is alive and follows its log"
      : `${late.length} of them not by every site that is alive and follows its log:`),
    ...lines,
    ...(late.length > MAX_LISTED
      ? [`  and ${late.length - MAX_LISTED} more: --json has them`]
      : []),
  ];
}
