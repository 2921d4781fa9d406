/**
 * `hearsay incidents bundle` and `report`: what is known of an incident, for others.
 *
 * @module
 */
import { canonicalize } from "@std/json/canonicalize";
import type { Entry } from "../evidence/entry.ts";
import type { JsonObject } from "../evidence/json.ts";
import { type ConflictRecord, formatRecord } from "../evidence/record.ts";
import { isTransition } from "../evidence/transition.ts";
import { Opinions, verifyConflict } from "../evidence/verify.ts";
import type { Settings } from "../monitor/settings.ts";
import {
  checkBundle,
  type CheckedBundle,
  type Content,
  isBundle,
  writeBundle,
} from "../response/bundle.ts";
import { type CaseFiles, reportOf, type Sighting } from "../response/incident_report.ts";
import { asHtml, asMarkdown, type Paper } from "../response/paper.ts";
import type { Incident } from "../response/runbook.ts";
import { openSource } from "../sources/open.ts";
import { SourceUnavailable } from "../sources/source.ts";
import { isCase, readIncidents, recordOf, transitionOf } from "../store/incidents.ts";
import { logIdOf, type Observation } from "../store/observation.ts";
import { checkObservations } from "../store/observations.ts";
import { utf8 } from "../tlog/encoding.ts";
import { MalformedError, printable, printableJson, quoted } from "../tlog/malformed.ts";
import { createDurably } from "../world/durable.ts";
import { timeNow } from "../world/time.ts";
import { type World, WorldError } from "../world/world.ts";
import {
  EXIT,
  type ExitCode,
  type Options,
  readOptions,
  type Tools,
  UsageError,
} from "./command.ts";
import { shellWord } from "../world/shell_word.ts";
import { evidenceFile } from "./export.ts";
import { findConfig } from "./find_config.ts";
import { findIncident } from "./incident_steps.ts";
import { cannotWrite } from "./inputs.ts";
import { readSettings } from "./run.ts";

/** Most observations of a log that go into a bundle besides those of the heads that it is about. */
const MAX_OBSERVATIONS = 5_000;
/** Anyone may read evidence. */
const PERMISSIONS = 0o644;

/** The actions, and what each makes. */
export const BUNDLE_ACTIONS = ["bundle", "report"] as const;
/** One of BUNDLE_ACTIONS. */
export type BundleAction = typeof BUNDLE_ACTIONS[number];

/** Runs one of the actions. @throws UsageError, MalformedError, JournalDamaged, WorldError */
export async function runBundle(
  action: BundleAction,
  args: readonly string[],
  { world, terminal }: Tools,
): Promise<ExitCode> {
  const options = readOptions(args, {
    values: ["config", "out"],
    flags: action === "bundle" ? ["offline", "check", "json"] : ["html"],
    operands: ["INC"],
  });
  const [id] = options.operands as [string];
  if (action === "bundle" && options.flag("check")) {
    return tellChecked(await checkBundle({ files: world.files, folder: id }), {
      terminal,
      options,
    });
  }
  const settings = await readSettings(world, await findConfig(world, options.value("config")));
  const incident = await findIncident(world, settings, id);
  if (action === "bundle") {
    const { folder } = await bundleOf(incident, { world, settings, options });
    const checked = await checkBundle({ files: world.files, folder });
    terminal.out(printable(`${id} is in the folder ${folder}`));
    return tellChecked(checked, { terminal, options });
  }
  const out = options.value("out");
  const page = paperOf(await gather(incident, { world, settings }));
  const text = options.flag("html") || out?.endsWith(".html") === true
    ? asHtml(page)
    : asMarkdown(page);
  if (out === undefined) {
    for (const line of text.slice(0, -1).split("\n")) terminal.out(line);
    return EXIT.ok;
  }
  try {
    const content = utf8(text);
    const { files } = world;
    (await createDurably({ files, path: out, content, permissions: PERMISSIONS })).close();
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    if (error.kind !== "already exists") throw cannotWrite(out, error);
    throw new UsageError(`${quoted(out)} exists, and is not overwritten; name another file`);
  }
  terminal.err(printable(`the report of ${id} is in ${out}`));
  return EXIT.ok;
}

function tellChecked(
  { manifest, sha256, faults }: CheckedBundle,
  { terminal, options }: { terminal: Tools["terminal"]; options: Options },
): ExitCode {
  if (options.flag("json")) {
    const { incident, files, missing } = manifest;
    const told = { incident, files: files.length, sha256, missing, faults };
    terminal.out(printableJson(JSON.stringify(told)));
  } else {
    terminal.out(printable(
      `${manifest.files.length} files about ${manifest.incident}; ` +
        `the manifest's SHA-256 is ${sha256}`,
    ));
    for (const one of manifest.missing) terminal.out(printable(`not in it: ${one}`));
    if (faults.length === 0) {
      terminal.out("every file is as it was gathered, and every record holds");
    }
  }
  for (const fault of faults) terminal.err(printable(fault));
  return faults.length === 0 ? EXIT.ok : EXIT.proven;
}

