/**
 * The bundle of an incident: a folder with everything that is known of it, to be handed on. A manifest
 * has the SHA-256 of each file. It is written last, so a folder without one was not finished; and the
 * step to INVESTIGATE states its SHA-256, so what was gathered then cannot be changed later.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { canonicalize } from "@std/json/canonicalize";
import { join } from "@std/path/join";
import { parseEntry } from "../evidence/entry.ts";
import { type JsonObject, parseExactJson } from "../evidence/json.ts";
import { isTransition, parseTransition } from "../evidence/transition.ts";
import { verifyConflict } from "../evidence/verify.ts";
import { textOf, utf8 } from "../tlog/encoding.ts";
import { sha256 } from "../tlog/hashing.ts";
import { describeLog, type Log, makeLog } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import {
  checkMembers,
  listOf,
  object,
  oneOf,
  text,
  unexpected,
  wholeNumber,
} from "../tlog/members.ts";
import { parseVkey } from "../tlog/vkey.ts";
import { ensureFolder, isThere, replaceDurably, temporaryName } from "../world/durable.ts";
import { readFully } from "../world/reading.ts";
import { type Files, type FolderEntry, WorldError } from "../world/world.ts";

/** Names the format of the manifest. */
export const BUNDLE_VERSION = "hearsay/bundle/v1";
/** The file that lists the others, and is written last. */
export const MANIFEST_FILE = "manifest.json";
/** The same list for `sha256sum --check`. */
export const SUMS_FILE = "SHA256SUMS";
/** Longest file of a bundle that is read. */
export const MAX_BUNDLED_BYTES = 256 * 1024 * 1024;
/** Anyone may read evidence. */
const PERMISSIONS = 0o644;
/** Most values and names in a line. Nobody here reads one that is longer than an entry. */
const MAX_PARTS = 200_000;

/** What a file of a bundle holds, and so how it is verified. */
export type BundledKind =
  /** a conflict record */
  | "record"
  /** entries of the incident journal, one a line */
  | "steps"
  /** entries of the observation journal with what they say, one a line */
  | "observations"
  /** what the log has answered, byte for byte */
  | "answer"
  /** text for people */
  | "text";

/** A file that is to be put into a bundle. */
export interface Content {
  /** Its path in the folder: small letters, digits, and `.-_/`. */
  readonly name: string;
  readonly kind: BundledKind;
  /** For a person: one line. */
  readonly what: string;
  readonly content: Uint8Array<ArrayBuffer>;
}

/** A file of a bundle. */
export interface Bundled extends Omit<Content, "content"> {
  readonly bytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
}

/** What the manifest says. */
export interface Manifest {
  readonly version: typeof BUNDLE_VERSION;
  readonly incident: string;
  readonly log: { readonly origin: string; readonly vkey: string };
  /** Of the monitor that gathered it. */
  readonly monitor: string;
  /** RFC 3339, UTC. */
  readonly gathered_at: string;
  readonly files: readonly Bundled[];
  /** What is not there, and why: one sentence each. */
  readonly missing: readonly string[];
}

/** Where a bundle is. */
export interface BundlePlace {
  readonly files: Files;
  readonly folder: string;
}

/**
 * Writes a bundle. A crash leaves a folder without a manifest, and the next one writes it anew.
 * @returns SHA-256 of the manifest, in hex
 * @throws WorldError
 */
export async function writeBundle(
  { files, folder }: BundlePlace,
  { contents, ...said }: Omit<Manifest, "version" | "files"> & { contents: readonly Content[] },
): Promise<string> {
  const listed: Bundled[] = [];
  for (const { content, ...about } of contents) {
    await put({ files, folder }, about.name, content);
    listed.push({ ...about, bytes: content.length, sha256: hexHash(content) });
  }
  const sums = listed.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
  await put({ files, folder }, SUMS_FILE, utf8(sums));
  const manifest: Manifest = { version: BUNDLE_VERSION, ...said, files: listed };
  const content = utf8(`${canonicalize(manifest as unknown as JsonObject)}\n`);
  await put({ files, folder }, MANIFEST_FILE, content);
  return hexHash(content);
}

