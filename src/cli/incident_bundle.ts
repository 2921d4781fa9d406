/**
 * `hearsay incidents bundle` and `report`: what is known of an incident, for others.
 *
 * @module
 */
import type { Settings } from "../monitor/settings.ts";
import {
  type BundlePlace,
  checkBundle,
  type CheckedBundle,
  hexHash,
  isBundle,
  readBundled,
  strangersIn,
  writeBundle,
} from "../response/bundle.ts";
import { asHtml, asMarkdown } from "../response/paper.ts";
import type { Incident } from "../response/runbook.ts";
import { utf8, withoutMark } from "../tlog/encoding.ts";
import { parseLog } from "../tlog/log.ts";
import { printable, printableJson, quoted } from "../tlog/malformed.ts";
import { createDurably } from "../world/durable.ts";
import { type World, WorldError } from "../world/world.ts";
import {
  contentsOf,
  filesOf,
  lineOf,
  OBSERVATION_FILES,
  paperOf,
  stepFile,
} from "./bundle_contents.ts";
import {
  EXIT,
  type ExitCode,
  type Options,
  readOptions,
  type Tools,
  UsageError,
} from "./command.ts";
import { findConfig } from "./find_config.ts";
import { askLog, gather, type Gathered, LATEST_FILE } from "./incident_gather.ts";
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
    values: action === "bundle" ? ["config", "out", "log"] : ["config", "out"],
    flags: action === "bundle" ? ["offline", "check", "json"] : ["html"],
    operands: ["INC"],
  });
  const [id] = options.operands as [string];
  if (action === "bundle" && options.flag("check")) {
    const given = options.value("log");
    const log = given === undefined ? undefined : parseLog(withoutMark(given));
    const checked = await checkBundle({ files: world.files, folder: id }, { log });
    return tellChecked(checked, { terminal, options, isOurs: false });
  }
  if (options.value("log") !== undefined) {
    throw new UsageError("--log goes with --check: the incident says which log it is about");
  }
  const settings = await readSettings(world, await findConfig(world, options.value("config")));
  const incident = await findIncident(world, settings, id);
  if (action === "bundle") {
    const bundle = await bundleOf(incident, { world, settings, options });
    const checked = await checkBundle({ files: world.files, folder: bundle.folder });
    terminal.err(printable(describeBundle(id, bundle)));
    return tellChecked(checked, { terminal, options, isOurs: true });
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
  { manifest, sha256, faults, strangers }: CheckedBundle,
  { terminal, options, isOurs }: {
    terminal: Tools["terminal"];
    options: Options;
    /** Whether it was just gathered, or compared with the journals. */
    isOurs: boolean;
  },
): ExitCode {
  if (options.flag("json")) {
    const { incident, files, missing } = manifest;
    const told = { incident, files: files.length, sha256, missing, faults, strangers };
    terminal.out(printableJson(JSON.stringify(told)));
  } else {
    terminal.out(printable(
      `${manifest.files.length} files about ${manifest.incident}; ` +
        `the manifest's SHA-256 is ${sha256}`,
    ));
    for (const one of manifest.missing) terminal.out(printable(`not in it: ${one}`));
    for (const name of strangers) {
      terminal.out(printable(`! ${name} is not in the manifest: nothing is said of it`));
    }
    if (!isOurs && options.value("log") === undefined) {
      terminal.out(
        "! The log's key came from the bundle itself. Give the key you trust with --log.",
      );
    }
    if (!isOurs) {
      terminal.out(
        "! The manifest is not signed: who wrote it is not shown. Have whoever gathered it tell you its " +
          "SHA-256 another way.",
      );
    }
    if (faults.length === 0) {
      terminal.out("every file is as the manifest says, and every record holds");
    }
  }
  for (const fault of faults) terminal.err(printable(fault));
  return faults.length === 0 ? EXIT.ok : EXIT.proven;
}

/** Where the bundle of an incident is. */
export interface Bundle {
  readonly folder: string;
  /** Of its manifest, in hex. */
  readonly sha256: string;
  /** When it was gathered before, if it was there already and was taken. RFC 3339, UTC. */
  readonly takenOf?: string;
}

/**
 * Gathers the bundle of an incident into a folder, and verifies it. A bundle that is there already is
 * taken only if it is what this monitor would gather from its journals.
 * @throws UsageError if the folder has anything else
 */
