/** Journals and folders that are not there, not as they were written, or another's. */
import { sharing } from "./sharing.ts";
import { canonicalBody, entryHash, lineOf, parseEntry } from "../../../src/evidence/entry.ts";
import { put, run } from "../harness.ts";
import { grow } from "../monitors.ts";
import {
  configured,
  each,
  INCIDENTS,
  OBSERVATIONS,
  reading,
  RECORDS,
  records,
  REPORTS,
  RUNS,
  runs,
  STEPS,
  type Trouble,
  words,
} from "./groups.ts";
import {
  caseJournal,
  daemonOf,
  deceived,
  freezing,
  monitor,
  observed,
  PERSON,
  spoil,
  type Stage,
} from "./stage.ts";

/** A journal whose first line somebody has changed, for every command that reads one. */
function journals(change: (line: string) => string): Trouble {
  return {
    ...each(INCIDENTS, (name) => async (stage) => {
      const incidents = await caseJournal(stage);
      spoil(`${incidents}/journal.jsonl`, change);
      return { args: [...reading(name), "--incidents", incidents] };
    }),
    ...each(RECORDS, (name) => async (stage) => {
      const incidents = await caseJournal(stage);
      spoil(`${incidents}/journal.jsonl`, change);
      return await records(stage, name, incidents);
    }),
    ...each(OBSERVATIONS, (name) => async (stage) => {
      const state = await observed(stage);
      spoil(`${state}/observations-000001.jsonl`, change);
      return { args: [...reading(name), "--state", state] };
    }),
    ...each(RUNS, (name) => async (stage) => {
      const { config, state } = await monitor(stage);
      await run("run", "--once", "--config", config);
      spoil(`${state}/observations-000001.jsonl`, change);
      return runs(name, config);
    }),
    "config check": async (stage) => {
      const { config, state } = await monitor(stage);
      await run("run", "--once", "--config", config);
      spoil(`${state}/observations-000001.jsonl`, change);
      return { args: configured("config check", config) };
    },
  };
}

/** An entry of a chain that is whole, with another record in it. */
function withRecord(line: string, change: (record: string) => string): string {
  const entry = parseEntry(line);
  const record = JSON.parse(change(JSON.stringify(entry.record)));
  const changed = { ...entry, record };
  return lineOf(canonicalBody(changed), entryHash(changed)).trimEnd();
}

/** Makes the first record of a journal not hold. The chain is whole, and has nothing else. */
function breakRecord(incidents: string): void {
  const path = `${incidents}/journal.jsonl`;
  const [first] = Deno.readTextFileSync(path).split("\n");
  Deno.writeTextFileSync(path, `${withRecord(first!, spoilRecord)}\n`);
}

const INCIDENTS_FILE = "incidents/journal.jsonl";
const OBSERVATIONS_FILE = "state/observations-000001.jsonl";

/** A monitor that has run, and one of whose journals is gone; its configuration. */
async function lacking(stage: Stage, file: string): Promise<string> {
  const { config } = await monitor(stage);
  await run("run", "--config", config, "--once");
  Deno.removeSync(`${stage.folder}/one/${file}`);
  return config;
}