/** Whether a folder has a bundle that was finished. */
export async function isBundle({ files, folder }: BundlePlace): Promise<boolean> {
  return await isThere(files, join(folder, MANIFEST_FILE));
}

/** A bundle that was read, and what is wrong with it: one sentence each. */
export interface CheckedBundle {
  readonly manifest: Manifest;
  /** SHA-256 of the manifest, in hex. */
  readonly sha256: string;
  readonly faults: readonly string[];
  /** What is in the folder and not in the manifest: nobody says anything of it. */
  readonly strangers: readonly string[];
}

// Of another kind nobody here could say whether a file holds.
const KINDS: readonly BundledKind[] = ["record", "steps", "observations", "answer", "text"];

const hex = (value: unknown, name: string): void => {
  text(value, name);
  if (!/^[0-9a-f]{64}$/.test(value)) throw unexpected(value, { name, wanted: "64 hex digits" });
};

/** A path that leads nowhere but into the bundle. */
const path = (value: unknown, name: string): void => {
  text(value, name);
  const isInside = /^[a-z0-9][\w.-]*(?:\/[\w][\w.-]*)*$/i.test(value) && !value.includes("..");
  if (!isInside) throw unexpected(value, { name, wanted: "a path in the bundle" });
};

const MANIFEST = {
  must: {
    version: text,
    incident: text,
    log: object({ must: { origin: text, vkey: text }, others: "refused" }),
    monitor: text,
    gathered_at: text,
    files: listOf(object({
      must: {
        name: path,
        kind: oneOf(KINDS),
        what: text,
        bytes: wholeNumber({ least: 0 }),
        sha256: hex,
      },
      others: "refused",
    })),
    missing: listOf(text),
  },
  others: "refused",
} as const;

/**
 * Reads a bundle again and checks everything in it that can be checked: the SHA-256 of each file, each
 * record as a stranger would, each step's signature, the hash of each entry. Nothing that is listed
 * shows who wrote the list: the manifest is not signed.
 * @param log the log that all of it must be about, if the reader has said one
 * @throws MalformedError if the manifest is none; WorldError
 */
export async function checkBundle(
  { files, folder }: BundlePlace,
  { log }: { log?: Log | undefined } = {},
): Promise<CheckedBundle> {
  const bytes = await read(files, join(folder, MANIFEST_FILE));
  const members = parseExactJson(textOf(bytes), MAX_PARTS);
  checkMembers(members, { what: "the manifest", shape: MANIFEST });
  const manifest = members as unknown as Manifest;
  if (manifest.version !== BUNDLE_VERSION) {
    throw new MalformedError(`the manifest is of another version: ${quoted(manifest.version)}`);
  }
  const faults: string[] = [];
  const about = logIn(manifest);
  if (typeof about === "string") faults.push(about);
  else if (log !== undefined && about.id !== log.id) {
    faults.push(`it is about ${describeLog(about)}, expected ${describeLog(log)}`);
  }
  for (const { name, kind, bytes: length, sha256: wanted } of manifest.files) {
    if (!await isThere(files, join(folder, name))) {
      faults.push(`${name} is gone`);
      continue;
    }
    const content = await read(files, join(folder, name));
    if (content.length !== length || hexHash(content) !== wanted) {
      faults.push(`${name} is not what was gathered: its SHA-256 is ${hexHash(content)}`);
      continue;
    }
    const fault = faultOf(kind, { content, log: typeof about === "string" ? undefined : about });
    if (fault !== undefined) faults.push(`${name} does not hold: ${fault}`);
  }
  const strangers = await strangersIn({ files, folder }, {
    listed: manifest.files,
    isFinished: true,
  });
  return { manifest, sha256: hexHash(bytes), faults, strangers };
}