/**
 * Gathers the bundle of an incident into a folder, or takes the one that is there. It is verified.
 * @throws UsageError if the folder has another bundle, or one that does not hold
 */
export async function bundleOf(
  incident: Incident,
  { world, settings, options }: { world: World; settings: Settings; options: Options },
): Promise<{ folder: string; sha256: string }> {
  const { files } = world;
  const folder = options.value("out") ?? incident.id;
  if (!await isBundle({ files, folder })) {
    // What a crash has left is written anew.
    const gathered = await gather(incident, { world, settings });
    const { answer, missing } = options.flag("offline")
      ? { answer: [], missing: ["what the log answers now: it was not asked (--offline)"] }
      : await askLog(incident, { world, settings });
    await writeBundle({ files, folder }, {
      ...{ incident: incident.id, log: incident.log, monitor: incident.steps[0]!.monitor },
      gathered_at: timeNow(world.clock),
      contents: [...contentsOf(gathered), ...answer],
      missing: [...gathered.missing, ...missing],
    });
  }
  const { manifest, sha256, faults } = await checkBundle({ files, folder });
  // Each monitor counts its incidents for itself.
  const { log: { origin, vkey }, monitor } = manifest;
  const isOfIt = manifest.incident === incident.id && origin === incident.log.origin &&
    vkey === incident.log.vkey && monitor === incident.steps[0]!.monitor;
  if (!isOfIt) {
    throw new UsageError(
      `${quoted(folder)} has the bundle of ${manifest.incident} about ${quoted(origin)}, by ` +
        `${quoted(monitor)}: name another one`,
    );
  }
  if (faults.length > 0) {
    throw new UsageError(`the bundle in ${quoted(folder)} does not hold: ${faults.join("; ")}`);
  }
  return { folder, sha256 };
}

/** What the journals have of an incident. */
interface Gathered {
  readonly incident: Incident;
  readonly records: readonly ConflictRecord[];
  readonly steps: readonly Entry[];
  readonly observations: readonly { entry: Entry; observation: Observation }[];
  readonly missing: readonly string[];
}

/** Reads the journals. @throws JournalDamaged, WorldError */
async function gather(
  incident: Incident,
  { world: { files }, settings }: { world: World; settings: Settings },
): Promise<Gathered> {
  const missing: string[] = [];
  const records: ConflictRecord[] = [];
  const steps: Entry[] = [];
  const opinions = new Opinions();
  for await (const item of readIncidents({ files, folder: settings.incidents })) {
    if (!("entry" in item)) continue;
    const { entry } = item;
    if (isTransition(entry.record)) {
      const step = transitionOf(entry, settings.incidents);
      const counts = incident.steps.some((one) =>
        canonicalize(one as unknown as JsonObject) === canonicalize(step as unknown as JsonObject)
      );
      if (counts) steps.push(entry);
    } else if (isCase(entry.record)) {
      const record = recordOf(entry, settings.incidents);
      if (!incident.cases.includes(record.evidence_id)) continue;
      const { outcome } = verifyConflict({ input: entry.record, opinions });
      if (outcome === "holds") records.push(record);
      else missing.push(`the record ${record.evidence_id}, which does not hold (${outcome})`);
    }
  }
  for (const id of incident.cases) {
    const isHere = records.some((record) => record.evidence_id === id);
    if (!isHere && !missing.some((one) => one.includes(id))) {
      missing.push(`the record ${id}: the incident journal has lost it`);
    }
  }
  const heads = new Set(
    records.flatMap(({ checkpoint_a: a, checkpoint_b: b }) =>
      [a, b].map(({ size, root }) => `${size} ${root}`)
    ),
  );
  const about: Gathered["observations"][number][] = [];
  let others: Gathered["observations"][number][] = [];
  let left = 0;
  for await (const item of checkObservations({ files, folder: settings.state })) {
    if (!("observation" in item) || logIdOf(item.observation) !== incident.logId) continue;
    const { entry, observation } = item;
    const { checkpoint, against } = observation;
    const isAbout = [checkpoint, against].some((head) =>
      head !== undefined && heads.has(`${head.size} ${head.root}`)
    );
    (isAbout ? about : others).push({ entry, observation });
    if (others.length > 2 * MAX_OBSERVATIONS) {
      left += others.length - MAX_OBSERVATIONS;
      others = others.slice(-MAX_OBSERVATIONS);
    }
  }
  if (left > 0) missing.push(`${left} older observations of other checkpoints of the log`);
  const observations = [...about, ...others].toSorted((a, b) => a.entry.seq - b.entry.seq);
  return { incident, records, steps, observations, missing };
}