export async function bundleOf(
  incident: Incident,
  { world, settings, options }: { world: World; settings: Settings; options: Options },
): Promise<Bundle> {
  const { files } = world;
  const folder = options.value("out") ?? incident.id;
  const place = { files, folder };
  const gathered = await gather(incident, { world, settings });
  if (await isBundle(place)) {
    const checked = await checkBundle(place);
    const refused = await whyNotTaken(checked, { place, gathered });
    const { manifest: { gathered_at: at, monitor }, sha256 } = checked;
    if (refused === undefined) return { folder, sha256, takenOf: at };
    throw new UsageError(
      `${quoted(folder)} is there already, gathered at ${at} by ${
        quoted(monitor)
      }: ${refused}. It ` +
        "stays as it is: name another folder with --out",
    );
  }
  const { answer, missing } = options.flag("offline")
    ? { answer: [], missing: ["what the log answers now: it was not asked (--offline)"] }
    : await askLog(incident, { world, settings });
  const contents = [...contentsOf(gathered), ...answer];
  // What a crash has left of a bundle is written anew.
  const [stray] = await strangersIn(place, { listed: contents, isFinished: false });
  if (stray !== undefined) {
    throw new UsageError(
      `${quoted(folder)} has ${
        quoted(stray)
      } in it, which is no part of this bundle: name another ` +
        "folder with --out",
    );
  }
  await writeBundle(place, {
    ...{ incident: incident.id, log: incident.log, monitor: incident.steps[0]!.monitor },
    gathered_at: gathered.at,
    contents,
    missing: [...gathered.missing, ...missing],
  });
  const { sha256, faults } = await checkBundle(place);
  if (faults.length > 0) {
    throw new UsageError(`the bundle in ${quoted(folder)} does not hold: ${faults.join("; ")}`);
  }
  return { folder, sha256 };
}

/** What was done about a bundle, for a person. */
export function describeBundle(id: string, { folder, takenOf }: Bundle): string {
  return takenOf === undefined
    ? `what is known of ${id} is gathered in ${folder}, and verified`
    : `${id} is in ${folder} already, gathered at ${takenOf}: verified, compared with the journals, ` +
      "and taken";
}

/** Why a bundle that is there is not taken, the rest of a sentence; nothing if it may be. */
async function whyNotTaken(
  { manifest, sha256, faults }: CheckedBundle,
  { place, gathered }: { place: BundlePlace; gathered: Gathered },
): Promise<string | undefined> {
  const { incident, log, monitor } = manifest;
  const { id, log: { origin, vkey }, steps } = gathered.incident;
  // Each monitor counts its incidents for itself.
  const isOfIt = incident === id && log.origin === origin && log.vkey === vkey &&
    monitor === steps[0]!.monitor;
  if (!isOfIt) return `it is of ${incident} about ${quoted(log.origin)}, and not of this incident`;
  if (faults.length > 0) return `it does not hold: ${faults.join("; ")}`;
  if (steps.some(({ bundle }) => bundle === sha256)) return undefined;
  const listed = new Map(manifest.files.map((one) => [one.name, one.sha256]));
  const [cases, known] = [gathered.records.map((one) => filesOf(one).record), gathered.steps];
  const had = cases.filter((name) => listed.has(name)).length;
  if (had < cases.length) return `it has ${had} of the ${cases.length} cases`;
  const taken = known.filter((_, i) => listed.has(stepFile(i))).length;
  if (taken < known.length) return `it has ${taken} of the ${known.length} steps`;
  // What was observed since is not in it.
  const lines = new Set(
    (await Promise.all(
      OBSERVATION_FILES.filter((name) => listed.has(name))
        .map((name) => readBundled(place, name)),
    )).flatMap((text) => text.split("\n")),
  );
  const observations = gathered.observations.filter((one) => lines.has(lineOf(one)));
  const wanted = contentsOf({ ...gathered, observations, at: manifest.gathered_at });
  const other = wanted.find(({ name, content }) => listed.get(name) !== hexHash(content));
  if (other !== undefined) return `its ${other.name} is not what this monitor has`;
  const more = new Set(wanted.map(({ name }) => name)).add(LATEST_FILE);
  const strange = [...listed.keys()].find((name) => !more.has(name));
  return strange === undefined ? undefined : `this monitor has no ${quoted(strange)}`;
}