/** The text of a file of a bundle. @throws MalformedError, WorldError */
export async function readBundled({ files, folder }: BundlePlace, name: string): Promise<string> {
  return textOf(await read(files, join(folder, name)));
}

/**
 * What is in a folder and is no part of a bundle with these files; none if the folder is not there.
 * A folder ends with a slash, and is not looked into.
 * @throws WorldError
 */
export async function strangersIn(
  { files, folder }: BundlePlace,
  { listed, isFinished }: { listed: readonly Pick<Bundled, "name">[]; isFinished: boolean },
): Promise<string[]> {
  const names = new Set([MANIFEST_FILE, SUMS_FILE, ...listed.map(({ name }) => name)]);
  // A crash leaves these, and no manifest.
  if (!isFinished) { for (const name of [...names]) names.add(temporaryName(name)); }
  const folders = new Set([...names].map((name) => name.slice(0, name.lastIndexOf("/") + 1)));
  const strange: string[] = [];
  for (const inner of folders) {
    for (const { name, kind } of await entriesOf(files, join(folder, inner))) {
      const path = kind === "folder" ? `${inner}${name}/` : `${inner}${name}`;
      const isPart = kind === "folder" ? isOnTheWay(folders, path) : names.has(path);
      if (!isPart) strange.push(path);
    }
  }
  return strange.toSorted();
}

function isOnTheWay(folders: ReadonlySet<string>, path: string): boolean {
  return [...folders].some((one) => one.startsWith(path));
}

async function entriesOf(files: Files, folder: string): Promise<readonly FolderEntry[]> {
  try {
    return await files.entries(folder);
  } catch (error) {
    if (error instanceof WorldError && error.kind === "not found") return [];
    throw error;
  }
}

/** The log that a manifest is about, or what is wrong with it. */
function logIn({ log: { origin, vkey } }: Manifest): Log | string {
  try {
    return makeLog({ vkey: parseVkey(vkey), origin });
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return `the manifest's log is none: ${error.message}`;
  }
}

/** What is wrong with a file by itself, if anything that can be checked. */
function faultOf(
  kind: BundledKind,
  { content, log }: { content: Uint8Array; log: Log | undefined },
): string | undefined {
  try {
    switch (kind) {
      case "record": {
        const { outcome, checks } = verifyConflict({ input: textOf(content), log });
        const failed = checks.filter(({ ok }) => !ok).map(({ detail }) => detail);
        return outcome === "holds" ? undefined : `${outcome}: ${failed.join("; ")}`;
      }
      case "steps":
        for (const line of linesOf(content)) {
          const { record } = parseEntry(line);
          if (isTransition(record)) parseTransition(record);
        }
        return undefined;
      case "observations":
        for (const line of linesOf(content)) {
          parseEntry(JSON.stringify(parseExactJson(line, MAX_PARTS).entry));
        }
        return undefined;
      case "answer":
      case "text":
        return undefined;
    }
  } catch (error) {
    if (error instanceof MalformedError) return error.message;
    throw error;
  }
}

function linesOf(content: Uint8Array): string[] {
  return textOf(content).split("\n").filter((line) => line !== "");
}

async function put({ files, folder }: BundlePlace, name: string, content: Uint8Array<ArrayBuffer>) {
  const path = join(folder, name);
  await ensureFolder(files, join(path, ".."));
  await replaceDurably({ files, path, content, permissions: PERMISSIONS });
}

async function read(files: Files, path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await files.open(path, "read");
  try {
    const size = await file.size();
    if (size > MAX_BUNDLED_BYTES) throw new MalformedError(`${path} has ${size} bytes`);
    const buffer = new Uint8Array(size);
    return buffer.subarray(0, await readFully(file, buffer, 0));
  } finally {
    file.close();
  }
}

/** SHA-256 in hex, as the manifest has it. */
export function hexHash(content: Uint8Array): string {
  return encodeHex(sha256(content));
}