/** Asks the log what it shows now. */
async function askLog(
  { logId }: Incident,
  { world, settings }: { world: World; settings: Settings },
): Promise<{ answer: Content[]; missing: string[] }> {
  const followed = settings.logs.find(({ log }) => log.id === logId);
  if (followed === undefined) {
    return {
      answer: [],
      missing: ["what the log answers now: the configuration does not follow it"],
    };
  }
  try {
    const { log, source } = followed;
    const note = await openSource({ world, log, source, contact: settings.contact }).latest();
    const at = timeNow(world.clock);
    const what = `the log's latest checkpoint as it answered at ${at}`;
    const content = Uint8Array.from(note);
    return {
      answer: [{ name: "answers/latest.note", kind: "answer", what, content }],
      missing: [],
    };
  } catch (error) {
    const isOutage = error instanceof SourceUnavailable || error instanceof WorldError ||
      error instanceof MalformedError;
    if (!isOutage) throw error;
    return { answer: [], missing: [`what the log answers now: ${error.message}`] };
  }
}

/** So many digits of an evidence id tell cases apart in file names. */
const SHORT_DIGITS = 16;

function filesOf({ evidence_id }: ConflictRecord): CaseFiles {
  const name = evidence_id.slice(0, SHORT_DIGITS);
  return {
    record: `records/${name}.json`,
    noteA: `answers/${name}-a.note`,
    noteB: `answers/${name}-b.note`,
  };
}

function contentsOf(gathered: Gathered): Content[] {
  const { records, steps, observations } = gathered;
  const page = paperOf(gathered);
  const lines = (some: Gathered["observations"]): Uint8Array<ArrayBuffer> =>
    utf8(some.map((one) => `${canonicalize(one as unknown as JsonObject)}\n`).join(""));
  const shown = observations.filter(({ observation: { via } }) => via !== "exchange");
  const told = observations.filter(({ observation: { via } }) => via === "exchange");
  return [
    ...records.flatMap((record): Content[] => {
      const { record: name, noteA, noteB } = filesOf(record);
      const judgement = verifyConflict({ input: record as unknown as JsonObject });
      const [a, b] = [record.checkpoint_a, record.checkpoint_b];
      return [
        {
          ...{ name, kind: "record", what: `the conflict record ${record.evidence_id}` },
          content: utf8(`${formatRecord(record)}\n`),
        },
        {
          ...{ name: name.replace(/json$/, "txt"), kind: "text", what: "the same with words" },
          content: utf8(evidenceFile({ record, judgement })),
        },
        {
          ...{ name: noteA, kind: "answer", what: `checkpoint A, as it was shown` },
          content: utf8(a.note),
        },
        {
          ...{ name: noteB, kind: "answer", what: `checkpoint B, as it was shown` },
          content: utf8(b.note),
        },
      ];
    }),
    ...steps.map((entry, i): Content => ({
      name: `steps/${String(i + 1).padStart(2, "0")}.json`,
      ...{ kind: "steps", what: `entry ${entry.seq} of the incident journal` },
      content: utf8(`${canonicalize(entry as unknown as JsonObject)}\n`),
    })),
    {
      ...{ name: "observations.jsonl", kind: "observations", content: lines(shown) },
      what: "what the log showed to this monitor, with the entries of its journal",
    },
    {
      ...{ name: "gossip.jsonl", kind: "observations", content: lines(told) },
      what: "what others told of the log, with the entries of the journal",
    },
    {
      ...{ name: "report.md", kind: "text", what: "the report, as Markdown" },
      content: utf8(asMarkdown(page)),
    },
    {
      ...{ name: "report.html", kind: "text", what: "the same as HTML, with pictures" },
      content: utf8(asHtml(page)),
    },
  ];
}

function paperOf({ incident, records, observations }: Gathered): Paper {
  const heads = new Set(
    records.flatMap(({ checkpoint_a: a, checkpoint_b: b }) =>
      [a, b].map(({ size, root }) => `${size} ${root}`)
    ),
  );
  const sightings = observations.filter(({ observation: { checkpoint, result } }) =>
    checkpoint === undefined
      ? records.length === 0
      : records.length === 0 && result !== "unchanged" ||
        heads.has(`${checkpoint.size} ${checkpoint.root}`)
  ).map(({ entry, observation }): Sighting => ({
    at: entry.recorded_at,
    source: observation.source,
    result: observation.detail === undefined
      ? observation.result
      : `${observation.result} (${observation.detail})`,
    size: observation.checkpoint?.size,
    root: observation.checkpoint?.root,
  }));
  return reportOf({ incident, records, sightings, named: filesOf, word: shellWord });
}
