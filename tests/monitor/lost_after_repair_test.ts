/** A repair explains what it has set aside itself, and nothing that is lost before or after it. */
import { assertEquals, assertMatch } from "@std/assert";
import { repairableIncidents, repairableObservations } from "../../src/store/repairables.ts";
import { repairJournal } from "../../src/store/repairing.ts";
import { timeNow } from "../../src/world/time.ts";
import type { Signer } from "../../src/world/signer.ts";
import { checkpointOf, newSigner } from "../evidence/histories.ts";
import { type Duties, Host, HOUR, INCIDENTS, MINUTE, parted, STATE } from "./hosts.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";

const [ours, theirs] = await parted({ at: 6, sizes: [30, 30] });
const LACKS = {
  incidents: /incident journal .* lacks entries/,
  state: /observation .* lacks entries/,
};

/** The two journals of a monitor. */
const JOURNALS = [
  { name: "incidents", path: `${INCIDENTS}/journal.jsonl` },
  { name: "state", path: `${STATE}/observations-000001.jsonl` },
] as const;
type Journal = (typeof JOURNALS)[number];

/** A monitor that has written into both journals, and was stopped. */
async function ranOnce(): Promise<{ host: Host; duties: Duties }> {
  for (const size of [8, 12]) await noteOf(ours, size);
  const source = new ScriptedSource(ours, 8);
  const [host, duties] = [await Host.make(), { logs: [{ source }], gossipMs: HOUR }];
  await host.start(duties);
  for (const size of [7, 8]) await host.hear([(await checkpointOf(theirs, size)).frame]);
  source.size = 12;
  await host.pass(2 * MINUTE);
  await host.stop();
  assertEquals((await host.cases()).length, 2);
  return { host, duties };
}

function linesOf(host: Host, { path }: Journal): string[] {
  return host.disk.content(path)!.split("\n").slice(0, -1);
}

function put(host: Host, { path }: Journal, lines: readonly string[]): void {
  host.disk.put(path, lines.map((line) => `${line}\n`).join(""));
}

/** Damages the last of these lines. */
function damaged(lines: readonly string[]): string[] {
  return [...lines.slice(0, -1), lines.at(-1)!.replace('"hash":"', '"hash":"x')];
}

async function repair(host: Host, { name }: Journal, signer: Signer = host.signer): Promise<void> {
  const { files } = host.disk;
  const journal = name === "incidents"
    ? repairableIncidents({ files, folder: INCIDENTS })
    : repairableObservations({ files, folder: STATE });
  await repairJournal(journal, { signer, at: timeNow(host.clock) });
}

/** What a start says is lost. */
async function lostAtStart(host: Host, duties: Duties): Promise<string> {
  const daemon = await host.start(duties);
  const lost = (daemon.status().lost ?? []).join("\n");
  await host.stop();
  return lost;
}

for (const journal of JOURNALS) {
  const { name } = journal;

  Deno.test(`lost after a repair: of the ${name}, nothing is lost by a repair alone`, async () => {
    const { host, duties } = await ranOnce();
    await using _ = host;
    put(host, journal, damaged(linesOf(host, journal)));
    await repair(host, journal);
    for (let start = 1; start <= 2; start++) assertEquals(await lostAtStart(host, duties), "");
  });

  Deno.test(`lost after a repair: of the ${name}, what is cut later is told`, async () => {
    const { host, duties } = await ranOnce();
    await using _ = host;
    put(host, journal, damaged(linesOf(host, journal)));
    await repair(host, journal);
    const repaired = linesOf(host, journal);
    assertEquals(await lostAtStart(host, duties), "");
    const statement = repaired.findIndex((line) => line.includes('"repaired"'));
    put(host, journal, linesOf(host, journal).slice(0, statement + 1));
    assertMatch(await lostAtStart(host, duties), LACKS[name]);
  });

  Deno.test(`lost after a repair: of the ${name}, what was cut before it is told`, async () => {
    const { host, duties } = await ranOnce();
    await using _ = host;
    put(host, journal, damaged(linesOf(host, journal).slice(0, 1)));
    await repair(host, journal);
    assertMatch(await lostAtStart(host, duties), LACKS[name]);
  });

  Deno.test(`lost after a repair: of the ${name}, a repair by another key explains nothing`, async () => {
    const { host, duties } = await ranOnce();
    await using _ = host;
    put(host, journal, damaged(linesOf(host, journal)));
    await repair(host, journal, await newSigner());
    assertMatch(await lostAtStart(host, duties), LACKS[name]);
  });
}
