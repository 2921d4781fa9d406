/** A log that is served to a daemon, and what the daemon then wrote and told. */
import type { Observation } from "../../src/store/observation.ts";
import { ObservationJournal } from "../../src/store/observations.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { Host, logAt, STATE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

/** A log of this many entries, and what serves it. */
export async function served(entries: number, shown = entries) {
  const log = grow(await logAt(), entries);
  return { log, source: new ScriptedSource(log, shown) };
}

/** The results in a journal, in order, summaries marked by how often. */
export async function resultsOf(host: Host): Promise<string[]> {
  return (await host.observations()).map(({ observation: { result, repeats } }) =>
    repeats === undefined ? result : `${result} ×${repeats}`
  );
}

/**
 * What a host told, in order: how loud, under which name, of which size. What it tells several times
 * in a row stands here once, and the upkeep of its journals, once an hour, not at all.
 */
export function accountOf(host: Host): string[] {
  const lines = host.told.filter(({ name }) => name !== "daemon.upkeep")
    .map(({ level, name, fields: { size } }) =>
      `${level} ${name}${size === undefined ? "" : ` ${size}`}`
    );
  return lines.filter((line, i) => line !== lines[i - 1]);
}

/** Makes it as if peers had told these checkpoints before. */
export async function hearBefore(
  host: Host,
  log: TestLog,
  sizes: readonly number[],
  source = "192.0.2.7",
): Promise<void> {
  const observations = await ObservationJournal.open({ world: host.world, folder: STATE });
  for (const size of sizes) {
    const { root, note } = await checkpointOf(log, size);
    const heard: Observation = {
      log: { origin: log.log.origin, vkey: log.log.vkey.text },
      ...{ via: "exchange", source, result: "pending" },
      checkpoint: { size: `${size}`, root, note },
    };
    await observations.observe(heard, host.clock.now().toISOString());
  }
  await observations.close();
}
