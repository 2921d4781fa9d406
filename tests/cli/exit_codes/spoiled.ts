/** Journals and records that are not as they were written. */
import { canonicalBody, entryHash, lineOf, parseEntry } from "../../../src/evidence/entry.ts";
import { run } from "../harness.ts";
import {
  each,
  INCIDENTS,
  OBSERVATIONS,
  reading,
  RECORDS,
  records,
  RUNS,
  runs,
  type Trouble,
} from "./groups.ts";
import { caseJournal, monitor, observed } from "./stage.ts";

/** A journal whose first line somebody has changed, for every command that reads one. */
export function journals(change: (line: string) => string): Trouble {
  const spoil = (path: string): void => {
    const [first, ...others] = Deno.readTextFileSync(path).split("\n");
    Deno.writeTextFileSync(path, [change(first!), ...others].join("\n"));
  };
  return {
    ...each(INCIDENTS, (name) => async (stage) => {
      const incidents = await caseJournal(stage);
      spoil(`${incidents}/journal.jsonl`);
      return { args: [...reading(name), "--incidents", incidents] };
    }),
    ...each(RECORDS, (name) => async (stage) => {
      const incidents = await caseJournal(stage);
      spoil(`${incidents}/journal.jsonl`);
      return await records(stage, name, incidents);
    }),
    ...each(OBSERVATIONS, (name) => async (stage) => {
      const state = await observed(stage);
      spoil(`${state}/observations-000001.jsonl`);
      return { args: [...reading(name), "--state", state] };
    }),
    ...each(RUNS, (name) => async (stage) => {
      const { config, state } = await monitor(stage);
      await run("run", "--once", "--config", config);
      spoil(`${state}/observations-000001.jsonl`);
      return runs(name, config);
    }),
  };
}

/** An entry of a chain that is whole, with another record in it. */
export function withRecord(line: string, change: (record: string) => string): string {
  const entry = parseEntry(line);
  const record = JSON.parse(change(JSON.stringify(entry.record)));
  const changed = { ...entry, record };
  return lineOf(canonicalBody(changed), entryHash(changed)).trimEnd();
}

/** A record whose evidence id is not the one of its evidence. */
export function spoilRecord(record: string): string {
  return record.replace(
    /("evidence_id": ?")(.)/,
    (_, start, digit) => `${start}${digit === "0" ? "1" : "0"}`,
  );
}