/** A record whose evidence id is not the one of its evidence. */
export function spoilRecord(record: string): string {
  return record.replace(
    /("evidence_id": ?")(.)/,
    (_, start, digit) => `${start}${digit === "0" ? "1" : "0"}`,
  );
}

/** By their names in OPERATING. */
export const JOURNAL_TROUBLES: Readonly<Record<string, Trouble>> = {
  "step refused": each(STEPS, (name) => async (stage) => {
    const { config, incident } = await freezing(stage);
    const about = name === "incidents run"
      ? put(stage.folder, "alert", '{"case":"peer 192.0.2.1:9900"}')
      : incident;
    // To advance is allowed; not by the monitor itself.
    const who = name === "incidents advance" ? ["--by", "hearsay", "--why", "because"] : PERSON;
    return { args: [...words(name), about, ...who, "--config", config] };
  }),
  "no such case": each(REPORTS, (name) => async (stage) => {
    const { config } = await monitor(stage);
    return { args: [...words(name), "INC-1999-001", "--config", config] };
  }),
  "bundle altered": {
    "incidents bundle": async (stage) => {
      const { config, incident } = await freezing(stage);
      const out = `${stage.folder}/bundle`;
      await run("incidents", "bundle", incident, "--offline", "--out", out, "--config", config);
      Deno.writeTextFileSync(`${out}/report.md`, "nothing is proven");
      return { args: ["incidents", "bundle", "--check", out] };
    },
  },
  "no such incident": {
    ...each(["incidents show", "incidents export"], (name) => async (stage) => ({
      args: [...words(name), "9", "--incidents", await caseJournal(stage)],
    })),
  },
  "no journal": {
    ...each(INCIDENTS, (name) => ({ folder }) => ({
      args: [...reading(name), "--incidents", folder],
    })),
    ...each(OBSERVATIONS, (name) => ({ folder }) => ({
      args: [...words(name), "--state", `${folder}/none`],
    })),
    "journal repair": ({ folder }) => ({ args: ["journal", "repair", folder] }),
    ...each(["store check", "store rebuild"], (name) => async (stage) => {
      const way = await sharing(stage, name);
      Deno.removeSync(`${stage.folder}/one/state`, { recursive: true });
      return way;
    }),
  },
  "no such log": {
    "incidents list": async (stage) => ({
      args: ["incidents", "list", "--log", "none", "--incidents", await caseJournal(stage)],
    }),
    "observations list": async (stage) => ({
      args: ["observations", "list", "--log", "none", "--state", await observed(stage)],
    }),
  },
  "journal damaged": journals((line) => line.replace('"seq":1', '"seq":2')),
  "journal foreign": journals(() => '{"version":99,"what":"an entry of another program"}'),
  "journal in use": {
    ...each(RUNS, (name) => async (stage) => {
      const { config } = await monitor(stage);
      await daemonOf(stage, config);
      return runs(name, config);
    }),
    ...each(RECORDS, (name) => async (stage) => {
      const way = await records(stage, "listen", `${stage.folder}/incidents`);
      await stage.background(way.args).line(/^listening on /);
      return await records(stage, name, `${stage.folder}/incidents`);
    }),
    "journal repair": async (stage) => {
      const { config } = await monitor(stage);
      await daemonOf(stage, config);
      return { args: ["journal", "repair", "--config", config] };
    },
  },
  "folder foreign": each(RUNS, (name) => async (stage) => {
    const { config, state } = await monitor(stage);
    Deno.mkdirSync(state);
    put(state, "monitor.vkey", "monitor.invalid/another+00000000+AA==\n");
    return runs(name, config);
  }),
  "folder moved": {
    "run": async (stage) => {
      const { dir, config, state } = await monitor(stage);
      return {
        args: ["run", "--config", config],
        // Nobody asks it to end: it ends by itself before the next thing that it would write.
        during: async (running) => {
          await running.line(/ log\.first /);
          Deno.renameSync(state, `${state}-moved`);
          await grow(dir, 1);
          await running.done;
        },
      };
    },
  },
  "something lost": {
    "run --once": async (stage) => runs("run --once", await lacking(stage, OBSERVATIONS_FILE)),
    "status": async (stage) => {
      const config = await lacking(stage, OBSERVATIONS_FILE);
      return { args: ["status", await daemonOf(stage, config)] };
    },
    ...each(
      ["config check", "incidents list", "incidents check", ...OBSERVATIONS],
      (name) => async (stage) => {
        const isOfCases = name.startsWith("incidents");
        const config = await lacking(stage, isOfCases ? INCIDENTS_FILE : OBSERVATIONS_FILE);
        await run("run", "--config", config, "--once");
        return { args: configured(name, config) };
      },
    ),
  },
  "record broken": {
    ...each(INCIDENTS, (name) => async (stage) => {
      const incidents = await caseJournal(stage);
      breakRecord(incidents);
      return { args: [...reading(name), "--incidents", incidents] };
    }),
    "config check": async (stage) => {
      const { config, incidents } = await deceived(stage);
      await run("run", "--once", "--config", config);
      breakRecord(incidents);
      return { args: configured("config check", config) };
    },
  },
};
