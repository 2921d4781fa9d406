/**
 * `hearsay incidents bundle` and `report`: what is known of an incident, for others.
 *
 * @module
 */
import { canonicalize } from "@std/json/canonicalize";
import type { JsonObject } from "../evidence/json.ts";
import { type ConflictRecord, formatRecord } from "../evidence/record.ts";
import { verifyConflict } from "../evidence/verify.ts";
import { type Failed, hashOf } from "../monitor/failed_answers.ts";
import type { Settings } from "../monitor/settings.ts";
import {
  checkBundle,
  type CheckedBundle,
  type Content,
  isBundle,
  writeBundle,
} from "../response/bundle.ts";
import { reportOf } from "../response/incident_report.ts";
import { asHtml, asMarkdown, type Paper } from "../response/paper.ts";
import type { CaseFiles, FailedFiles, Sighting } from "../response/reported.ts";
import type { Incident } from "../response/runbook.ts";
import { utf8 } from "../tlog/encoding.ts";
import { printable, printableJson, quoted } from "../tlog/malformed.ts";
import { createDurably } from "../world/durable.ts";
import { timeNow } from "../world/time.ts";
import { SOFTWARE } from "../world/version.ts";
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
import { askLog, gather, type Gathered } from "./incident_gather.ts";
import { findIncident } from "./incident_steps.ts";
import { cannotWrite } from "./inputs.ts";
import { readSettings } from "./run.ts";

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

const FAILED = {
  note: "answers/failed.note",
  proof: "answers/failed-proof.json",
  older: "answers/failed-older.note",
  newer: "answers/failed-newer.note",
} as const;

/** The files of what did not hold. */
function contentsOfFailed(failed: Failed): Content[] {
  const answer = (name: string, what: string, content: string): Content => ({
    ...{ name, kind: "answer", what, content: utf8(content) },
  });
  if (failed.kind === "note") {
    return [answer(FAILED.note, "what was shown as the log's, and is not signed", failed.content)];
  }
  const { older, newer } = failed.stored;
  return [
    answer(FAILED.proof, "the proof that does not hold, with both checkpoints", failed.content),
    answer(FAILED.older, "the checkpoint from which it was to lead", older.note),
    answer(FAILED.newer, "the checkpoint to which it was to lead", newer.note),
  ];
}

function filesOfFailed(failed: Failed | undefined): FailedFiles | undefined {
  if (failed === undefined) return undefined;
  const sha256 = hashOf(failed.content);
  if (failed.kind === "note") {
    return { kind: "note", sha256, note: { file: FAILED.note, text: failed.content } };
  }
  const { older, newer } = failed.stored;
  return {
    ...{ kind: "proof", sha256, proof: FAILED.proof },
    older: { file: FAILED.older, text: older.note, vkey: older.vkey },
    newer: { file: FAILED.newer, text: newer.note, vkey: newer.vkey },
  };
}

function contentsOf(gathered: Gathered): Content[] {
  const { records, steps, observations, failed } = gathered;
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
    ...(failed === undefined ? [] : contentsOfFailed(failed)),
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

function paperOf(gathered: Gathered): Paper {
  const { incident, records, observations } = gathered;
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
    result: observation.result,
    detail: observation.detail,
    size: observation.checkpoint?.size,
    root: observation.checkpoint?.root,
  }));
  return reportOf({
    ...{ incident, records, sightings, named: filesOf, word: shellWord },
    ...{ at: gathered.at, software: SOFTWARE, failed: filesOfFailed(gathered.failed) },
  });
}
